"""The one way to ask a registry or a hub from here: GET, over HTTP and HTTPS only, and never with a login.

The standard library's, because what a library for HTTP adds is what must not happen here: logins from a ``.netrc``,
cookies, and credentials that follow a redirect to another host.
"""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.request
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

UNKNOWN = (
    *(OSError, http.client.HTTPException, ValueError, LookupError, TypeError),
    *(ArithmeticError, AttributeError, RecursionError),
)
"""What asking raises where there is no answer, or reading where the answer is another than expected."""
LONGEST_BYTES = 16 << 20
"""Of an answer that is read as a whole."""


class Deadline:
    """Ends the connections of one request: a timeout counts from byte to byte, and a byte now and then is no answer."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._sockets: list[socket.socket] = []
        self._over = False

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._over:
            raise TimeoutError(f"the answer took longer than {self._seconds:g} s")

    def watch(self, connection: socket.socket) -> None:
        """End this connection as well."""
        self._sockets.append(connection)
        if self._over:
            self._end()

    def _end(self) -> None:
        self._over = True
        for connection in self._sockets:
            with suppress(OSError):
                # Of the socket itself: TLS would wait for a word of the other side.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Connecting(urllib.request.AbstractHTTPHandler):
    """Shows every connection that it makes to ``watch``."""

    def __init__(self, watch: Callable[[socket.socket], None]) -> None:
        super().__init__()

        class Plain(http.client.HTTPConnection):
            def connect(self) -> None:
                super().connect()
                watch(self.sock)

        class Secure(http.client.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                watch(self.sock)

        self._plain, self._secure = Plain, Secure

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(self._plain, request)

    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(self._secure, request)

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_


def may_follow(old: str, new: str) -> bool:
    """Whether a redirect leads neither out of TLS nor further inside: to a private network, to this machine."""
    before, after = urlsplit(old), urlsplit(new)
    if (before.scheme, after.scheme) == ("https", "http"):
        return False
    return max(_depths(after.hostname)) <= min(_depths(before.hostname))


def _depths(host: str | None) -> list[int]:
    """How far inside each address of a host is, from 0, the public internet; 0 where a proxy alone knows the name."""
    try:
        texts = {str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(host or "", None)}
    except (OSError, UnicodeError):
        return [0]
    addresses = [ip_address(text) for text in texts]
    plain = [getattr(address, "ipv4_mapped", None) or address for address in addresses]
    return [max(not ip.is_global, 2 * (ip.is_loopback or ip.is_unspecified), 3 * ip.is_link_local) for ip in plain]


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: urllib.request.Request, *arguments: Any) -> urllib.request.Request | None:
        return super().redirect_request(req, *arguments) if may_follow(req.full_url, arguments[-1]) else None


def opened(
    url: str,
    *,
    seconds: float,
    watch: Callable[[socket.socket], None] = lambda _: None,
    redirects: bool = True,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """An answer, where a redirect leads if it `may_follow`; proxies as the environment says.

    ``seconds`` is how long a byte may take, ``watch`` is shown every connection.

    Raises:
        urllib.error.HTTPError: the server refused.
        OSError, http.client.HTTPException: there was no answer.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        *(urllib.request.ProxyHandler(), _Connecting(watch)),
        *((_Redirects(),) if redirects else ()),
        urllib.request.HTTPErrorProcessor(),
        *(urllib.request.HTTPDefaultErrorHandler(), urllib.request.UnknownHandler()),
    ):
        opener.add_handler(handler)
    request = urllib.request.Request(url, headers={"User-Agent": "kubeai-notebook", **(headers or {})})  # noqa: S310  (see above)
    return opener.open(request, timeout=seconds)


def read(url: str, *, seconds: float, **options: Any) -> bytes:
    """A whole answer within so many seconds, as far as ``LONGEST_BYTES``; options and errors are those of `opened`."""
    with Deadline(seconds) as deadline, opened(url, seconds=seconds, watch=deadline.watch, **options) as answer:
        return bytes(answer.read(LONGEST_BYTES))


def without_login(address: str) -> str:
    """An address without user and password, which whatever cannot read it would quote."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
