"""Vectors of texts, columns and questions by a Model: with the prefixes that its family was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from kubeai_notebook.calls.embed_many import Array, embed_many
from kubeai_notebook.calls.tables import frame_of, with_columns
from kubeai_notebook.core.embedding_prefixes import Role, prefixes_of
from kubeai_notebook.core.messages import did_you_mean, with_article
from kubeai_notebook.core.objects import map_at, text_at
from kubeai_notebook.core.prompt_template import is_missing
from kubeai_notebook.errors import CallError, UsageError
from kubeai_notebook.text import encodable, one_line

from .mapping import target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kubeai_notebook.calls.embed_many import Vectors
    from kubeai_notebook.calls.endpoint import Endpoint
    from kubeai_notebook.core.view import View


class Embedder:
    """How one Model makes vectors; ``endpoint`` is asked for when there is something to send, since it may wake it."""

    def __init__(self, view: View, endpoint: Callable[[], Endpoint]) -> None:
        self._target, self._endpoint = target_of(view), endpoint
        self._prefixes = prefixes_of(text_at(map_at(view.model, "spec"), "url"))

    def prefix(self, role: str, given: str | None) -> str:
        """What stands before each text.

        Raises:
            UsageError: there is no such role.
        """
        if role not in get_args(Role):
            raise UsageError(f'role= takes "passage" or "query", not {role!r}.')
        return str(getattr(self._prefixes, role)) if given is None else given

    def vectors(self, texts: Sequence[Any], prefix: str, options: Mapping[str, Any] | None = None) -> Vectors:
        """A vector for each text; a cell that is missing or empty has a reason in its place.

        Raises:
            CallError: no text was embedded.
        """
        cells = list(texts)
        empty = _empty(cells)
        places = [place for place in range(len(cells)) if place not in empty]
        sent = [encodable(f"{prefix}{cells[place]}") for place in places]
        if not sent:
            raise UsageError("There is no text to embed: every one is missing or empty.")
        made = embed_many(self._endpoint(), self._target, sent, options=options)
        if len(made.errors) == len(sent):
            made.whole()
        if empty:
            made.errors = {places[place]: error for place, error in made.errors.items()} | empty
            whole = np.full((len(cells), made.array.shape[1]), np.nan, dtype=np.float32)
            whole[places] = made.array
            made.array = whole
        return made

    def embed(self, texts: Any, role: str, prefix: str | None = None, **options: Any) -> Any:
        """What `Model.embed` gives."""
        inputs = (
            [texts] if isinstance(texts, str) else listed(texts, "embed() takes a text, a list of texts or a Series")
        )
        if not inputs:
            return np.empty((0, 0), dtype=np.float32)
        chosen = self.prefix(role, prefix)
        empty = _empty(inputs)
        if not (hasattr(texts, "to_frame") and hasattr(texts, "iloc")):
            if empty:
                raise UsageError(f"Text {min(empty)} is missing or empty; nothing was sent.")
            return self.vectors(inputs, chosen, options).whole()
        import pandas as pd

        made = self.vectors(inputs, chosen, options)
        return pd.DataFrame(made.whole(without=empty), index=texts.index)

    def embed_column(self, frame: Any, column: str, *, role: str, prefix: str | None, into: str) -> Any:
        """The frame with a column of vectors and one of reasons; errors as `Model.embed_column`."""
        table = frame_of(frame, "embed_column() takes {}")
        check_column(table, column)
        if not into.strip():
            raise UsageError("into= is the name of the column of vectors, and is empty.")
        error = f"{into}_error"
        if taken := [name for name in (into, error) if name in table.columns]:
            raise UsageError(
                f'The frame has a column "{taken[0]}" already.', 'into="…" gives the vectors another name.'
            )
        texts, chosen = table[column].to_list(), self.prefix(role, prefix)
        cells: dict[str, list[Any]]
        if len(empty := _empty(texts)) == len(texts):  # a table keeps its rows, whatever they hold
            cells = {into: [None] * len(texts), error: [empty[place].message for place in range(len(texts))]}
            return with_columns(frame, cells, {into: "vector", error: "text"})
        made = self.vectors(texts, chosen)
        cells = {
            into: [None if place in made.errors else vector for place, vector in enumerate(made.array)],
            error: [made.errors[place].message if place in made.errors else None for place in range(len(made.array))],
        }
        return with_columns(frame, cells, {into: "vector", error: "text"})

    def search(self, query: str, texts: Any, *, k: int, vectors: Array | None) -> Any:
        """The texts that are nearest to a question; errors as `Model.search`."""
        import pandas as pd

        own = listed(texts, "search() takes a list of texts")
        check_query(query)
        check_count(k)
        if not own:
            index = texts.index if hasattr(texts, "iloc") else None
            return pd.DataFrame({"text": [], "score": []}, index=index)
        known = self.vectors(own, self.prefix("passage", None)).array if vectors is None else given_vectors(vectors)
        if len(known) != len(own):
            raise UsageError(f"vectors= holds {len(known)} rows for {len(own)} texts.")
        scores = similarity(self.embed(query, "query"), known)[0]
        best = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")[:k]
        index = texts.index[best] if hasattr(texts, "iloc") else best
        return pd.DataFrame({"text": [own[place] for place in best], "score": scores[best]}, index=index)


def listed(texts: Any, takes: str) -> list[Any]:
    """The texts as a list, made once: a generator gives each of them a single time.

    ``takes`` begins the sentence where they are something else. A number is a text, as in a column that holds both.

    Raises:
        UsageError: they are a table, one text, or hold something that is no text.
    """
    if isinstance(texts, str):
        raise UsageError(f"{takes}, not one text.", 'Write ["…", "…"].')
    if isinstance(texts, bytes | Mapping) or hasattr(texts, "columns") or getattr(texts, "ndim", 1) != 1:
        hint = 'frame["column"] is the Series of a column.' if hasattr(texts, "columns") else 'Write ["…", "…"].'
        raise UsageError(f"{takes}, not {with_article(type(texts).__name__)}.", hint)
    try:
        cells = [cell.as_py() if hasattr(cell, "as_py") else cell for cell in texts]
    except TypeError:
        kind = "None" if texts is None else with_article(type(texts).__name__)
        raise UsageError(f"{takes}, not {kind}.", 'Write ["…", "…"].') from None
    for number, cell in enumerate(cells):
        if isinstance(cell, bool | np.bool_) or (hasattr(cell, "__len__") and not isinstance(cell, str)):
            raise UsageError(f"Text {number} is {with_article(type(cell).__name__)} and no text; nothing was sent.")
    return cells


def check_query(query: object) -> None:
    """Refuse a question that is not one text.

    Raises:
        UsageError: it is something else, or empty.
    """
    if not isinstance(query, str):
        raise UsageError(f"A search takes one question, a text, not {with_article(type(query).__name__)}.")
    if not query.strip():
        raise UsageError("There is nothing to search for.", "Type a question.")


def check_count(k: object) -> None:
    """Refuse a number of rows that cannot be.

    Raises:
        UsageError: it is no whole number from 1 up.
    """
    if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
        raise UsageError(f"k= takes a number from 1 up, not {one_line(str(k), 20)}.")


def given_vectors(vectors: Any, called: str = "vectors=") -> Array:
    """Vectors that a user gives, as one array; a row without one is NaN.

    Raises:
        UsageError: they are no vectors of numbers, or not of one length.
    """
    if isinstance(vectors, np.ndarray) and vectors.ndim == 2 and vectors.dtype.kind in "fiu":
        return np.asarray(vectors, dtype=np.float32)
    try:
        rows = [
            None if is_missing(row) else np.asarray(row).astype(np.float32, casting="same_kind")
            for row in (vectors.to_numpy() if hasattr(vectors, "to_numpy") else vectors)
        ]
    except (TypeError, ValueError):
        rows = []
    lengths = {row.shape for row in rows if row is not None}
    if len(lengths) != 1 or len(next(iter(lengths))) != 1:
        message = f"{called} takes vectors of one length: an array n x d, or a column of them."
        raise UsageError(message, "embed(texts) makes them.")
    missing = np.full(next(iter(lengths)), np.nan, dtype=np.float32)
    return np.stack([missing if row is None else row for row in rows])


def _empty(cells: Sequence[Any]) -> dict[int, CallError]:
    """The reasons of the cells that hold no text, by their number."""
    reason = CallError("The text is missing or empty; nothing was sent.")
    return {n: reason for n, cell in enumerate(cells) if is_missing(cell) or not str(cell).strip()}


def check_column(table: Any, column: object) -> None:
    """Refuse a column that a frame does not have.

    Raises:
        UsageError: it has none of this name.
    """
    if not isinstance(column, str):
        raise UsageError(f"A column is named by a text, not by {with_article(type(column).__name__)}.")
    if column not in table.columns:
        raise UsageError(f'The frame has no column "{column}".{did_you_mean(column, table.columns)}')


def similarity(left: Any, right: Any) -> Array:
    """The cosine of each vector on the left with each on the right, n x m.

    Raises:
        UsageError: they are not of one length, as those of two Models.
    """
    ours, theirs = _unit(left), _unit(right)
    if not (len(ours) and len(theirs)):
        return np.empty((len(ours), len(theirs)), dtype=np.float32)
    if ours.shape[1] != theirs.shape[1]:
        message = f"Vectors of {ours.shape[1]} numbers have no cosine with vectors of {theirs.shape[1]}."
        raise UsageError(message, "Take vectors of one Model.")
    return np.asarray(ours @ theirs.T, dtype=np.float32)


def _unit(vectors: Any) -> Array:
    is_one = isinstance(vectors, np.ndarray) and vectors.ndim == 1 and vectors.dtype.kind in "fiu"
    array = given_vectors([vectors] if is_one else vectors, "similarity()")
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    return np.asarray(array / np.where(lengths == 0, 1, lengths), dtype=np.float32)
