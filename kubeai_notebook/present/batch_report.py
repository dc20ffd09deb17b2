"""How far a batch is: one line, what the first rows say about the whole, and the rows that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.messages import duration
from kubeai_notebook.text import one_line

from .html import element, joined, page, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

    from kubeai_notebook.core.batch_progress import Progress

_SHOWN_REASON = 200


def batch_line(progress: Progress) -> str:
    """The batch in one line."""
    of = f"{progress.done:,} of {progress.rows:,} rows" if progress.rows is not None else f"{progress.done:,} rows"
    parts = [of]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.from_store:
        parts.append(f"{progress.from_store:,} known from before")
    if progress.repeated:
        parts.append(f"{progress.repeated:,} ask the same as another")
    if progress.tokens:
        parts.append(f"{progress.tokens:,} tokens")
    if progress.ended:
        parts.append(duration(progress.seconds))
    elif progress.asked and progress.seconds:
        parts.append(f"{progress.asked / progress.seconds:,.1f} rows/s, {progress.in_flight} at once")
    if progress.seconds_left is not None:
        parts.append(f"about {duration(progress.seconds_left)} left")
    return one_line(f"{progress.model}: {', '.join(parts)}. {progress.ended}".rstrip())


def batch_text(progress: Progress) -> str:
    """The whole of it as text."""
    lines = [batch_line(progress), *progress.notes]
    if estimate := _estimate(progress):
        lines += [estimate, *(f"  row {place}: {answer}" for place, answer in progress.trial)]
    if progress.failures:
        lines += ["Rows that failed last:"]
        lines += [f"  row {row.place}: {one_line(row.reason, _SHOWN_REASON)}" for row in progress.failures]
    return "\n".join(lines)


def batch_html(progress: Progress) -> Markup:
    """The whole of it as a page's part."""
    parts: list[Markup] = [element("div", batch_line(progress), role="status")]
    if progress.rows:
        share = f"{100 * progress.done / progress.rows:.0f}"
        parts.append(element("progress", f"{share} %", value=share, max="100", style="width:20em"))
    parts += [element("div", note) for note in progress.notes]
    if estimate := _estimate(progress):
        parts += [element("div", estimate), table(progress.trial, head=("row", "answer"))]
    if progress.failures:
        rows = [(row.place, one_line(row.reason, _SHOWN_REASON)) for row in progress.failures]
        parts.append(table(rows, head=("row", "failed last, because")))
    return joined(parts)


def batch_bundle(progress: Progress) -> Mapping[str, str]:
    """What a notebook shows, and saves."""
    return {"text/plain": batch_text(progress), "text/html": page(batch_html(progress))}


def _estimate(progress: Progress) -> str:
    """What the first rows say about all; once it is over, the numbers themselves do."""
    left, tokens = progress.seconds_left, progress.tokens_in_all
    if left is None or not progress.trial or progress.rows is None:
        return ""
    cost = f" and {tokens:,} tokens" if tokens else ""
    whole = f"By what came so far, {progress.rows:,} rows take {duration(progress.seconds + left)}{cost}."
    return f"{whole} The first {len(progress.trial)}:"
