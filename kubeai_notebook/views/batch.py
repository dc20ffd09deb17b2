"""A batch in a cell: one display, renewed four times a second, whether its cell waits for it or not."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from IPython import get_ipython
from IPython.display import display

from kubeai_notebook.present.batch_report import batch_bundle, batch_line
from kubeai_notebook.text import plain

if TYPE_CHECKING:
    from kubeai_notebook.calls.job import Job

FRAME_SECONDS = 0.25
SILENT_SECONDS = 0.5
"""A batch that is over by then shows its end only."""
_ERASED = "\r\x1b[K"


def follow(job: Job) -> None:
    """Show it, and return when it is over."""
    job.wait(SILENT_SECONDS)
    if getattr(get_ipython(), "kernel", None) is None:
        _follow_in_terminal(job)
        return
    handle = display(dict(batch_bundle(job.progress)), raw=True, display_id=True)
    try:
        while not job.wait(FRAME_SECONDS):
            _renew(handle, job)
    except KeyboardInterrupt:
        # What is shown last is what is saved: so the end is shown, and not that it stops.
        job.stop()
        while not job.wait(FRAME_SECONDS):
            pass
    _renew(handle, job)


def show(job: Job) -> None:
    """Show it, now and as it goes on."""
    if getattr(get_ipython(), "kernel", None) is None or job.done:
        display(dict(batch_bundle(job.progress)), raw=True)
        return
    handle = display(dict(batch_bundle(job.progress)), raw=True, display_id=True)

    def renew() -> None:
        while not job.wait(FRAME_SECONDS):
            _renew(handle, job)
        _renew(handle, job)

    threading.Thread(target=renew, name="kubeai-batch-display", daemon=True).start()


def _renew(handle: object, job: Job) -> None:
    if handle is not None:
        handle.update(dict(batch_bundle(job.progress)), raw=True)  # type: ignore[attr-defined]  # a DisplayHandle


def _follow_in_terminal(job: Job) -> None:
    """One line on stderr that is written over; into a file, its end only."""
    renews = sys.stderr.isatty()
    while not job.wait(FRAME_SECONDS):
        if renews:
            sys.stderr.write(_ERASED + plain(batch_line(job.progress)))
            sys.stderr.flush()
    sys.stderr.write((_ERASED if renews else "") + plain(batch_line(job.progress)) + "\n")
