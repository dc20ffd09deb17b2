"""An answer that grows in a cell: each word is sent once while it comes, and the whole once at its end.

Jupyter can replace an output, but it cannot add to one. A text that is replaced as it grows sends bytes as the square
of its length (530 MB for an answer of 20,000 tokens), so it was shown ever more rarely. What can be added to does not
serve either: stream output cannot become Markdown at the end without clearing what else the cell has shown, and an
output for each paragraph leaves the answer in pieces in the saved notebook. A widget is told what is new; in the end
its output becomes the Markdown that a saved notebook keeps. Where no widget is drawn, as by nbconvert, that is all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.display import display

from kubeai_notebook.errors import LocalError
from kubeai_notebook.text import LONGEST, plain

from .static_files import BuiltWidget

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNTED_FROM = 100
"""Pieces, of which most engines send one a token. A shorter answer ends before anybody thinks of stopping it."""


class AnswerWidget(BuiltWidget):
    """Draws the pieces of an answer as they come; what it draws is kept nowhere."""

    built = "answer"


class AnswerOutput:
    """One output of the cell; ``waiting`` stands there where no widget is drawn, until `end`.

    Unless it is ``bounded`` by a number of tokens, a long one says below how long it is by now, and what stops it: on a
    laptop it may go on for many minutes, until the context is full.
    """

    def __init__(self, waiting: str, *, bounded: bool = False) -> None:
        self._widget = _widget()
        self._bounded, self._pieces = bounded, 0
        self._messages, self._room = 0, LONGEST
        data, metadata = (self._widget and self._widget._repr_mimebundle_()) or ({}, {})
        shown = {**data, "text/plain": plain(waiting)}
        self._handle: Any = display(shown, metadata=metadata, raw=True, display_id=True)

    def add(self, *pieces: str) -> None:
        """Show these behind what is shown; not beyond what the whole may have."""
        text = "".join(pieces)[: self._room]
        self._pieces += len(pieces)
        if text and self._widget is not None:
            self._room -= len(text)
            note = {} if self._bounded or self._pieces < COUNTED_FROM else {"note": self._note}
            self._widget.send({"seq": self._messages, "append": plain(text), **note})
            self._messages += 1

    @property
    def _note(self) -> str:
        return f"About {self._pieces // 50 * 50:,} pieces so far; ■ stops it and keeps them."

    def end(self, bundle: Mapping[str, str]) -> None:
        """Show the whole answer in its place."""
        if self._handle is not None:
            self._handle.update(dict(bundle), raw=True)
        if self._widget is not None:
            self._widget.close()
            self._widget = None


def _widget() -> AnswerWidget | None:
    """One that draws; none in a checkout that was never built, whose answers come whole."""
    try:
        return AnswerWidget()
    except LocalError:
        return None
