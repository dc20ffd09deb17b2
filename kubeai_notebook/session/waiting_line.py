"""The line that says what somebody waits for: on stderr here; `views.waiting_line` has it as an output of a cell.

An answer goes to stdout or into a variable, so stderr is where a script's user looks and its pipes do not. A terminal
renews the line and loses it when the answer comes; a log gets a line for each change.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from kubeai_notebook.present.card import waiting_line
from kubeai_notebook.present.stake import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from kubeai_notebook.core.view import View

UNSEEN_SECONDS = 0.3
"""What is ready sooner was hardly waited for."""
ANSWERING_SECONDS = 10.0
"""What is answered sooner needs no word meanwhile."""
RENEWED_SECONDS = 1.0
_ERASED = "\r\x1b[2K"


class Line(Protocol):
    """A line that is renewed while somebody waits."""

    def put(self, text: str, *, is_news: bool) -> None:
        """Say this now; ``is_news``: not only the time is another."""

    def end(self, text: str) -> None:
        """The wait is over: say this, or nothing more."""


class StreamLine:
    """The line on a terminal, which renews it, or in a log, which gets a line for each change."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._renews = stream, stream.isatty()

    def put(self, text: str, *, is_news: bool) -> None:
        """Say this now; ``is_news``: not only the time is another."""
        if self._renews:
            self._write(_ERASED + text[: shutil.get_terminal_size().columns - 1])
        elif is_news:
            self._write(f"{text}\n")

    def end(self, text: str) -> None:
        """The wait is over; what a log has told stays."""
        del text
        if self._renews:
            self._write(_ERASED)

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads it any more: that is no reason to break off a call
            self._stream.write(text)
            self._stream.flush()


@contextmanager
def waiting_shown(
    name: str, new_line: Callable[[], Line], *, shown: bool, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[View], None]]:
    """Give what shows each View while this lasts; silent in other threads, whose lines would overwrite each other."""
    if not shown or not _is_seen():
        yield lambda _view: None
        return
    line, begun, last, last_text = None, clock(), None, ""

    def show(view: View) -> None:
        nonlocal line, last, last_text
        waited = clock() - begun
        if waited < UNSEEN_SECONDS:
            return
        line = line or new_line()
        text = waiting_line(view, waited)
        now = (view.status.phase, view.link.state, tuple(finding.code for finding in view.settled_findings))
        if text != last_text:
            line.put(text, is_news=now != last)
        last, last_text = now, text

    try:
        yield show
    finally:
        if line is not None:
            line.end(f"{name}: waited {clock() - begun:.0f} s.")


@contextmanager
def answering_shown(
    name: str,
    new_line: Callable[[], Line],
    tokens: Callable[[], int],
    *,
    shown: bool,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Callable[[], None]]:
    """Give what is called for each piece that comes, and says how many there are once that takes long.

    How many tokens a piece has is the engine's to choose, so in the end its own count stands there: ``tokens``, 0 where
    it has none. Silent in other threads, as `waiting_shown`.
    """
    if not shown or not _is_seen():
        yield lambda: None
        return
    line, begun, pieces = None, clock(), 0
    next_seconds = begun + ANSWERING_SECONDS

    def show() -> None:
        nonlocal line, pieces, next_seconds
        pieces += 1
        if (now := clock()) >= next_seconds:
            line, next_seconds = line or new_line(), now + RENEWED_SECONDS
            line.put(f"… {name} is still answering, {counted(pieces, 'piece')} so far", is_news=False)

    try:
        yield show
    finally:
        if line is not None:
            count = tokens()
            length = counted(count, "token") if count else counted(pieces, "piece")
            line.end(f"{name}: {length} in {clock() - begun:.0f} s.")


def _is_seen() -> bool:
    """Whether lines of this thread are: those of several would overwrite each other."""
    return sys.stderr is not None and threading.current_thread() is threading.main_thread()
