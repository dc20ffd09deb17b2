"""Logins in urls: ``scheme://user:password@host``, ``https://token@host``, ``redis://:password@host``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .named import MOST

if TYPE_CHECKING:
    from collections.abc import Iterator

# Up to the last @ before the path: passwords hold @ as well, and some hold what should be encoded.
_LOGIN = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,20})?(?:://|%3A%2F%2F)(?P<login>[^\s/?'\"<>`\\|]*+)", re.I)
_COLON = re.compile(":|%3A", re.I)
_USERS = frozenset({"git", "hg", "svn", "oauth2", "x-access-token", "anonymous", "user", "username", "root", "admin"})
_RANDOM = re.compile(r"(?=[^0-9]{0,80}[0-9])[^\s]{12,}|[^\s]{24,}")


def login_spans(text: str, low: str) -> Iterator[tuple[int, int]]:
    """Where the passwords are; and the users that look like a token, as many hosts take one there."""
    if "@" not in text and "%40" not in low:
        return
    for number, match in enumerate(_LOGIN.finditer(text)):
        if number > MOST:
            yield match.start(), len(text)
            return
        authority = match["login"]
        place = max(authority.rfind("@"), authority.lower().rfind("%40"))
        if place <= 0:
            continue
        start = match.start("login")
        user, colon, password = _parts(authority[:place])
        if colon and password and not _RANDOM.match(user):
            yield start + len(user) + len(colon), start + place
        elif colon or _is_token(user, (match["scheme"] or "").lower()):
            yield start, start + place


def _parts(login: str) -> tuple[str, str, str]:
    colon = _COLON.search(login)
    return (login[: colon.start()], colon[0], login[colon.end() :]) if colon else (login, "", "")


def _is_token(user: str, scheme: str) -> bool:
    """A user without a password is a token, if it is none of the users that all know."""
    return user.lower() not in _USERS and (scheme in ("http", "https") or _RANDOM.match(user) is not None)
