"""A line that says what a call waits for: where a kernel shows outputs one of these, elsewhere a line on stderr.

An answer goes to stdout or into a variable, so stderr is where a script's user looks and its pipes do not. A terminal
renews the line and loses it when the answer comes; a log gets a line for each change.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kubeai_notebook.present.card import waiting_line

from . import presenter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeai_notebook.core.view import View

UNSEEN_SECONDS = 0.3
"""What is ready sooner was hardly waited for."""


@contextmanager
def waiting_shown(
    name: str, *, shown: bool, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[View], None]]:
    """Give what shows each View while this lasts; silent in other threads, whose lines would overwrite each other."""
    if not shown or sys.stderr is None or threading.current_thread() is not threading.main_thread():
        yield lambda _view: None
        return
    line, begun, last, last_text = None, clock(), None, ""

    def show(view: View) -> None:
        nonlocal line, last, last_text
        waited = clock() - begun
        if waited < UNSEEN_SECONDS:
            return
        line = line or presenter.face().line()
        text = waiting_line(view, waited)
        now = (view.status.phase, view.link.state, tuple(finding.code for finding in view.findings))
        if text != last_text:
            line.put(text, is_news=now != last)
        last, last_text = now, text

    try:
        yield show
    finally:
        if line is not None:
            line.end(f"{name}: waited {clock() - begun:.0f} s.")
