"""A batch in a cell: one display, renewed four times a second, whether its cell waits for it or not."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from IPython import get_ipython
from IPython.display import display

from kubeai_notebook.present.batch_report import batch_bundle
from kubeai_notebook.session.presenter import BATCH_FRAME_SECONDS, TextFace

if TYPE_CHECKING:
    from kubeai_notebook.calls.job import Job

SILENT_SECONDS = 0.5
"""A batch that is over by then shows its end only."""


def follow(job: Job) -> None:
    """Show it, and return when it is over."""
    job.wait(SILENT_SECONDS)
    if getattr(get_ipython(), "kernel", None) is None:
        TextFace().follow_batch(job)
        return
    handle = display(dict(batch_bundle(job.progress)), raw=True, display_id=True)
    try:
        while not job.wait(BATCH_FRAME_SECONDS):
            _renew(handle, job)
    except KeyboardInterrupt:
        # What is shown last is what is saved: so the end is shown, and not that it stops.
        job.stop()
        while not job.wait(BATCH_FRAME_SECONDS):
            pass
    _renew(handle, job)


def show(job: Job) -> None:
    """Show it, now and as it goes on."""
    if getattr(get_ipython(), "kernel", None) is None or job.done:
        display(dict(batch_bundle(job.progress)), raw=True)
        return
    handle = display(dict(batch_bundle(job.progress)), raw=True, display_id=True)

    def renew() -> None:
        while not job.wait(BATCH_FRAME_SECONDS):
            _renew(handle, job)
        _renew(handle, job)

    threading.Thread(target=renew, name="kubeai-batch-display", daemon=True).start()


def _renew(handle: object, job: Job) -> None:
    if handle is not None:
        handle.update(dict(batch_bundle(job.progress)), raw=True)  # type: ignore[attr-defined]  # a DisplayHandle
