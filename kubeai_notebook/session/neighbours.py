"""Which texts lie near which: for two Models, on how many of each text's neighbours they agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kubeai_notebook.calls.tables import frame_of, with_columns
from kubeai_notebook.errors import UsageError

from .embedding import check_column, check_count, similarity

if TYPE_CHECKING:
    from kubeai_notebook.calls.embed_many import Array
    from kubeai_notebook.core.answer_schema import Kind

    from .embedding import Embedder

_ROWS_AT_ONCE = 512
"""The cosines of all texts with all others would be 10 GB for 50,000."""


def nearest(vectors: Array, k: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The ``k`` nearest of each vector by cosine, itself left out, the nearest first: places, n x k."""
    places = np.empty((len(vectors), k), dtype=np.int64)
    for begin in range(0, len(vectors), _ROWS_AT_ONCE):
        block = slice(begin, begin + _ROWS_AT_ONCE)
        scores = similarity(vectors[block], vectors)
        scores[range(len(scores)), range(begin, begin + len(scores))] = -np.inf
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        places[block] = np.take_along_axis(best, order, axis=1)
    return places


_COLUMNS: dict[str, Kind] = {"overlap": "number", "lost": "any", "new": "any"}


def compare_neighbours(frame: Any, column: str, models: tuple[Embedder, Embedder], *, k: int) -> Any:
    """What `Model.compare_neighbours` gives."""
    table = frame_of(frame, "compare_neighbours() takes {}")
    check_column(table, column)
    check_count(k)
    if taken := [name for name in _COLUMNS if name in table.columns]:
        raise UsageError(f'The frame has a column "{taken[0]}" already.', "Rename it first.")
    texts = table[column].to_list()
    left, right = (model.vectors(texts, model.prefix("passage", None)).array for model in models)
    known = np.flatnonzero(np.isfinite(left).all(axis=1) & np.isfinite(right).all(axis=1))
    if not 1 <= k < len(known):
        message = (
            f"Each of the {len(known)} texts that both Models embed has {len(known) - 1} neighbours, so not k={k}."
        )
        raise UsageError(message, "k= is a smaller number, from 1 up.")
    cells: dict[str, list[Any]] = {name: [None] * len(texts) for name in _COLUMNS}
    pairs = zip(known, nearest(left[known], k), nearest(right[known], k), strict=True)
    for place, of_left, of_right in pairs:
        before, after = known[of_left].tolist(), known[of_right].tolist()
        cells["overlap"][place] = len(set(before) & set(after)) / k
        cells["lost"][place] = [near for near in before if near not in after]
        cells["new"][place] = [near for near in after if near not in before]
    return with_columns(frame, cells, _COLUMNS)
