"""How far a batch is: one line, what the first rows say about the whole, and the rows that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.messages import duration
from kubeai_notebook.text import one_line

from .html import element, joined, page, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from markupsafe import Markup

    from kubeai_notebook.core.batch_progress import Progress

_SHOWN_REASON = 200
_CUT = "Answers that were cut are kept, and the column error says so; a higher max_tokens lets them end."
INTERRUPTS = "Interrupting the cell (■) ends it and keeps what has come."
"""Said below a batch whose cell waits for it."""


def batch_line(progress: Progress) -> str:
    """The batch in one line."""
    of = f"{progress.done:,} of {progress.rows:,} rows" if progress.rows is not None else f"{progress.done:,} rows"
    parts = [of]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.cut:
        parts.append(f"{progress.cut:,} cut")
    if progress.from_store:
        parts.append(f"{progress.from_store:,} known from before")
    if progress.repeated:
        parts.append(f"{progress.repeated:,} ask the same as another")
    if progress.tokens:
        parts.append(f"{progress.tokens:,} tokens")
    if progress.ended:
        parts.append(duration(progress.seconds))
    elif progress.asked and progress.asking_seconds:
        parts.append(f"{progress.asked / progress.asking_seconds:,.1f} rows/s, {progress.in_flight} at once")
    if progress.seconds_left is not None:
        parts.append(f"about {duration(progress.seconds_left)} left")
    line = f"{progress.model}: {', '.join(parts)}. {progress.ended}".rstrip()
    if progress.unasked:
        line += f" What came is kept; {progress.unasked:,} rows have no answer."
    return one_line(line)


def batch_text(progress: Progress) -> str:
    """The whole of it as text."""
    lines = [batch_line(progress), *_notes(progress)]
    if trial := trial_text(progress):
        lines.append(trial)
    if progress.failures:
        lines += ["Rows that failed last:", *_indented(_failures(progress))]
    return "\n".join(lines)


def trial_text(progress: Progress) -> str:
    """What the first rows say about all of them, and their answers; ``""`` as long as, or once, that says nothing."""
    estimate = _estimate(progress)
    return "\n".join([estimate, *_indented(progress.trial)]) if estimate else ""


def _indented(rows: Iterable[tuple[str, str]]) -> Iterable[str]:
    return (f"  row {place}: {text}" for place, text in rows)


def batch_html(progress: Progress, hint: str = "") -> Markup:
    """The whole of it as a page's part; ``hint``: how it is ended, said as long as it goes on."""
    parts: list[Markup] = [element("div", batch_line(progress), role="status")]
    if progress.rows:
        share = f"{100 * progress.done / progress.rows:.0f}"
        parts.append(element("progress", f"{share} %", value=share, max="100", style="width:20em"))
    parts += [element("div", note) for note in _notes(progress)]
    if estimate := _estimate(progress):
        parts += [element("div", estimate), table(progress.trial, head=("row", "answer"))]
    if progress.failures:
        parts.append(table(_failures(progress), head=("row", "failed last, because")))
    if hint and not progress.ended:
        parts.append(element("small", hint))
    return joined(parts)


def batch_bundle(progress: Progress, hint: str = "") -> Mapping[str, str]:
    """What a notebook shows, and saves; ``hint`` as `batch_html`."""
    return {"text/plain": batch_text(progress), "text/html": page(batch_html(progress, hint))}


def _notes(progress: Progress) -> tuple[str, ...]:
    return (*progress.notes, _CUT) if progress.cut else progress.notes


def _failures(progress: Progress) -> list[tuple[str, str]]:
    """Rows and reasons; a server's words may repeat what it was sent."""
    return [(row.place, one_line(masked(row.reason), _SHOWN_REASON)) for row in progress.failures]


def _estimate(progress: Progress) -> str:
    """What the first rows say about all; once it is over, the numbers themselves do."""
    left, tokens = progress.seconds_left, progress.tokens_in_all
    if left is None or not progress.trial or progress.rows is None:
        return ""
    cost = f" and {tokens:,} tokens" if tokens else ""
    whole = f"By what came so far, {progress.rows:,} rows take {duration(progress.seconds + left)}{cost}."
    return f"{whole} The first {len(progress.trial)}:"
