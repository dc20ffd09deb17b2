"""An answer of a playground that is coming, what a page was sent of one, and how a dialogue is kept meanwhile."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeai_notebook.core.chat_messages import Reply
from kubeai_notebook.text import LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.calls.stream import ChatStream

Place = tuple[int, int]
"""The numbers of an exchange and of a column."""

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Sent:
    """What a page was sent of one answer."""

    texts: list[str] = field(default_factory=list)
    reasonings: list[str] = field(default_factory=list)
    pieces: int = 0
    room: int = LONGEST
    """Characters that may still be shown."""


class AnswerRun:
    """An answer that is coming."""

    def __init__(self, place: Place, *, begun_seconds: float, allowed: bool | None) -> None:
        self.place, self.begun_seconds = place, begun_seconds
        self.allowed = allowed
        """Whether the functions that the answer asks for may be called; None where it asks for none."""
        self.stopped = threading.Event()
        self.deltas: ChatStream | None = None
        self.note = ""
        self.known: frozenset[str] = frozenset()
        """The codes of the Findings of its Model when it was asked."""
        self.pieces, self.first_seconds, self.kept_seconds = 0, 0.0, begun_seconds

    def stop(self) -> None:
        """End it, whatever it waits for."""
        self.stopped.set()
        if self.deltas is not None:
            self.deltas.close()

    @property
    def reply(self) -> Reply:
        """What has come."""
        return Reply() if self.deltas is None else self.deltas.reply


class Keeping:
    """Keeps the newest of a dialogue in a thread of its own: another kernel may have the file locked for seconds."""

    def __init__(self, keep: Callable[[], str], tell: Callable[[str], None]) -> None:
        """``keep`` keeps what there is now and says why it could not; ``tell`` hears this each time."""
        self._keep, self._tell = keep, tell
        self._lock = threading.Lock()
        self._wanted = self._under_way = False

    def soon(self) -> None:
        """Keep what there is now, or what is newer by then."""
        with self._lock:
            self._wanted = True
            if self._under_way:
                return
            self._under_way = True
        with suppress(RuntimeError):  # the kernel ends, and starts no thread any more
            # No daemon: a kernel that ends waits until the last of it is kept.
            threading.Thread(target=self._run, name="kubeai-keep").start()

    def _run(self) -> None:
        while self._is_wanted():
            try:
                problem = self._keep()
            except Exception as error:  # the thread's outermost frame: whoever reads the dialogue is told
                _logger.exception("A dialogue could not be kept.")
                problem = f"This dialogue is not kept for the next kernel, by a mistake ({type(error).__name__})."
            self._tell(problem)

    def _is_wanted(self) -> bool:
        with self._lock:
            self._under_way, self._wanted = self._wanted, False
            return self._under_way
