"""Job: a batch that runs, for whoever waits for it or looks at it."""

from __future__ import annotations

from concurrent.futures import TimeoutError as NotYetError
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import CallError, WaitTimeoutError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from kubeai_notebook.core.batch_progress import Progress

    from .batch import Batch, Table

LONGEST_WAIT_SECONDS = 0.25
"""A wait in pieces can be interrupted everywhere."""


class Job:
    """A batch in the background: `progress` at any time, `stop`, and `result`."""

    def __init__(self, batch: Batch, table: Table, running: Future[None]) -> None:
        self._batch, self._table, self._running = batch, table, running

    @property
    def progress(self) -> Progress:
        """How far it is at this moment."""
        return self._batch.progress

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._running.done()

    def stop(self) -> None:
        """End it: requests in flight are cancelled, answers are kept, and `result` gives the part."""
        self._batch.stop("It was stopped.")

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for its end, for so long at most; whether it has ended."""
        with suppress(NotYetError):
            self._running.exception(timeout_seconds)
        return self._running.done()

    def result(self, timeout_seconds: float | None = None) -> Any:
        """What the rows became; an interrupt, or the end of the Session, stops the batch and gives the part.

        Raises:
            WaitTimeoutError: it still runs after ``timeout_seconds``, and goes on.
            CallError: a row failed, and ``errors="raise"`` was asked for.
            UsageError: the new file could not be written.
        """
        waited = 0.0
        try:
            while not self.wait(LONGEST_WAIT_SECONDS):
                waited += LONGEST_WAIT_SECONDS
                if timeout_seconds is not None and waited >= timeout_seconds:
                    raise WaitTimeoutError(f"The batch still runs after {timeout_seconds:g} s.", "result() waits on.")
        except KeyboardInterrupt:
            self.stop()
            while not self.wait(LONGEST_WAIT_SECONDS):
                pass
        self._running.result()
        if row := self._batch.raised:
            hint = "Answers that came are kept: the same call goes on behind them. errors='column' keeps the others."
            raise CallError(f"Row {row.place} failed: {row.reason}", hint)
        return self._table.result()
