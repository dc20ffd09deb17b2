"""The browser's half of each widget, which is built and lies beside the package's Python.

It is read when a widget is made and not at import: a checkout that was never built can still be imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import anywidget
import traitlets

from kubeai_notebook.errors import LocalError

STATIC = Path(__file__).parent / "static"


def static_text(name: str, folder: Path = STATIC) -> str:
    """Text of a built file, such as ``status_card.js``.

    Raises:
        LocalError: it was never built, as in a checkout that is used without being installed.
    """
    try:
        return (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        message = f"The widget file {name} has not been built in this checkout of kubeai_notebook."
        raise LocalError(message, "Run `pip install -e .` in the checkout, then restart the kernel.") from None


class BuiltWidget(anywidget.AnyWidget):
    """A widget whose browser's half is ``built`` and ``.js``, with a style sheet of that name or of another."""

    built: ClassVar[str]
    style: ClassVar[str | None] = None
    """Its style sheet where that has another name; ``""``: it has none."""
    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)

    @traitlets.default("_esm")
    def _built_esm(self) -> str:
        return static_text(f"{self.built}.js")

    @traitlets.default("_css")
    def _built_css(self) -> str:
        style = self.built if self.style is None else self.style
        return static_text(f"{style}.css") if style else ""
