"""A page that shows a playground, without a browser: what it was told, and when the state is such and such."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.present.playground_wire import Text
    from kubeai_notebook.session.live.subscription import Change
    from kubeai_notebook.views.playground_model import PlaygroundModel

SECONDS = 20


def add(a: int, b: int) -> int:
    """The sum of both."""
    return a + b


class Page:
    """What a page would know: the texts as it was told them, and when the state is such and such."""

    def __init__(self, playground: PlaygroundModel) -> None:
        self.playground = playground
        self.pieces: list[Text] = []
        self._news = threading.Semaphore(0)
        playground.on_change, playground.on_text = self._news.release, self._told

    def _told(self, text: Text) -> None:
        self.pieces.append(text)
        self._news.release()

    def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            assert self._news.acquire(timeout=SECONDS), self.playground.state()

    def until_over(self) -> None:
        self.until(lambda: not self.playground.state().busy)

    def until_phase(self, phase: str, *, ready: int | None = None) -> None:
        """Wait until the Session sees the Model so, with so many ready replicas."""

        def is_so(change: Change) -> bool:
            status = change.view and change.view.status
            return status is not None and status.phase == phase and ready in (None, status.ready)

        with self.playground.session.publisher.subscribe(["smol"]) as changes:
            assert changes.until(is_so, SECONDS)

    @property
    def note(self) -> str:
        """What is written below the last answer."""
        return self.playground.state().exchanges[-1].answers[0].note

    def record_notes(self) -> list[str]:
        """From now on each of them, once."""
        notes: list[str] = []
        tell = self.playground.on_change

        def told() -> None:
            if self.note and self.note not in notes:
                notes.append(self.note)
            tell()

        self.playground.on_change = told
        return notes

    def told(self, exchange: int, column: int = 0) -> str:
        return "".join(piece.text for piece in self.pieces if (piece.exchange, piece.column) == (exchange, column))


def states(page: Page) -> list[str]:
    return [answer.state for exchange in page.playground.state().exchanges for answer in exchange.answers]
