"""The texts of a frame as a map: near texts lie near each other, and what is selected comes back as rows.

A map keeps places of rows, never their index: an index may hold one label twice, and polars has none. It copies the
frame once, since a frame that is sorted or shortened in place afterwards would give other rows for the same places.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from kubeai_notebook.calls.tables import frame_of
from kubeai_notebook.core.prompt_template import is_missing
from kubeai_notebook.errors import UsageError
from kubeai_notebook.text import ShownAsText, plain

from . import presenter as display
from .embedding import check_column, similarity
from .projection import Projection, check_projection, project

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        given = list(places)
        if given and all(isinstance(place, bool | np.bool_) for place in given):
            if len(given) != len(self.texts):
                raise UsageError(f"The mask has {len(given)} values for {len(self.texts)} rows.")
            given = np.flatnonzero(given).tolist()
        chosen = np.asarray(given, dtype=np.int64)
        if chosen.size and not 0 <= chosen.min() <= chosen.max() < len(self.texts):
            raise UsageError(f"The frame has rows 0 to {len(self.texts) - 1}.")
        self.selected = chosen
        if self.widget is not None:
            self.widget.show_selected()

    def selection(self) -> Any:
        """The selected rows of the frame, as the kind of frame that it is, in the order of their selection."""
        return self._frame[self.selected].to_native()

    def nearest(self, query: str, k: int = 20) -> tuple[Places, Array]:
        """The places of the ``k`` texts that are nearest to a question, the nearest first, and their cosines."""
        scores = similarity(self._embedder.embed(query, "query"), self.vectors)[0]
        best = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")[:k]
        best = best[np.isfinite(scores[best])]
        return best, scores[best]

    def search(self, query: str, k: int = 20) -> Any:
        """Select the ``k`` rows that are nearest to a question, and give them, the nearest first."""
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
    for name in filter(None, (column, color, vectors if isinstance(vectors, str) else None)):
        check_column(table, name)
    check_projection(projection)
    if vectors is None:
        made = embedder.vectors(table[column].to_list(), embedder.prefix("passage", None)).array
    else:
        made = _given(table[vectors].to_list() if isinstance(vectors, str) else vectors)
    if len(made) != len(table):
        raise UsageError(f"vectors= holds {len(made)} rows for {len(table)} rows of the frame.")
    return EmbeddingMap(frame, column, made, model=model, embedder=embedder, color=color or "", projection=projection)


def _given(vectors: Any) -> Array:
    """Vectors as one array; a row without one is NaN."""
    rows = [None if is_missing(row) else np.asarray(row, dtype=np.float32) for row in vectors]
    lengths = {row.shape for row in rows if row is not None}
    if len(lengths) != 1 or len(next(iter(lengths))) != 1:
        raise UsageError("vectors= takes vectors of one length: an array n x d, or a column of them.")
    missing = np.full(next(iter(lengths)), np.nan, dtype=np.float32)
    return np.stack([missing if row is None else row for row in rows])


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
