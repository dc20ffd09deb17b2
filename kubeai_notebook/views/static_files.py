"""The browser's half of each widget, which is built and lies beside the package's Python.

It is read when a widget is made and not at import: a checkout that was never built can still be imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

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
    _bundle = traitlets.Unicode().tag(sync=True)
    """What ``_esm``, the same for all, loads: see ``labextension/widgets/loader.ts``."""
    _id = traitlets.Unicode().tag(sync=True)
    """The model's, by which its browser's half finds it."""
    _css = traitlets.Unicode().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        name = uuid4().hex
        super().__init__(model_id=name, _id=name, **traits)

    @traitlets.default("_esm")
    def _loader(self) -> str:
        return static_text("loader.js")

    @traitlets.default("_bundle")
    def _built_bundle(self) -> str:
        return static_text(f"{self.built}.js")

    @traitlets.default("_css")
    def _built_css(self) -> str:
        style = self.built if self.style is None else self.style
        return static_text(f"{style}.css") if style else ""
