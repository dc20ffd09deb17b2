"""A widget and its snapshot, each an output of its own: the one lives with its kernel, the other stays in the file.

Both in one output would not do: JupyterLab takes the widget, and shows an error in its place when the kernel has gone.
Style sheets hide the one that is not wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython import get_ipython
from IPython.display import display

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.display import DisplayHandle

_STILL = {"text/plain", "text/html"}


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
