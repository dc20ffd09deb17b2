"""A port's door: who comes in, how many at once, and how long somebody may stay without asking for anything.

Everybody on the machine can connect to a port on loopback, so connections are bounded before anything is read of
them: asyncio's own server takes whatever comes, fills the log with a stack for each connection once descriptors run
out, and knows of a TLS connection only after its handshake. Here each connection has a place of its port from the
moment it is accepted, other users together have a few places only, and a guest who asks nothing is sent away. What is
being answered (a watch, a stream, a request that waits for a Model) is never ended, and who is still reading an answer
stays as long as that takes.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.log import server_logger

from .peers import EXHAUSTED, KNOWN, is_ours

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # else a kernel's cell would show what nobody set up to be shown

FOREIGN_PLACES = 32
"""Of other users, on all ports together."""
MOST_PLACES = 1024
"""In TLS a connection costs about 300 kB."""
_RESERVED = 160
"""Descriptors that no connection gets: files, pipes to engines and connections to them take some too."""
_SAID_SECONDS = 60.0
_OWNER_TRIES = 3
_PAUSE_SECONDS = 0.2
_PAGES = ("cross-site", "same-site")
_HUNG_UP = 499
"""As nginx has it; nobody is there to read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """How long a guest may take."""

    head_seconds: float = 10.0
    """For a TLS handshake, and for a request's head once its first byte (or the connection) is there."""
    idle_seconds: float = 75.0
    """For the next request of a connection, or to read on of the last answer."""
    hang_up_seconds: float = 5.0
    """For what is written still to arrive when a connection is ended."""


CLOCKS = Clocks()


class Places:
    """How many connections there may be: in all, through one port, and of other users."""

    def __init__(self, descriptors: int) -> None:
        self._all = max(64, min(descriptors - _RESERVED, MOST_PLACES))
        self._taken: Counter[str] = Counter()
        self._silent_until = 0.0

    def say(self, message: str, *values: object) -> None:
        """Write to the log, at most once a minute."""
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + _SAID_SECONDS
            log.warning(message, *values)

    def take(self, port: str, *, foreign: bool) -> bool:
        """Take a place; False when none is left. No port's guests can take those of the other."""
        taken = self._taken
        if foreign and taken["foreign"] >= FOREIGN_PLACES:
            # Of one that hung up meanwhile the kernel does not tell whose it was.
            message = "programs of other users, or that are gone, hold %d connections; no more are taken"
            return self._refused(message, FOREIGN_PLACES)
        if taken[port] >= self._all * 3 // 4 or taken["all"] >= self._all:
            return self._refused("%d connections are open on the %s's port; no more are taken", taken[port], port)
        taken.update(self._kinds(port, foreign=foreign))
        return True

    def give_back(self, port: str, *, foreign: bool) -> None:
        """Leave a place to others."""
        self._taken.subtract(self._kinds(port, foreign=foreign))

    def _kinds(self, port: str, *, foreign: bool) -> list[str]:
        return ["all", port, *(["foreign"] if foreign else [])]

    def _refused(self, message: str, *values: object) -> bool:
        self.say(message, *values)
        return False


class Guest(asyncio.Protocol):
    """One connection: aiohttp's protocol, and a clock that ends it unless a request is being answered."""

    def __init__(self, answering: asyncio.Protocol, *, ours: bool, clocks: Clocks) -> None:
        self.ours = ours
        self._clocks = clocks
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answering = answering
        self._transport: asyncio.Transport | None = None
        self._busy = 0
        self._clock: asyncio.TimerHandle | None = None
        self._hurried = False
        self._unread = float("inf")
        """Bytes of answers that the guest's machine had not taken at the last look."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (asyncio gives nothing else for a stream)
        self._transport = transport
        self._wait(self._clocks.head_seconds)
        self._hurried = True
        self._answering.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Hand on; the first byte of a request makes the rest of its head urgent."""
        if not self._busy and not self._hurried:
            self._wait(self._clocks.head_seconds)
            self._hurried = True
        self._answering.data_received(data)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Hold while a request is being answered."""
        self._busy += 1
        self._wait(None)
        try:
            yield
        finally:
            self._busy -= 1
            self._hurried = False
            # What a handler returns is written behind it.
            self._unread = float("inf")
            self._wait(self._clocks.idle_seconds)

    def eof_received(self) -> bool | None:
        """Hand on."""
        return self._answering.eof_received()

    def pause_writing(self) -> None:
        """Hand on."""
        self._answering.pause_writing()

    def resume_writing(self) -> None:
        """Hand on."""
        self._answering.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on, and forget."""
        self._transport = None
        self._wait(None)
        if not self.gone.done():  # The daemon ends, and nobody waits any more.
            self.gone.set_result(None)
        self._answering.connection_lost(exc)

    def _wait(self, seconds: float | None) -> None:
        if self._clock:
            self._clock.cancel()
        self._clock = None
        if seconds is not None and self._transport is not None:
            self._clock = asyncio.get_running_loop().call_later(seconds, self._end)

    def _end(self) -> None:
        """Hang up, unless the guest is still reading."""
        if self._transport is None:
            return
        before, self._unread = self._unread, _unread(self._transport)
        if 0 < self._unread < before:
            self._wait(self._clocks.idle_seconds)
            return
        self._transport.close()
        self._clock = asyncio.get_running_loop().call_later(self._clocks.hang_up_seconds, self._transport.abort)


