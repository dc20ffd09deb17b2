"""Logins in urls: ``scheme://user:password@host``, ``https://token@host``, ``redis://:password@host``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Up to the last @ before the path: passwords hold @ as well, and some hold what should be encoded.
_LOGIN = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,20})?(?:://|%3A%2F%2F)(?P<login>[^\s/?'\"<>`\\|]*+)", re.I)
_USERS = frozenset({"git", "hg", "svn", "oauth2", "x-access-token", "anonymous", "user", "username", "root", "admin"})
_RANDOM = re.compile(r"(?=[^0-9]{0,80}[0-9])[^\s]{12,}|[^\s]{24,}")


def login_spans(text: str, low: str) -> Iterator[tuple[int, int]]:
    """Where the passwords are, with the user before them; a user alone only where it looks like a token."""
    if "@" not in text and "%40" not in low:
        return
    for match in _LOGIN.finditer(text):
        authority = match["login"]
        place = max(authority.rfind("@"), authority.lower().rfind("%40"))
        if place <= 0:
            continue
        login, start = authority[:place], match.start("login")
        user, colon, _ = login.replace("%3A", ":").replace("%3a", ":").partition(":")
        if colon:
            yield start, start + place
        elif user.lower() not in _USERS and ((match["scheme"] or "").lower() in ("http", "https") or _RANDOM.match(user)):
            yield start, start + place
