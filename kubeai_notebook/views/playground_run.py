"""An answer of a playground that is coming, and what a page was sent of one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeai_notebook.core.chat_messages import Reply
from kubeai_notebook.text import LONGEST

if TYPE_CHECKING:
    from kubeai_notebook.calls.stream import ChatStream

Place = tuple[int, int]
"""The numbers of an exchange and of a column."""


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
