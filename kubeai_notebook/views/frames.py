"""Pieces that come fast, sent together at most once a frame: Jupyter's server drops messages that come faster.

The first piece goes at once, and what came too soon after the last message goes with the next frame, also where nothing
follows it: a timer sends it. It ends with its frame, so no thread waits beside a stream that rests. Where the process
ends, what still waits is sent then, and nothing after it: the kernel closes its sockets next.
"""

from __future__ import annotations

import atexit
import math
import threading
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable

FRAME_SECONDS = 0.05
"""At most 20 messages a second; each costs some 600 bytes whatever it holds."""
Piece = TypeVar("Piece")


class Frames(Generic[Piece]):
    """Gives ``send`` all pieces that have come since the last frame, in any thread, one call at a time."""

    def __init__(
        self,
        send: Callable[[list[Piece]], None],
        *,
        seconds: float = FRAME_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        timer: Callable[[float, Callable[[], None]], threading.Timer] = threading.Timer,
    ) -> None:
        self._send_all, self._seconds, self._clock, self._timer = send, seconds, clock, timer
        self._lock = threading.Lock()
        self._next_frame: threading.Timer | None = None
        self._new: list[Piece] = []
        self._sent_seconds, self._is_over = -math.inf, False
        _open.add(self)

    def add(self, piece: Piece) -> None:
        """Send this at once, or with the next frame; after the `end` not at all."""
        with self._lock:
            if self._is_over:
                return
            self._new.append(piece)
            pause_seconds = self._sent_seconds + self._seconds - self._clock()
            if self._next_frame is None and pause_seconds > 0:
                self._next_frame = self._timer(pause_seconds, self._show_next_frame)
                self._next_frame.start()
            elif self._next_frame is None:
                self._send()

    def _show_next_frame(self) -> None:
        with self._lock:
            self._next_frame = None
            if not self._is_over:
                self._send()

    def _send(self) -> None:
        new, self._new, self._sent_seconds = self._new, [], self._clock()
        self._send_all(new)

    def end(self) -> list[Piece]:
        """Send no more; returns what was not sent yet."""
        with self._lock:
            timer, self._is_over = self._next_frame, True
            rest, self._new = self._new, []
        if timer is not None:
            timer.cancel()
            timer.join()
        return rest

    def finish(self) -> None:
        """Send what waits now, and nothing after it."""
        if rest := self.end():
            self._send_all(rest)


_open: WeakSet[Frames[Any]] = WeakSet()


@atexit.register
def _finish_all() -> None:
    for frames in tuple(_open):
        frames.finish()
