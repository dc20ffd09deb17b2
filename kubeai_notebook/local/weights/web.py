"""The one way to ask a registry or a hub from here: GET, over HTTP and HTTPS only, and never with a login.

The standard library's, because what a library for HTTP adds is what must not happen here: logins from a ``.netrc``,
cookies, and credentials that follow a redirect to another host.
"""

from __future__ import annotations

import http.client
import urllib.request
from typing import Any
from urllib.parse import urlsplit

UNKNOWN = (
    *(OSError, http.client.HTTPException, ValueError, LookupError, TypeError),
    *(ArithmeticError, AttributeError, RecursionError),
)
"""What asking raises where there is no answer, or reading where the answer is another than expected."""
LONGEST_BYTES = 16 << 20
"""Of an answer that is read as a whole."""


def opened(url: str, *, seconds: float, **headers: str) -> Any:
    """An answer, wherever a redirect leads; proxies as the environment says.

    Raises:
        urllib.error.HTTPError: the server refused.
        OSError, http.client.HTTPException: there was no answer.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        *(urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()),
        *(urllib.request.HTTPRedirectHandler(), urllib.request.HTTPErrorProcessor()),
        *(urllib.request.HTTPDefaultErrorHandler(), urllib.request.UnknownHandler()),
    ):
        opener.add_handler(handler)
    request = urllib.request.Request(url, headers={"User-Agent": "kubeai-notebook", **headers})  # noqa: S310  (see above)
    return opener.open(request, timeout=seconds)


def read(url: str, *, seconds: float, **headers: str) -> bytes:
    """A whole answer, as far as ``LONGEST_BYTES``; raises what `opened` does."""
    with opened(url, seconds=seconds, **headers) as answer:
        return bytes(answer.read(LONGEST_BYTES))


def without_login(address: str) -> str:
    """An address without user and password, which whatever cannot read it would quote."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
