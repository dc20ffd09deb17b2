"""How other programs write a value: in JSON, HTML and urls, quoted for a shell, as base64 or as hex.

A spelling is looked for as a piece of text, so that each costs one search more. A value of plain letters and digits
has but a few: only base64 and hex write it in another way.
"""

from __future__ import annotations

import base64
import html
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST_SECRET = 4
"""Values shorter than this are hidden at their own place, but not looked for in text."""
SURE_LENGTH = 8
"""A shorter value is looked for as a word of its own, so that "test" does not cut "latest"."""
_LONGEST = 2_000
"""A longer value is no word that others quote, and many spellings of it would take much memory: few are looked for."""
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")
_HEX_OF_PERCENT = re.compile(r"%[0-9A-F]{2}")
_OF_GO = str.maketrans({"&": "\\u0026", "<": "\\u003c", ">": "\\u003e", "\u2028": "\\u2028", "\u2029": "\\u2029"})
"""What Go's JSON escapes besides, since a page may hold it."""
_HTML_OF_GO = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"})


@lru_cache(maxsize=512)
def spellings_of(secret: str) -> tuple[str, ...]:
    """The value as it is and as others write it; none of one that is too short to be looked for.

    >>> spellings_of("a&b"), spellings_of("a-b-c"), "a&amp;b&amp;c" in spellings_of("a&b&c")
    ((), ('a-b-c',), True)
    """
    if len(secret) < SHORTEST_SECRET:
        return ()
    raw = secret.encode("utf-8", "surrogatepass")
    if len(secret) > _LONGEST:
        written = (quote(raw, safe=""), quote(raw), json.dumps(secret)[1:-1], repr(secret)[1:-1])
        return tuple(dict.fromkeys([secret, *written, base64.b64encode(raw).decode()]))
    found = [secret]
    if not _PLAIN.fullmatch(secret):
        found += [*_in_json(secret), *_in_urls(raw), *_in_html(secret), *_quoted(secret, raw)]
    if len(secret) >= SURE_LENGTH:
        found += [*_in_base64(raw), raw.hex(), raw.hex().upper()]
    return tuple(dict.fromkeys(found))


def _in_json(secret: str) -> Iterator[str]:
    """Also JSON inside JSON, as a log of JSON holds an answer."""
    for ascii_only in (False, True):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        for text in (once, once.translate(_OF_GO)):
            yield from (text, text.replace("/", "\\/"), json.dumps(text, ensure_ascii=ascii_only)[1:-1])


def _in_urls(raw: bytes) -> Iterator[str]:
    for text in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield from (text, _HEX_OF_PERCENT.sub(lambda code: code[0].lower(), text))


def _in_html(secret: str) -> tuple[str, ...]:
    return html.escape(secret), html.escape(secret, quote=False), secret.translate(_HTML_OF_GO)


def _quoted(secret: str, raw: bytes) -> Iterator[str]:
    """By Python, a shell and YAML."""
    yield from (repr(secret)[1:-1], repr(raw)[2:-1])
    yield from (secret.replace("'", written) for written in ("'\"'\"'", "'\\''", "''"))


def _in_base64(raw: bytes) -> Iterator[str]:
    """Whole, and inside of a longer text such as ``user:value``: what does not depend on the characters beside it."""
    yield base64.b64encode(raw).decode()
    for before in range(3):
        text = base64.b64encode(bytes(before) + raw).decode()
        inside = text[(0, 2, 3)[before] : len(text) - (0, 3, 2)[(before + len(raw)) % 3]]
        yield from (inside, inside.replace("+", "-").replace("/", "_"))
