"""A widget and its snapshot, each an output of its own: the one lives with its kernel, the other stays in the file.

Both in one output would not do: JupyterLab takes the widget, and shows an error in its place when the kernel has gone.
Style sheets hide the one that is not wanted.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from IPython import get_ipython
from IPython.display import display

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from IPython.display import DisplayHandle

_STILL = {"text/plain", "text/html"}
KEPT_SNAPSHOTS = 8
"""A widget is shown again by each cell that names it, and a cell that runs again throws its old output away."""


class Snapshots:
    """What shows how a widget was: outputs of the last few cells, and widgets that hold it and have snapshots."""

    def __init__(self) -> None:
        self._renew: deque[Callable[[dict[str, str]], None]] = deque(maxlen=KEPT_SNAPSHOTS)

    def add(self, renew: Callable[[dict[str, str]], None]) -> None:
        """From now on give this each new snapshot."""
        self._renew.append(renew)

    def drop(self, renew: Callable[[dict[str, str]], None]) -> None:
        """Give it none any more."""
        self._renew.remove(renew)

    def show_beside(self, widget: Any, snapshot: Mapping[str, str]) -> None:
        """Display the widget and its snapshot, and renew the latter from now on."""
        handle = display_beside(widget, snapshot)
        if handle is not None:
            self.add(partial(handle.update, raw=True))

    def renew(self, snapshot: dict[str, str]) -> None:
        """Show the widget as it is now."""
        for renew in tuple(self._renew):
            renew(snapshot)


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
