"""A widget and its snapshot, each an output of its own: the one lives with its kernel, the other stays in the file.

Both in one output would not do: JupyterLab takes the widget, and shows an error in its place when the kernel has gone.
Style sheets hide the one that is not wanted.
"""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from IPython import get_ipython
from IPython.display import display

from .frames import Frames

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from IPython.display import DisplayHandle

_STILL = {"text/plain", "text/html"}
KEPT_SNAPSHOTS = 8
"""A widget is shown again by each cell that names it, and a cell that runs again throws its old output away."""
SNAPSHOT_SECONDS = 1.0
"""A snapshot lies hidden while its widget lives, so a burst of changes is one message."""


class Snapshots:
    """What shows how a widget was: outputs of the last few cells, and widgets that hold it and have snapshots.

    The last change reaches each, also where nothing follows it. ``still`` tells how the widget is now, in any thread.
    """

    def __init__(self, still: Callable[[], Mapping[str, str]], *, seconds: float = SNAPSHOT_SECONDS) -> None:
        self._still = still
        self._shown: deque[Callable[[Mapping[str, str]], None]] = deque(maxlen=KEPT_SNAPSHOTS)
        # Cells show the widget in the main thread while another one renews the snapshots.
        self._lock = threading.Lock()
        self._frames: Frames[None] = Frames(lambda _: self._renew_now(), seconds=seconds)

    def add(self, show: Callable[[Mapping[str, str]], None]) -> None:
        """From now on give this each new snapshot."""
        with self._lock:
            self._shown.append(show)

    def drop(self, show: Callable[[Mapping[str, str]], None]) -> None:
        """Give it none any more."""
        with self._lock:
            self._shown.remove(show)

    def show_beside(self, widget: Any) -> None:
        """Display the widget and then its snapshot."""
        with self._lock:
            handle = display_beside(widget, self._still())
            if handle is not None:
                self._shown.append(partial(handle.update, raw=True))

    def renew(self) -> None:
        """Show the widget as it is now, at once or soon."""
        self._frames.add(None)

    def close(self) -> None:
        """Show the last change now, and none after it."""
        self._frames.finish()

    def _renew_now(self) -> None:
        with self._lock:
            still = self._still()
            for show in self._shown:
                show(still)


def display_beside(widget: Any, snapshot: Mapping[str, str]) -> DisplayHandle | None:
    """Display the widget and then its snapshot, which the handle renews; ``None`` where nobody listens."""
    bundle = widget._repr_mimebundle_() or {}
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    display({kind: value for kind, value in data.items() if kind not in _STILL}, metadata=metadata, raw=True)
    handle: DisplayHandle | None = display(dict(snapshot), raw=True, display_id=True)
    return handle


def kernel_listens() -> bool:
    """Whether a notebook's kernel runs this, so that a widget could be seen live."""
    return getattr(get_ipython(), "kernel", None) is not None
