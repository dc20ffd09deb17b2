"""The built half of a widget, which lies beside the package's Python."""

from __future__ import annotations

from pathlib import Path

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
