"""The texts of a frame as a map: near texts lie near each other, and what is selected comes back as rows.

A map keeps places of rows, never their index: an index may hold one label twice, and polars has none. It copies the
frame once, since a frame that is sorted or shortened in place afterwards would give other rows for the same places.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from kubeai_notebook.calls.tables import frame_of
from kubeai_notebook.core.call_checks import checks_calls
from kubeai_notebook.core.messages import with_article
from kubeai_notebook.core.prompt_template import is_missing
from kubeai_notebook.errors import UsageError
from kubeai_notebook.text import ShownAsText, plain

from . import presenter as display
from .embedding import check_column, check_count, check_query, given_vectors, similarity
from .projection import Projection, check_projection, project

if TYPE_CHECKING:
    from kubeai_notebook.calls.embed_many import Array

    from .embedding import Embedder

Places = np.ndarray[Any, np.dtype[np.int64]]
MOST_GROUPS = 8
"""Colours that an eye tells apart."""
OTHERS, MISSING = "others", "missing"
_LONGEST_LABEL = 80


@dataclass(frozen=True, slots=True)
class Groups:
    """What a map is coloured by."""

    of_row: np.ndarray[Any, np.dtype[np.uint16]]
    """The number of each row's group."""
    labels: tuple[str, ...] = ("",)
    is_scale: bool = False
    """Whether the groups go from small numbers to great ones."""


@checks_calls
class EmbeddingMap(ShownAsText):
    """Points of texts, and which of them are selected; made by `Model.embedding_map`."""

    def __init__(
        self, frame: Any, column: str, vectors: Array, *, model: str, embedder: Embedder, color: str, projection: Any
    ) -> None:
        import narwhals as nw

        table = frame_of(frame, "embedding_map() takes {}")
        self._frame = nw.from_native(frame, eager_only=True).clone()
        self._embedder = embedder
        self.model, self.column, self.color = model, column, color
        self.texts: list[Any] = table[column].to_list()
        """The cells of the column, one a row."""
        self.vectors = vectors
        """float32, n x d; NaN where a row has none."""
        self.points = project(vectors, projection)
        """float32, n x 2, between -1 and 1; NaN where a row has no vector."""
        self.groups = _groups_of(table[color]) if color else Groups(np.zeros(len(table), dtype=np.uint16))
        self.selected: Places = np.empty(0, dtype=np.int64)
        """The places of the selected rows, from 0."""
        self.widget: Any = None
        """What shows it live; it hears of each selection by ``show_selected()``."""

    def select(self, places: Iterable[int] | Iterable[bool]) -> None:
        """Select the rows at these places, or those where a mask of the whole frame is true.

        Raises:
            UsageError: the frame has no such row, or a mask is not as long as it.
        """
        self.selected = _places_of(places, len(self.texts))
        if self.widget is not None:
            self.widget.show_selected()

    def selection(self) -> Any:
        """The selected rows of the frame, as the kind of frame that it is, in the order of their selection."""
        return self._frame[self.selected].to_native()

    def nearest(self, query: str, k: int = 20) -> tuple[Places, Array]:
        """The places of the ``k`` texts that are nearest to a question, the nearest first, and their cosines.

        Raises:
            UsageError: the question is not one text, or ``k`` is no number from 1 up.
        """
        check_query(query)
        check_count(k)
        scores = similarity(self._embedder.embed(query, "query"), self.vectors)[0]
        best = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")[:k]
        best = best[np.isfinite(scores[best])]
        return best, scores[best]

    def search(self, query: str, k: int = 20) -> Any:
        """Select the ``k`` rows that are nearest to a question, and give them in that order; errors as `nearest`."""
        places, _ = self.nearest(query, k)
        self.select(places)
        return self.selection()

    def to_scatter(self) -> Any:
        """The same points as a `jscatter.Scatter`, which has more to set; its selection is one of its own.

        Raises:
            UsageError: jupyter-scatter is not installed.
        """
        try:
            import jscatter
        except ImportError:
            message = "to_scatter() needs jupyter-scatter, which is not installed."
            raise UsageError(message, "pip install jupyter-scatter") from None
        import pandas as pd

        data = pd.DataFrame({"x": self.points[:, 0], "y": self.points[:, 1], "text": self.texts})
        colored = {}
        if self.color:
            data["group"] = pd.Categorical(np.asarray(self.groups.labels)[self.groups.of_row])
            colored = {"color_by": "group"}
        return jscatter.Scatter(data=data.dropna(subset=["x"]), x="x", y="y", **colored)

    def _text(self) -> str:
        many = f"{len(self.texts):,} rows of column {self.column} by {self.model}"
        return f"Map of {many}: {len(self.selected):,} are selected, which selection() gives."

    def _ipython_display_(self) -> None:
        display.face().show_map(self)


