"""A batch in a cell: one display, renewed four times a second, whether its cell waits for it or not.

A cell that waits is interrupted by its user; a batch that runs behind its cell has a button. The button is an output of
its own, which is emptied at the end: in a saved notebook a widget would be a box that says that its kernel has gone.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from IPython.display import display

from kubeai_notebook.present.batch_report import INTERRUPTS, batch_bundle
from kubeai_notebook.session.presenter import BATCH_FRAME_SECONDS, TextFace
from kubeai_notebook.views.beside import kernel_listens

if TYPE_CHECKING:
    from kubeai_notebook.calls.job import Job

SILENT_SECONDS = 0.5
"""A batch that is over by then shows its end only."""


def follow(job: Job) -> None:
    """Show it, and return when it is over."""
    job.wait(SILENT_SECONDS)
    if not kernel_listens():
        TextFace().follow_batch(job)
        return
    handle = display(dict(batch_bundle(job.progress, INTERRUPTS)), raw=True, display_id=True)
    try:
        while not job.wait(BATCH_FRAME_SECONDS):
            _renew(handle, job, INTERRUPTS)
    except KeyboardInterrupt:
        # What is shown last is what is saved: so the end is shown, and not that it stops.
        job.stop()
        while not job.wait(BATCH_FRAME_SECONDS):
            pass
    _renew(handle, job)


def show(job: Job) -> None:
    """Show it, now and as it goes on, with a button that stops it."""
    if not kernel_listens() or job.done:
        display(dict(batch_bundle(job.progress)), raw=True)
        return
    handle = display(dict(batch_bundle(job.progress)), raw=True, display_id=True)
    button = StopButton(job)

    def renew() -> None:
        while not job.wait(BATCH_FRAME_SECONDS):
            _renew(handle, job)
        _renew(handle, job)
        button.end()

    threading.Thread(target=renew, name="kubeai-batch-display", daemon=True).start()


class StopButton:
    """A button below a batch, for as long as that runs."""

    def __init__(self, job: Job) -> None:
        from ipywidgets import Button

        self._job = job
        self._button = Button(description="Stop", icon="stop", tooltip="End this batch; what has come is kept.")
        self._button.on_click(self._stop)
        bundle = {**self._button._repr_mimebundle_(), "text/plain": ""}
        self._handle: Any = display(bundle, raw=True, display_id=True)

    def _stop(self, _button: object) -> None:
        self._button.disabled, self._button.description = True, "Stopping …"
        self._job.stop()

    def end(self) -> None:
        """Take it away."""
        self._handle.update({"text/plain": ""}, raw=True)
        self._button.close()


def _renew(handle: Any, job: Job, hint: str = "") -> None:
    if handle is not None:
        handle.update(dict(batch_bundle(job.progress, hint)), raw=True)
