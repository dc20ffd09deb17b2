"""One output that is updated while its cell runs; in a terminal, which cannot update, what is new is written below.

For what stays small, such as a Model's card; `views.answer` is for a text that grows. Updates become rarer as they grow
or take longer: a second costs `CHARACTERS_PER_SECOND` at most.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from IPython import get_ipython
from IPython.display import display

from kubeai_notebook.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FRAME_SECONDS = 0.05  # at most 20 display updates a second: more are dropped by the Jupyter server
PAUSE_PER_UPDATE = 10  # so what takes long to render costs a tenth of the time at most
CHARACTERS_PER_SECOND = 100_000  # a page of text still moves ten times a second


def can_update() -> bool:
    """Whether what is shown can be replaced: in a kernel, unlike in a terminal."""
    return getattr(get_ipython(), "kernel", None) is not None


def write(text: str) -> None:
    """Write to the cell's output, or to the terminal: the one way for text that is shown as it comes."""
    sys.stdout.write(plain(text))
    sys.stdout.flush()


class Updated:
    """One display of what ``make`` gives at each `update`, which is for the thread that runs the cell."""

    def __init__(self, make: Callable[[], Mapping[str, str]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._make, self._clock = make, clock
        self._handle = display(dict(make()), raw=True, display_id=True)
        self._shown_seconds, self._pause_seconds = clock(), FRAME_SECONDS

    def update(self) -> None:
        """Show what there is now in place of what was shown."""
        begun = self._clock()
        bundle = dict(self._make())
        if self._handle is not None:
            self._handle.update(bundle, raw=True)
        self._shown_seconds = self._clock()
        self._pause_seconds = max(
            FRAME_SECONDS,
            PAUSE_PER_UPDATE * (self._shown_seconds - begun),
            sum(map(len, bundle.values())) / CHARACTERS_PER_SECOND,
        )

    @property
    def due(self) -> bool:
        """Whether the last update is long enough ago."""
        return self._clock() - self._shown_seconds >= self._pause_seconds
