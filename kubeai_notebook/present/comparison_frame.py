"""What two Models answered to the same prompts: data for pandas, and a display that can be read.

pandas cuts a text after 50 characters, and an answer is read as a whole. So the display is our own: the prompt and the
answers beside each other, and below each answer how long it took.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from kubeai_notebook.text import one_line, plain

from .html import element, joined, page
from .plain_frame import PlainFrame

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from markupsafe import Markup

_MODELS = "kubeai_models"
_SHOWN_CHARACTERS, _PROMPT_CHARACTERS = 4000, 300
_CELL = "text-align:left;vertical-align:top;min-width:8em;max-width:40em"


class Answered(NamedTuple):
    """What became of one prompt at one Model."""

    text: str | None = None
    seconds: float = float("nan")
    tokens: int | None = None
    error: str | None = None

    @property
    def tokens_per_second(self) -> float:
        """Tokens of the answer by the time of the whole call; NaN where the engine told no count."""
        return self.tokens / self.seconds if self.tokens and self.seconds else float("nan")


class ComparisonFrame(PlainFrame):
    """Answers side by side, one prompt a row."""

    @property
    def models(self) -> tuple[str, ...]:
        """The ids of the Models, where this frame has all that was made of them."""
        models = tuple(self.attrs.get(_MODELS, ()))
        return models if list(self.columns) == columns_of(models) else ()

    def __repr__(self) -> str:
        if not self.models:
            return super().__repr__()
        lines: list[str] = []
        for row in self._rows():
            lines.append(one_line(row["prompt"], _PROMPT_CHARACTERS))
            lines += (f"  {name}{_measured(row, name)}: {_answer(row, name)}" for name in self.models)
        return plain("\n".join(lines))

    def _repr_html_(self) -> str | None:
        if not self.models:
            return super()._repr_html_()
        head = element("tr", *(element("th", name, style=_CELL) for name in ("prompt", *self.models)))
        rows = joined(_html_row(row, self.models) for row in self._rows())
        return page(element("table", element("thead", head), element("tbody", rows)))

    def _rows(self) -> list[dict[str, Any]]:
        return [dict(zip(map(str, self.columns), row, strict=True)) for row in self.itertuples(index=False, name=None)]


def comparison_frame(prompts: Sequence[str], answers: Mapping[str, Sequence[Answered]]) -> ComparisonFrame:
    """One row a prompt; ``answers`` holds those of each Model under its id, in the order of the prompts.

    For each id there is a column of its name with the answers, and behind them ``… seconds`` (of the whole call),
    ``… tokens/s`` and ``… error`` (why there is no answer), each missing where there is none.
    """
    columns: dict[str, Any] = {"prompt": list(prompts)}
    for name, made in answers.items():
        columns |= {
            name: pd.array([one.text for one in made], dtype="string"),
            f"{name} seconds": [one.seconds for one in made],
            f"{name} tokens/s": [one.tokens_per_second for one in made],
            f"{name} error": pd.array([one.error for one in made], dtype="string"),
        }
    frame = ComparisonFrame(columns, columns=columns_of(answers))
    frame.attrs[_MODELS] = list(answers)
    return frame


def columns_of(models: Iterable[str]) -> list[str]:
    """The columns of a comparison: answers first, for they are what is read."""
    names = list(models)
    return ["prompt", *names, *(f"{name} {what}" for what in ("seconds", "tokens/s", "error") for name in names)]


def _html_row(row: Mapping[str, Any], models: Iterable[str]) -> Markup:
    cells = [element("td", _pre(plain(row["prompt"], _SHOWN_CHARACTERS)), style=_CELL)]
    for name in models:
        below = element("small", _measured(row, name).strip(" ()"), style="opacity:0.7")
        cells.append(element("td", _pre(_answer(row, name)), below, style=_CELL))
    return element("tr", *cells)


def _pre(text: str) -> Markup:
    return element("div", text, style="white-space:pre-wrap;overflow-wrap:anywhere")


def _answer(row: Mapping[str, Any], name: str) -> str:
    text = row[f"{name} error"] if pd.isna(row[name]) else row[name]
    return plain(str(text).strip(), _SHOWN_CHARACTERS)


def _measured(row: Mapping[str, Any], name: str) -> str:
    """How long the answer took, in brackets; nothing where there is none."""
    seconds, pace = row[f"{name} seconds"], row[f"{name} tokens/s"]
    if pd.isna(seconds):
        return ""
    return f" ({seconds:.1f} s)" if pd.isna(pace) else f" ({seconds:.1f} s, {pace:,.0f} tokens/s)"
