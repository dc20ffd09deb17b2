"""A widget and its snapshot, each an output of its own: the one lives with its kernel, the other stays in the file.

Both in one output would not do: JupyterLab takes the widget, and shows an error in its place when the kernel has gone.
Style sheets hide the one that is not wanted.
"""

from __future__ import annotations

import atexit
import math
import secrets
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from IPython import get_ipython
from IPython.display import display

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from IPython.display import DisplayHandle

    Show = Callable[[Mapping[str, str]], None]
    """Shows a snapshot, by its MIME types."""

_STILL = {"text/plain", "text/html"}
KEPT_SNAPSHOTS = 8
"""A widget is shown again by each cell that names it, and a cell that runs again throws its old output away."""
SNAPSHOT_SECONDS = 1.0
"""A snapshot lies hidden while its widget lives, so a burst of changes is one message."""


class Snapshots:
    """What shows how a widget was: outputs of the last few cells, and widgets that hold it and have snapshots.

    The last change reaches each, also where nothing follows it, or the process ends: its sockets are closed next.
    ``still`` tells how the widget is now, in any thread.
    """

    def __init__(self, still: Callable[[], Mapping[str, str]], *, seconds: float = SNAPSHOT_SECONDS) -> None:
        self._still, self._seconds = still, seconds
        self._outputs: deque[Show] = deque(maxlen=KEPT_SNAPSHOTS)
        # Not among the outputs: those of many cells would push them out.
        self._holders: list[Show] = []
        # Cells show the widget in the main thread while another one renews the snapshots.
        self._lock = threading.Lock()
        self._timing = threading.Lock()
        self._timer: threading.Timer | None = None
        self._renewed_seconds, self._is_over = -math.inf, False
        _open.add(self)

    def add(self, show: Show) -> None:
        """From now on, until `drop`, give a widget that holds this one each new snapshot."""
        with self._lock:
            self._holders.append(show)

    def drop(self, show: Show) -> None:
        """Give it none any more."""
        with self._lock:
            self._holders.remove(show)

    def show_beside(self, widget: Any) -> None:
        """Display the widget and then its snapshot."""
        with self._lock:
            show = display_beside(widget, self._still())
            if show is not None:
                self._outputs.append(show)

    def renew(self, *, soon: bool = False) -> None:
        """Show the widget as it is now: at once where nothing was renewed a moment ago, else, or ``soon``, after it."""
        with self._timing:
            if self._is_over or self._timer is not None:
                return
            pause_seconds = self._seconds if soon else self._renewed_seconds + self._seconds - time.monotonic()
            if pause_seconds > 0:
                self._timer = threading.Timer(pause_seconds, self._renew_in_time)
                self._timer.daemon = True
                self._timer.start()
            else:
                self._renew_now()

    def close(self) -> None:
        """Show the last change now, and none after it."""
        with self._timing:
            timer, self._timer, self._is_over = self._timer, None, True
        if timer is not None:
            timer.cancel()
            timer.join()
            self._renew_now()

    def _renew_in_time(self) -> None:
        with self._timing:
            if not self._is_over:
                self._timer = None
                self._renew_now()

    def _renew_now(self) -> None:
        self._renewed_seconds = time.monotonic()
        with self._lock:
            still = self._still()
            for show in (*self._holders, *self._outputs):
                show(still)


_open: WeakSet[Snapshots] = WeakSet()


@atexit.register
def _close_all() -> None:
    for snapshots in tuple(_open):
        snapshots.close()


def display_beside(widget: Any, snapshot: Mapping[str, str]) -> Show | None:
    """Display the widget and then its snapshot, which what is returned renews; ``None`` where nobody listens."""
    bundle = widget._repr_mimebundle_() or {}
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    display({kind: value for kind, value in data.items() if kind not in _STILL}, metadata=metadata, raw=True)
    # A file keeps no display id; where the page was opened anew, our extension finds the output by this one.
    display_id = secrets.token_hex(16)
    named = {"kubeai": {"snapshot": display_id}}
    handle: DisplayHandle | None = display(dict(snapshot), raw=True, metadata=named, display_id=display_id)
    if handle is None:
        return None
    return lambda still: handle.update(dict(still), raw=True, metadata=named)


def kernel_listens() -> bool:
    """Whether a notebook's kernel runs this, so that a widget could be seen live."""
    return getattr(get_ipython(), "kernel", None) is not None
