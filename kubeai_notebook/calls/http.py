"""The HTTP client under an OpenAI client: the credentials, certificates and proxies of one Access.

No redirect is followed. An engine's answer may name any host, and whoever follows carries the prompt there;
the HTTP library even has its hooks sign the second request like the first. So a login is put on by the
transport, below the library's redirects and retries, and only on what goes to the Access's own address.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import threading
import time
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubeai_notebook.core.foreign import MOST_ERROR_BYTES
from kubeai_notebook.errors import CallError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from kubeai_notebook.core.access import Access

MOST_BYTES = 256 << 20
BODY_SECONDS = 600.0
"""From the first byte of an answer that is no stream to its last; the gateway may hold a request before that."""
MOST_WAYS = 4
"""Addresses and certificates that connections are kept for; a server that moves more often is not waited for."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def http_client(access: Access, kind: Any = None) -> Any:
    """An ``http_client`` for ``openai.OpenAI``, whichever HTTP library that is built on (httpx, or httpx2 from 3.0).

    ``kind``: a class of its own, made of openai's.
    """
    import openai

    hooks = {"response": [_bounded]}
    return (kind or openai.DefaultHttpxClient)(event_hooks=hooks, **_options(access, Signed))


def async_http_client(
    access: Access, on_request: Callable[[Any], Awaitable[None]] | None = None, kind: Any = None
) -> Any:
    """An ``http_client`` for ``openai.AsyncOpenAI``; ``on_request`` is awaited before each request."""
    import openai

    hooks: dict[str, Any] = {"request": [on_request] if on_request else [], "response": [_bounded_async]}
    return (kind or openai.DefaultAsyncHttpxClient)(event_hooks=hooks, **_options(access, AsyncSigned))


def library() -> Any:
    """The HTTP library that this ``openai`` is built on: httpx, or httpx2 from 3.0."""
    import openai

    return import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])


def _options(access: Access, signed: Callable[[Access], Any]) -> dict[str, Any]:
    options: dict[str, Any] = {"follow_redirects": False}
    if access.own_url:
        return {**options, "transport": signed(access)}
    # A proxy of the environment is never on the way to this machine itself.
    return {**options, "trust_env": urlsplit(access.base_url).hostname not in LOOPBACK}


class _Road:
    """The way to an Access as it is at each request: where it has moved, the request goes to the new place."""

    def __init__(self, access: Access) -> None:
        self._access = access
        # Users hold clients for long, so requests come with the address that was in force when these were made.
        self._known: dict[str, None] = {}
        self._know(access)
        self._open: dict[Any, Any] = {}
        self._lock = threading.Lock()

    @property
    def asks(self) -> bool:
        """Whether somebody has to be asked for the login or the address."""
        return self._access.renewed is not None or self._access.token is not None

    def now(self) -> Access:
        """The Access in force."""
        if self._access.renewed is not None:
            self._access = self._access.renewed()
            self._know(self._access)
        return self._access

    def _know(self, access: Access) -> None:
        # A dict, which keeps the order and which threads may write to at once.
        for url in (access.base_url, access.own_url):
            self._known[str(library().URL(url)).rstrip("/")] = None

    def way(self, access: Access, make: Callable[..., Any]) -> tuple[Any, list[Any]]:
        """The connections to it, made once, and those to close.

        What is in flight to an address of old goes on; only the oldest of `MOST_WAYS` are given up.
        """
        key = (access.own_url, access.ca_file, access.client_certificate, access.verify, access.proxy)
        with self._lock:
            way = self._open.pop(key, None) or _connections(access, make)
            self._open[key] = way  # the newest stands last
            return way, [self._open.pop(old) for old in list(self._open)[:-MOST_WAYS]]

    def ways(self) -> tuple[Any, ...]:
        """All connections."""
        with self._lock:
            return tuple(self._open.values())

    def onward(self, request: Any, access: Access, token: str | None) -> Any:
        """The request as it leaves: to the Access's own address, with its login.

        Raises:
            CallError: the request is for another address, which the login is not for.
        """
        url = str(request.url)
        base = next((base for base in tuple(self._known) if url.startswith(f"{base}/")), None)
        if base is None:
            where = f"{request.url.scheme}://{request.url.host}"
            raise CallError(f"The login for {access.base_url} is not sent to {where}.", "Ask it with another client.")
        onward = library().URL(access.own_url + url[len(base) :])
        left_out = (b"authorization", b"host")
        headers = [(name, value) for name, value in request.headers.raw if name.lower() not in left_out]
        headers.insert(0, (b"Host", onward.netloc))
        if token:
            headers.append((b"Authorization", token.encode("ascii")))
        named = {"sni_hostname": access.server_name} if access.server_name else {}
        options = {"headers": headers, "stream": request.stream, "extensions": {**request.extensions, **named}}
        return library().Request(request.method, onward, **options)