def _unread(transport: asyncio.Transport) -> int:
    """Bytes that the other end has not taken; with TLS they lie one transport below, which asyncio has no name for.

    Linux asks for more only once a third of its own buffer is free, which may be megabytes, so that is looked into;
    macOS asks as soon as there is room.
    """
    below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    here = transport.get_write_buffer_size() + (below.get_write_buffer_size() if below else 0)
    end = transport.get_extra_info("socket").fileno()
    if sys.platform != "linux" or end < 0:  # closed, and nobody was told yet
        return here
    import fcntl  # Windows has neither.
    import termios

    sent = fcntl.ioctl(end, termios.TIOCOUTQ, bytes(4))
    return here + int.from_bytes(sent, sys.byteorder)


def guest_of(request: web.Request) -> Guest | None:
    """The connection that a request came by; None when it is gone."""
    guest = request.transport.get_protocol() if request.transport else None
    return guest if isinstance(guest, Guest) else None


def from_another_site(request: web.Request) -> bool:
    """Whether a browser says that a page of another site asks."""
    return request.headers.get("Sec-Fetch-Site", "").strip().lower() in _PAGES


@web.middleware
async def answering(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Tell the connection that a request is being answered; the outermost middleware of an app behind a door.

    Who hangs up is no error, so the log gets no stack of it. A request whose guest is gone is cancelled, but what is
    written before that, while the connection closes, fails; and aiohttp logs whatever a handler raises.
    """
    guest = guest_of(request)
    if guest is not None:
        with guest.asking():
            try:
                return await handler(request)
            except ConnectionError:
                if request.transport is not None and not request.transport.is_closing():
                    raise
    return web.Response(status=_HUNG_UP)


@asynccontextmanager
async def door(
    app: web.Application,
    listening: socket.socket,
    places: Places,
    *,
    port: str,
    tls: ssl.SSLContext | None = None,
    clocks: Clocks = CLOCKS,
    logger: logging.Logger = server_logger,
) -> AsyncIterator[asyncio.Task[None]]:
    """Answer on a listening socket until left; ``port`` is what that is called. Gives the task that lets guests in.

    ``logger`` is where aiohttp says what it could not read or answer.
    """
    # With handler_cancellation a client that hangs up ends its request, and so the engine's work for it.
    options: dict[str, Any] = {"access_log": None, "auto_decompress": False, "logger": logger}
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, **options)
    await runner.setup()
    assert runner.server is not None  # noqa: S101  (it is there from setup to cleanup)
    listening.setblocking(False)
    opened = _Door(listening, runner.server, places, port=port, tls=tls, clocks=clocks)
    accepting = asyncio.create_task(opened.accept())
    try:
        yield accepting
    finally:
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        listening.close()
        await runner.cleanup()
        await opened.end()


class _Door:
    def __init__(
        self,
        listening: socket.socket,
        server: Callable[[], asyncio.Protocol],
        places: Places,
        *,
        port: str,
        tls: ssl.SSLContext | None,
        clocks: Clocks,
    ) -> None:
        self._listening = listening
        self._server = server
        self._places = places
        self._port = port
        self._tls = tls
        self._clocks = clocks
        self._coming: set[asyncio.Task[None]] = set()

    async def accept(self) -> None:
        """Let in who comes, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(self._listening)
            except ConnectionError:  # Hung up again.
                continue
            except OSError as error:
                self._places.say("no connection can be taken: %s", error)
                await asyncio.sleep(1)
                continue
            ours = await self._is_ours(peer)
            foreign = KNOWN and not ours
            if not self._places.take(self._port, foreign=foreign):
                connection.close()
                # A flood is accepted without a pause: everything else has its turn between two connections.
                await asyncio.sleep(0)
                continue
            task = asyncio.create_task(self._let_in(connection, ours=ours, foreign=foreign))
            self._coming.add(task)
            task.add_done_callback(self._coming.discard)

    async def end(self) -> None:
        """Hang up on who is left: whoever reads slowly would hold his connection until all is read."""
        for coming in self._coming:
            coming.cancel()
        await asyncio.gather(*self._coming, return_exceptions=True)

    async def _is_ours(self, peer: tuple[str, int]) -> bool:
        """Whether the owner comes; where that cannot be asked in a moment either, this connection needs the token."""
        for _ in range(_OWNER_TRIES):
            try:
                return is_ours(peer, self._listening.getsockname())
            except OSError as error:
                self._places.say("whose a connection is cannot be asked: %s", error)
                if error.errno not in EXHAUSTED:
                    break
                await asyncio.sleep(_PAUSE_SECONDS)
        return False

    async def _let_in(self, connection: socket.socket, *, ours: bool, foreign: bool) -> None:
        """Shake hands and hand over to aiohttp; the place is held until the connection is gone."""
        clocks = self._clocks
        limits = {"ssl_handshake_timeout": clocks.head_seconds, "ssl_shutdown_timeout": clocks.hang_up_seconds}
        try:
            transport, guest = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Guest(self._server(), ours=ours, clocks=clocks),
                connection,
                ssl=self._tls,
                **(limits if self._tls else {}),
            )
            try:
                await guest.gone
            finally:
                transport.abort()
        except OSError:  # No handshake, or hung up during it.
            connection.close()
        finally:
            self._places.give_back(self._port, foreign=foreign)
