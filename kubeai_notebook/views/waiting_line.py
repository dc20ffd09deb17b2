"""What a call waits for, as an output of its cell: plain text, so that a saved notebook and nbconvert have it too."""

from __future__ import annotations

import sys
import time
from functools import lru_cache
from typing import TYPE_CHECKING

from IPython import get_ipython
from IPython.display import display

from kubeai_notebook.session.waiting_line import StreamLine
from kubeai_notebook.views.beside import kernel_listens

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

    from kubeai_notebook.session.waiting_line import Line

PAUSE_SECONDS = 1.0
"""Between two that differ in the time only."""


def line(name: str = "") -> Line:
    """The one of this name in the cell's output, or one on stderr where no kernel shows one.

    So a cell that asks a Model for each row of a table has one line in the end, not one for each row.
    """
    if not kernel_listens():
        return StreamLine(sys.stderr)
    request = get_ipython().kernel.get_parent().get("header", {}).get("msg_id", "")
    return _line_of(request, name) if request and name else DisplayLine()


@lru_cache(maxsize=100)  # names that a cell asks by turns; those of cells before go
def _line_of(request: str, name: str) -> DisplayLine:
    del request, name
    return DisplayLine()


class DisplayLine:
    """One output that is renewed, and stays small in the end: how long it was waited."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None
        self._shown_seconds = 0.0

    def put(self, text: str, *, is_news: bool) -> None:
        """Show this in place of what was shown."""
        if is_news or time.monotonic() - self._shown_seconds >= PAUSE_SECONDS:
            self.end(text)

    def end(self, text: str) -> None:
        """Show this for the last time."""
        bundle = {"text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
        self._shown_seconds = time.monotonic()
