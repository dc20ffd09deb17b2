"""Connections that another thread can cut, in whatever they wait: a handshake, an answer, a silent watch."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakSet

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ProtocolError

if TYPE_CHECKING:
    from urllib3 import PoolManager


class Lines:
    """The connections of the pool managers that were given to `track`."""

    def __init__(self) -> None:
        self._open: WeakSet[_Cuttable] = WeakSet()
        self._lock = threading.Lock()
        self._is_cut = False

    def track(self, manager: PoolManager) -> None:
        """Know every connection that this manager will make."""
        pools = manager.pool_classes_by_scheme
        # A SOCKS proxy brings connections of its own; those end by their time-outs.
        if pools == {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}:
            plain = type("PlainLine", (_Cuttable,), {"lines": self})
            secure = type("SecureLine", (_Cuttable, HTTPSConnection), {"lines": self})
            manager.pool_classes_by_scheme = {
                "http": type("PlainLines", (HTTPConnectionPool,), {"ConnectionCls": plain}),
                "https": type("SecureLines", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
            }

    def cut(self) -> None:
        """End every connection at once, and each new one; who waits in one gets an error."""
        with self._lock:
            self._is_cut = True
            waiting = tuple(self._open)
        for line in waiting:
            line.cut()

    def add(self, line: _Cuttable) -> None:
        """Take in a connection that has just been made."""
        with self._lock:
            if self._is_cut:
                raise ProtocolError("This client is closed.")
            self._open.add(line)


class _Cuttable(HTTPConnection):
    """A connection that knows its socket from the first moment on."""

    lines: ClassVar[Lines]
    _raw: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        # While TLS shakes hands the socket is out of reach, so a second handle on it is kept that long.
        self._raw = made.dup()
        try:
            self.lines.add(self)
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

    def cut(self) -> None:
        """End the connection in both directions, past TLS, which would wait for the other side."""
        for end in (self._raw, self.sock):
            if end is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(end, socket.SHUT_RDWR)