def embedding_map(
    frame: Any,
    column: str,
    *,
    model: str,
    embedder: Embedder,
    color: str | None,
    vectors: Any,
    projection: Projection,
) -> EmbeddingMap:
    """What `Model.embedding_map` gives; everything is checked before a text is embedded."""
    table = frame_of(frame, "embedding_map() takes {}")
    check_column(table, column)
    for name in filter(None, (color, vectors if isinstance(vectors, str) else None)):
        check_column(table, name)
    check_projection(projection)
    if vectors is None:
        made = embedder.vectors(table[column].to_list(), embedder.prefix("passage", None)).array
    else:
        made = given_vectors(table[vectors].to_list() if isinstance(vectors, str) else vectors)
    if len(made) != len(table):
        raise UsageError(f"vectors= holds {len(made)} rows for {len(table)} rows of the frame.")
    return EmbeddingMap(frame, column, made, model=model, embedder=embedder, color=color or "", projection=projection)


def _places_of(given: Any, rows: int) -> Places:
    """Places of rows, or those at which a mask of all rows is true; a mask's missing value is not true."""
    if not isinstance(given, np.ndarray) or given.ndim != 1 or given.dtype.kind not in "biu":
        given = _numbers_of(given)
    if given.dtype == bool and given.size:
        if len(given) != rows:
            raise UsageError(f"The mask has {len(given)} values for {rows} rows.")
        return np.flatnonzero(given)
    if given.size and not 0 <= given.min() <= given.max() < rows:
        raise UsageError(f"The frame has rows 0 to {rows - 1}.")
    return np.asarray(given, dtype=np.int64)


def _numbers_of(given: Any) -> np.ndarray[Any, Any]:
    """The same from a list, a Series, a generator …, element by element; a lasso's array of 50,000 needs none of it."""
    is_list = isinstance(given, Iterable) and not isinstance(given, str | bytes) and not hasattr(given, "columns")
    cells = [cell.as_py() if hasattr(cell, "as_py") else cell for cell in given] if is_list else [given]
    known = [cell for cell in cells if not is_missing(cell)]
    is_mask = is_list and bool(known) and all(isinstance(cell, bool | np.bool_) for cell in known)
    wrong = [cell for cell in cells if isinstance(cell, bool | np.bool_) or not isinstance(cell, Integral)]
    if not is_list or (wrong and not is_mask):
        kind = with_article(type(wrong[0] if is_list else given).__name__)
        message = f"select() takes places of rows, from 0, or a mask of the whole frame, not {kind}."
        raise UsageError(message, 'A mask is made as frame["column"] > 3.')
    return np.asarray([not is_missing(cell) and bool(cell) for cell in cells] if is_mask else cells or np.empty(0, int))


def _groups_of(series: Any) -> Groups:
    """The groups of a column: bins of equally many where it holds many numbers, else its commonest values."""
    cells = series.to_list()
    if series.dtype.is_numeric() and series.n_unique() > MOST_GROUPS:
        return _bins(np.asarray([np.nan if is_missing(cell) else float(cell) for cell in cells]))
    names = [MISSING if is_missing(cell) else plain(str(cell), _LONGEST_LABEL) for cell in cells]
    counted = Counter(names)
    del counted[MISSING]
    labels = [name for name, _ in counted.most_common(MOST_GROUPS)]
    numbers = {name: number for number, name in enumerate([*labels, OTHERS, MISSING])}
    return Groups(
        np.asarray([numbers.get(name, len(labels)) for name in names], dtype=np.uint16), (*labels, OTHERS, MISSING)
    )


def _bins(values: np.ndarray[Any, np.dtype[np.float64]]) -> Groups:
    finite = values[np.isfinite(values)]
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, MOST_GROUPS + 1))) if finite.size else np.zeros(2)
    numbers = np.searchsorted(edges[1:-1], values, side="right")
    labels = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    numbers[~np.isfinite(values)] = len(labels)
    return Groups(numbers.astype(np.uint16), (*labels, MISSING), is_scale=True)
