"""Bodies and addresses that somebody between here and the other side may have written, in a few words.

A wifi portal, a login page, a proxy or a load balancer answers in place of an API or an engine. Its web page is
named by its title, and an address by its origin alone: path and query may hold a login.
"""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

from kubeai_notebook.text import one_line, plain

from .masking import masked

MOST_ERROR_BYTES = 64 << 10
"""As much of an error's body as is read."""
SHOWN_CHARACTERS = 2_000
_SHORT, _TITLE = 200, 80
_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,1000}?-->\s*)?"
    rb"<(?:!doctype\s+html|html|head|body|title|center|meta|script|style|div|h1|p)\b",
    re.IGNORECASE | re.DOTALL,
)
_TITLE_OF = re.compile(r"<(title|h1|h2)\b[^>]{0,200}>(.{0,1000}?)</\1", re.IGNORECASE | re.DOTALL)
_MESSAGE_OF = re.compile(r"<message>(.{0,1000}?)</message", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]{0,1000}>?")


def is_page(data: bytes) -> bool:
    """Whether this is a web page."""
    return _PAGE.match(data) is not None


def page_of(data: bytes) -> str:
    """A web page by its title, or by its first heading.

    >>> page_of(b"<html><title>Hotel &amp; Bar</title>")
    'the web page "Hotel & Bar"'
    """
    title = _TITLE_OF.search(data[:MOST_ERROR_BYTES].decode(errors="replace"))
    words = markup_words(title[2], _TITLE) if title else ""
    return f'the web page "{words}"' if words else "a web page"


def markup_words(text: str, limit: int = _SHORT) -> str:
    """The words between tags; of an error in XML, as object stores send it, its message.

    >>> markup_words("<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>")
    'Access Denied.'
    """
    message = _MESSAGE_OF.search(text)
    words = html.unescape(_TAG.sub(" ", message[1] if message else text))
    return one_line(masked(words, limit=4 * limit), limit)


def described(data: bytes) -> str:
    """Describe a body that is not JSON.

    >>> described(b" ")
    'nothing'
    """
    if not data.strip():
        return "nothing"
    return page_of(data) if is_page(data) else "no JSON"


def words_of(data: bytes) -> str:
    """The words of a body without a known shape; ``""`` where it holds none that can be shown."""
    if is_page(data):
        return page_of(data)
    text = data[:MOST_ERROR_BYTES].decode(errors="replace").strip()
    if not text or "\x00" in text or text.startswith(("{", "[")):
        return ""
    return one_line(masked(text, limit=4 * _SHORT), _SHORT)


def shown(text: Any) -> str:
    """Somebody else's words, fit for a sentence of ours: without secrets, control characters or length."""
    return plain(masked(str(text or ""), limit=SHOWN_CHARACTERS), SHOWN_CHARACTERS)


def origin_of(url: str | None) -> str:
    """Scheme and host of an address, without what may be secret in it.

    >>> origin_of("https://me:secret@sso.example/login?token=secret")
    'https://sso.example'
    """
    try:
        parts = urlsplit(url or "")
        host, port = parts.hostname, parts.port
    except ValueError:
        return "an address that cannot be read"
    named = f"[{host}]" if ":" in (host or "") else host
    where = f"{named}:{port}" if port else named
    return plain(f"{parts.scheme or 'http'}://{where}", _SHORT) if host else "another path of its own"
