"""A trial without a kernel or a script: what a saved notebook and a terminal show of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .embeddings import lines_of, table_of
from .html import NO_FORMULAS, WRAPPED, element

if TYPE_CHECKING:
    from .trial_wire import TrialState


def trial_text(state: TrialState) -> str:
    """What was found, and code that asks the same."""
    lines = [_about(state)] if state.ranked or state.file else []
    return "\n".join([*lines, *lines_of(state.ranked), *filter(None, [state.transcript]), state.code])


def trial_snapshot(state: TrialState) -> str:
    """The same as `trial_text` in HTML."""
    parts: list[str] = [element("div", _about(state))] if state.ranked or state.file else []
    if state.ranked:
        parts.append(table_of(state.ranked, "score"))
    if state.file:
        parts.append(element("div", state.transcript, style=WRAPPED))
    parts.append(element("pre", state.code))
    return element("div", *parts, class_=f"kubeai-snapshot {NO_FORMULAS}")


def _about(state: TrialState) -> str:
    if state.kind == "rank":
        return f"Texts ranked by {state.model} for: {state.query}"
    return f"What {state.model} hears in {state.file}:"