class Signed:
    """A transport that puts the login on; it has the methods that httpx asks of one."""

    def __init__(self, access: Access) -> None:
        self._road = _Road(access)

    def handle_request(self, request: Any) -> Any:
        """Send it."""
        access = self._road.now()
        # A token is asked for anew, since it may have been renewed.
        signed = self._road.onward(request, access, access.token() if access.token else None)
        way, over = self._road.way(access, library().HTTPTransport)
        for old in over:
            old.close()
        return way.handle_request(signed)

    def close(self) -> None:
        """End all connections."""
        for way in self._road.ways():
            way.close()

    def __enter__(self) -> Signed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncSigned:
    """The same for ``await``."""

    def __init__(self, access: Access) -> None:
        self._road = _Road(access)

    async def handle_async_request(self, request: Any) -> Any:
        """Send it."""
        # An exec plugin may take seconds, a disk may be slow.
        access, token = await asyncio.to_thread(self._login) if self._road.asks else self._login()
        signed = self._road.onward(request, access, token)
        way, over = self._road.way(access, library().AsyncHTTPTransport)
        for old in over:
            await old.aclose()
        return await way.handle_async_request(signed)

    def _login(self) -> tuple[Access, str | None]:
        access = self._road.now()
        return access, access.token() if access.token else None

    async def aclose(self) -> None:
        """End all connections."""
        for way in self._road.ways():
            await way.aclose()

    async def __aenter__(self) -> AsyncSigned:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Bound:
    """How much of one answer is taken, and for how long: an error is cut, of any other answer nothing is believed."""

    def __init__(self, response: Any, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._is_error = not response.is_success
        self._left = MOST_ERROR_BYTES if self._is_error else MOST_BYTES
        # A stream goes on as long as the engine has something to say; its reader bounds each event.
        streams = response.headers.get("content-type", "").startswith("text/event-stream")
        self._until = math.inf if streams else clock() + BODY_SECONDS

    def lets_go_on(self, piece: bytes) -> bool:
        """Whether there may be more behind this piece.

        Raises:
            CallError: there is too much of it, or it does not end.
        """
        self._left -= len(piece)
        if self._left >= 0 and self._clock() < self._until:
            return True
        if self._is_error:
            return False
        why = f"is longer than {MOST_BYTES >> 20} MiB" if self._left < 0 else f"does not end within {BODY_SECONDS:g} s"
        raise CallError(f"An answer of the gateway {why}.", "Ask for less at once; the Model's log may say why.")


def _bounded(response: Any) -> None:
    response.stream = _beginning(library())(response.stream, Bound(response))


async def _bounded_async(response: Any) -> None:
    _bounded(response)


@cache
def _beginning(http: Any) -> Any:
    """The class of a body that is read as far as its Bound lets it, made of this library's own."""

    class Beginning(http.SyncByteStream, http.AsyncByteStream):  # type: ignore[misc]  # the library is known at run time only
        def __init__(self, whole: Any, bound: Bound) -> None:
            self._whole, self._bound = whole, bound

        def __iter__(self) -> Iterator[bytes]:
            for piece in self._whole:
                yield piece
                if not self._bound.lets_go_on(piece):
                    return

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in self._whole:
                yield piece
                if not self._bound.lets_go_on(piece):
                    return

        def close(self) -> None:
            self._whole.close()

        async def aclose(self) -> None:
            await self._whole.aclose()

    return Beginning


def _connections(access: Access, make: Callable[..., Any]) -> Any:
    tls = tls_of(access) if access.own_url.startswith("https:") else True
    limits = library().Limits(max_connections=1000, max_keepalive_connections=100)
    return make(verify=tls, trust_env=False, proxy=access.proxy, limits=limits)


def tls_of(access: Access) -> ssl.SSLContext:
    """Whom an Access trusts, and by which certificate it is known."""
    context = ssl.create_default_context(cafile=access.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as Python 3.13 does by itself, and Go always
    # Python 3.13 asks of a certificate what many clusters' own authorities leave out.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", ssl.VerifyFlags(0))
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.client_certificate:
        context.load_cert_chain(*access.client_certificate)
    return context
