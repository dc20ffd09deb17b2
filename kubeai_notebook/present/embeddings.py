"""Embeddings without a kernel or a script: what a saved notebook and a terminal show of the playground and of a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .html import NO_FORMULAS, element, joined, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .embedding_wire import EmbeddingState, MapState, Row

# Told apart also by those who see few colours, on white and on black: after Okabe and Ito's set.
_OF_VALUES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a500", "#8c6bb1")
_OF_SCALE = ("#3b4cc0", "#5977e3", "#7b9ff9", "#9ebeff", "#f2a07f", "#e7745b", "#d1493f", "#b40426")
_OTHERS, _MISSING = "#8a8a8a", "#6b6b6b"


def colors_of(labels: Sequence[str], *, is_scale: bool) -> tuple[str, ...]:
    """The colour of each group of a map, grey those at the end: what is missing and, of values, all others."""
    if len(labels) == 1:  # nothing colours it
        return _OF_VALUES[:1]
    if not is_scale:
        return (*_OF_VALUES[: len(labels) - 2], _OTHERS, _MISSING)
    bins = len(labels) - 1
    return (*(_OF_SCALE[number * (len(_OF_SCALE) - 1) // max(bins - 1, 1)] for number in range(bins)), _MISSING)


def playground_text(state: EmbeddingState) -> str:
    """The same as `playground_snapshot` in lines."""
    lines = [f"Embeddings by {state.model}."]
    for text, cosines in zip(state.texts, state.cosines, strict=True):
        lines.append("  ".join([*(f"{cosine:.2f}" for cosine in cosines), text]))
    if state.nearest:
        lines += [f"Nearest to: {state.query}", *lines_of(state.nearest)]
    return "\n".join(lines)


def playground_snapshot(state: EmbeddingState) -> str:
    """The cosines and the rows that the playground shows, in HTML."""
    parts: list[str] = [element("div", "Embeddings by ", element("strong", state.model), ".")]
    if state.cosines:
        numbers = [str(number) for number, _ in enumerate(state.texts, 1)]
        rows = (
            (f"{number}. {text}", *(f"{cosine:.2f}" for cosine in cosines))
            for number, text, cosines in zip(numbers, state.texts, state.cosines, strict=True)
        )
        parts.append(table(rows, head=("Cosine", *numbers)))
    if state.nearest:
        parts += [element("div", f"Nearest to: {state.query}"), table_of(state.nearest, "cosine")]
    return element("div", *parts, class_=f"kubeai-snapshot {NO_FORMULAS}")


def map_text(state: MapState) -> str:
    """The same as `map_snapshot` in lines."""
    return "\n".join([_sentence(state), *lines_of(state.selected)])


def map_snapshot(state: MapState) -> str:
    """What the map is of, its legend and the first selected rows, in HTML."""
    legend = joined(
        joined([element("span", "■", style=f"color:{line.color}"), f" {line.label} ({line.count:,})  "])
        for line in state.legend
    )
    parts = [element("div", _sentence(state)), element("div", legend)]
    return element(
        "div",
        *parts,
        table_of(state.selected, "cosine") if state.selected else "",
        class_=f"kubeai-snapshot {NO_FORMULAS}",
    )


def _sentence(state: MapState) -> str:
    selected = f"{state.selected_count:,} rows were selected" if state.selected_count else "no row was selected"
    return f"A map of {state.count:,} texts of column {state.column} by {state.model}; {selected}."


def lines_of(rows: Iterable[Row]) -> list[str]:
    """A line a row, with its score where it has one."""
    return [f"  {_score(row)}row {row.place}: {row.text}" for row in rows]


def _score(row: Row) -> str:
    return "" if row.score is None else f"{row.score:.2f}  "


def table_of(rows: Iterable[Row], score: str) -> str:
    """Rows in HTML; ``score`` is what their score is called."""
    return table(((str(row.place), row.text, _score(row).strip()) for row in rows), head=("row", "text", score))
