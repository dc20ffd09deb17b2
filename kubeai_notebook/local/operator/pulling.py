"""Tells how far a download of weights is: on one Event, updated in place, and in the Pod's log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kubeai_notebook.local.weights import megabytes

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT_SECONDS = 0.5
LOG_SHARE = 0.1


class Pulling:
    """Counts as a ``Progress``; ``note`` writes the Event, ``say`` a log line."""

    def __init__(
        self,
        url: str,
        *,
        note: Callable[[str], None],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._note = note
        self._say = say
        self._clock = clock
        self._began = clock()
        self._total: int | None = None
        self._noted = float("-inf")
        self._said_share = 0.0
        self.moved = False
        """Whether anything had to be fetched at all."""

    def begin(self) -> None:
        """Say that it starts; the size is not known yet."""
        self._note(f'Pulling weights "{self._url}"')
        self._say(f'Pulling weights "{self._url}"')

    def __call__(self, done: int, total: int | None) -> None:
        """Say how far it is: the Event at most twice a second, the log at each tenth."""
        self.moved = True
        message = f'Pulling weights "{self._url}"'
        if total:
            message += f": {megabytes(done)} of {megabytes(total)} MB"
        self._total = total
        finished = done == total
        if finished or self._clock() - self._noted >= EVENT_SECONDS:
            self._noted = self._clock()
            self._note(message)
        if total and (finished or done / total - self._said_share >= LOG_SHARE):
            self._said_share = done / total
            self._say(message)

    def end(self) -> str:
        """The sentence for the Event ``Pulled``."""
        size = f"{megabytes(self._total)} MB in " if self._total else ""
        return f'Weights "{self._url}" are here: {size}{self._clock() - self._began:.0f} s'
