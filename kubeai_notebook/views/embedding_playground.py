"""Where an embedding Model is tried: typed texts beside each other, a frame that is searched, and its map.

Vectors of a frame are made when they are first wanted, and once: the search and the map share them. The map is a widget
of its own below this one, so its module goes to the browser only when it is opened.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from kubeai_notebook.calls.tables import frame_of
from kubeai_notebook.errors import UsageError
from kubeai_notebook.present.embedding_wire import EmbeddingRequest, EmbeddingState, Row
from kubeai_notebook.present.embeddings import playground_snapshot, playground_text
from kubeai_notebook.session.embedding import check_column
from kubeai_notebook.views.beside import Snapshots

from .commands import commands, request_or_told
from .embedding_map import widget_of
from .static_files import BuiltWidget

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.session.embedding_map import EmbeddingMap
    from kubeai_notebook.session.model import Model

    from .commands import Progress

NEAREST = 10
"""Rows that a search shows."""


def embedding_playground(
    model: Model, data: Any = None, column: str = "", *, color: str | None = None
) -> EmbeddingPlayground:
    """Try an embedding Model: compare typed texts, search a column of ``data``, and open its map.

    ``data`` is a DataFrame of pandas, polars or pyarrow, ``column`` the one with its texts, which may be left out where
    there is but one column, ``color`` the one that colours the map.

    Raises:
        UsageError: ``data`` has no such column.
    """
    return EmbeddingPlayground(model, data, column, color=color)


class Comparison(BuiltWidget):
    """What is typed and what comes of it; ``take`` does what the browser asks for."""

    built = "embedding"
    state = traitlets.Dict().tag(sync=True)
    """An `EmbeddingState` as JSON."""

    def __init__(self, state: EmbeddingState, take: Callable[[object], None]) -> None:
        super().__init__(state=state.model_dump(mode="json"))
        self.on_msg(lambda _widget, content, _buffers: take(content))


class EmbeddingPlayground(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The playground of one embedding Model."""

    def __init__(self, model: Model, data: Any, column: str, *, color: str | None) -> None:
        self._model, self._data, self._column, self._color = model, data, column, color
        self._making, self._writing = threading.Lock(), threading.Lock()
        self._map: EmbeddingMap | None = None
        self.snapshots = Snapshots(self.still)
        rows = 0
        if data is not None:
            self._column, rows = _column_of(data, column, color)
        self.shown = EmbeddingState(model=model.name, column=self._column, rows=rows)
        """What is shown."""
        self._comparison = Comparison(self.shown, self._take)
        super().__init__([self._comparison])

    @property
    def map(self) -> EmbeddingMap:
        """The map of the frame; its vectors are made now where they were not.

        Raises:
            UsageError: the playground was opened without a frame.
        """
        if self._data is None:
            raise UsageError("This playground has no frame.", "Open it with data= and column= for a search and a map.")
        with self._making:
            if self._map is None:
                self._map = self._model.embedding_map(self._data, self._column, color=self._color)
        return self._map

    def selection(self) -> Any:
        """The rows that are selected on the map, as `EmbeddingMap.selection`."""
        return self.map.selection()

    def _take(self, content: object) -> None:
        request = request_or_told(content, EmbeddingRequest, self._tell)
        if request is None:
            return
        work = {"compare": self._cosines, "search": self._nearest, "map": self._open_map}[request.verb]
        # One after the other: each writes what is shown.
        key, queue = (id(self), request.model_dump_json()), f"{id(self)}"
        commands().hand_off(lambda: work(request), self._tell, key=key, queue=queue)

    def _cosines(self, request: EmbeddingRequest) -> dict[str, Any]:
        texts = [text for text in request.texts if text.strip()]
        if not texts:
            raise UsageError("There is no text to compare.", "Type some, one a line.")
        cosines = self._model.similarity(texts, texts).astype(float).round(4).tolist()
        return {"texts": tuple(texts), "cosines": tuple(map(tuple, cosines))}

    def _nearest(self, request: EmbeddingRequest) -> dict[str, Any]:
        if not request.query.strip():
            raise UsageError("There is nothing to search for.", "Type a question.")
        places, scores = self.map.nearest(request.query, NEAREST)
        texts = self.map.texts
        rows = (
            Row(place=at, text=str(texts[at]), score=score)
            for at, score in zip(places.tolist(), scores.tolist(), strict=True)
        )
        return {"query": request.query, "nearest": tuple(rows)}

    def _open_map(self, _request: EmbeddingRequest) -> dict[str, Any]:
        if not self.shown.map_is_open:
            self.children = (self._comparison, widget_of(self.map))
        return {"map_is_open": True}

    def _tell(self, progress: Progress) -> None:
        # A request is queued in the kernel's main thread while another one ends in its own.
        with self._writing:
            self.shown = progress.shown_in(self.shown, "Embedding …")
            self._comparison.state = self.shown.model_dump(mode="json")
        if progress.state == "done":
            self.snapshots.renew()

    def _ipython_display_(self) -> None:
        self.snapshots.show_beside(self)

    def __repr__(self) -> str:
        return playground_text(self.shown)

    def still(self) -> dict[str, str]:
        """What was found last, which a saved notebook shows."""
        return {"text/plain": repr(self), "text/html": playground_snapshot(self.shown)}


def _column_of(data: Any, column: str, color: str | None) -> tuple[str, int]:
    """The column of texts, and how many rows there are; errors as `embedding_playground`."""
    table = frame_of(data, "The playground takes {}")
    if not column and len(table.columns) != 1:
        raise UsageError("Which column holds the texts?", f"column= is one of: {', '.join(table.columns)}.")
    column = column or table.columns[0]
    for name in filter(None, (column, color)):
        check_column(table, name)
    return column, len(table)
