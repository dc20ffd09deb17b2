"""A form without a kernel or a script: what a saved notebook and a terminal show of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .html import NO_FORMULAS, WRAPPED, element

if TYPE_CHECKING:
    from .serve_code import Texts

_STANDS_FOR = "A form of kubeai_notebook. It stands for:"
_SERVE = "Run this to serve it; to edit it in a form again, write kubeai_form in place of kubeai_serve."
_GO_ON = "To go on in a form, write kubeai_form in place of kubeai_serve."


def form_bundle(texts: Texts) -> dict[str, str]:
    """The magic that a form stands for, as text and as HTML with nothing to fetch; no secret's value is in it."""
    return {"text/plain": form_text(texts), "text/html": str(_html(texts))}


def form_text(texts: Texts) -> str:
    """The same as text alone."""
    return f"{_STANDS_FOR}\n\n{texts.magic}\n\n{_next_step(texts)}"


def _next_step(texts: Texts) -> str:
    return f"{texts.problem} {_GO_ON}" if texts.problem else _SERVE


def _html(texts: Texts) -> str:
    return element(
        "div",
        element("div", _STANDS_FOR),
        element("pre", texts.magic, style=f"{WRAPPED};margin:6px 0"),
        element("small", _next_step(texts)),
        # The class lets the live form hide its own snapshot.
        class_=f"kubeai-snapshot {NO_FORMULAS}",
        style="max-width:720px;padding:8px 14px;border-left:3px solid #757575",
    )
