"""Connections that another thread can cut, and whose answers end in time.

A time-out of a socket bounds one wait. A server that sends a byte now and then, in its headers or its body,
is never silent for long and never done; so each read of an answer is given what is left of the whole time.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import math
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakSet

from urllib3.connection import HTTPConnection
from urllib3.exceptions import ProtocolError

from .certificates import TrustingConnection

if TYPE_CHECKING:
    from urllib3 import PoolManager


WHOLE = 4
"""How often the longest silence fits into the longest answer."""


@dataclass(slots=True)
class ReadLimits:
    """How long an answer may be silent, and until when (monotonic) it must be whole; both may change meanwhile."""

    silence_seconds: float
    until: float = math.inf

    @property
    def left_seconds(self) -> float:
        """What the next read may take. TimeoutError when the time is over."""
        left = min(self.silence_seconds, self.until - time.monotonic())
        if left <= 0:
            raise TimeoutError("the answer does not end")
        return left


class _Timed(io.RawIOBase):
    """A socket's file, each read of which asks how long it may take."""

    def __init__(self, sock: socket.socket, file: io.RawIOBase, limits: ReadLimits) -> None:
        super().__init__()
        self._socket, self._file, self._limits = sock, file, limits

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(self._limits.left_seconds)
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class Connections:
    """The connections of the pool managers that were given to `track`."""

    def __init__(self) -> None:
        self._open: WeakSet[_Abortable] = WeakSet()
        self._lock = threading.Lock()
        self._is_cut = False

    def track(self, manager: PoolManager) -> None:
        """Know every connection that this manager will make."""
        pools: dict[str, Any] = manager.pool_classes_by_scheme
        plain, secure = pools["http"], pools["https"]
        # A SOCKS proxy brings connections of its own; those end by their time-outs.
        abortable = (_Abortable,) if plain.ConnectionCls is HTTPConnection else ()
        of_plain = type("PlainConnection", (*abortable, plain.ConnectionCls), {"owner": self})
        of_secure = type("SecureConnection", (*abortable, TrustingConnection, secure.ConnectionCls), {"owner": self})
        manager.pool_classes_by_scheme = {
            "http": type("PlainPool", (plain,), {"ConnectionCls": of_plain}),
            "https": type("SecurePool", (secure,), {"ConnectionCls": of_secure}),
        }

    def cut(self) -> None:
        """End every connection at once, and each new one; who waits in one gets an error."""
        with self._lock:
            self._is_cut = True
            waiting = tuple(self._open)
        for connection in waiting:
            connection.cut()

    def add(self, connection: _Abortable) -> None:
        """Take in a connection that has just been made."""
        with self._lock:
            if self._is_cut:
                raise ProtocolError("This client is closed.")
            self._open.add(connection)


class _Abortable(HTTPConnection):
    """A connection that knows its socket from the first moment on."""

    owner: ClassVar[Connections]
    _raw: socket.socket | None = None
    _read_from: socket.socket | None = None
    limits = ReadLimits(math.inf)
    """That of the answer which is being read."""

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        # While TLS shakes hands the socket is out of reach, so a second handle on it is kept that long.
        self._raw = made.dup()
        try:
            self.owner.add(self)
        except ProtocolError:
            made.close()
            raise
        return made

    def connect(self) -> None:
        try:
            super().connect()
        finally:
            raw, self._raw = self._raw, None
            if raw is not None:
                raw.close()

    def response_class(  # type: ignore[override]  # a class there, a method here
        self, sock: socket.socket, *options: Any, **named: Any
    ) -> http.client.HTTPResponse:
        """The answer on this socket, read within its limits; http.client asks for it by this name."""
        seconds = self.timeout if isinstance(self.timeout, int | float) else math.inf
        self.limits = ReadLimits(seconds, time.monotonic() + WHOLE * seconds)
        # Where the server ends the connection after this answer, the connection forgets its socket at once.
        self._read_from = sock
        answer = http.client.HTTPResponse(sock, *options, **named)
        file: Any = answer.fp
        answer.fp = io.BufferedReader(_Timed(sock, file.detach(), self.limits))
        return answer

    def cut(self) -> None:
        """End the connection in both directions, past TLS, which would wait for the other side."""
        # Each is looked up in its turn: the first is closed only after the second is the one that TLS made.
        for name in ("_raw", "sock", "_read_from"):
            if (end := getattr(self, name)) is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(end, socket.SHUT_RDWR)
