"""The widget of a map: its points go to the browser as bytes, and a lasso's rows come back as bytes.

50,000 points are 700 kB so, and would be two megabytes of JSON that both sides take apart. Its module is a bundle of
its own, which only a notebook that shows a map is sent. What a browser says is looked at before it selects anything: a
page that was left open may speak of a frame that was longer.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from kubeai_notebook.present.embedding_wire import Hover, LegendLine, MapRequest, MapState, Row
from kubeai_notebook.present.embeddings import colors_of, map_snapshot, map_text
from kubeai_notebook.views.beside import Snapshots, kernel_listens

from .commands import commands, request_or_told
from .static_files import BuiltWidget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.session.embedding_map import EmbeddingMap

    from .commands import Progress

SHOWN_ROWS = 20
"""Of a selection, below the map."""


class MapWidget(BuiltWidget):
    """A map of texts, live in the browser."""

    built = "map"
    state = traitlets.Dict().tag(sync=True)
    """A `MapState` as JSON."""
    points = traitlets.Bytes().tag(sync=True)
    """float32, little-endian, x and y of each point."""
    groups = traitlets.Bytes().tag(sync=True)
    """uint16, the number of each point's colour."""
    places = traitlets.Bytes().tag(sync=True)
    """uint32, the place of each point's row, from 0."""
    selected = traitlets.Bytes().tag(sync=True, from_json=lambda sent, _widget: bytes(memoryview(sent)))
    """uint32, the places of the selected rows; written by both sides."""

    def __init__(self, shown: EmbeddingMap) -> None:
        self.map = shown
        # A search selects in a thread of its own, a lasso in the kernel's main one.
        self._lock = threading.RLock()
        self._snapshots = Snapshots(self._still)
        placed = np.flatnonzero(np.isfinite(shown.points).all(axis=1))
        groups = shown.groups.of_row[placed]
        colors = colors_of(shown.groups.labels, is_scale=shown.groups.is_scale)
        counts = np.bincount(groups, minlength=len(colors)).tolist()
        named = zip(shown.groups.labels, colors, counts, strict=True)
        self._state = MapState(
            model=shown.model,
            column=shown.column,
            color=shown.color,
            count=len(placed),
            without_vector=len(shown.texts) - len(placed),
            colors=colors,
            legend=tuple(LegendLine(label=label, color=color, count=count) for label, color, count in named if count)
            if shown.color
            else (),
        )
        super().__init__(
            state=self._state.model_dump(mode="json"),
            points=shown.points[placed].astype("<f4").tobytes(),
            groups=groups.astype("<u2").tobytes(),
            places=placed.astype("<u4").tobytes(),
        )
        self.show_selected()
        self.observe(self._take_selected, "selected")
        self.on_msg(lambda _widget, content, _buffers: self._take(content))

    def show_selected(self) -> None:
        """Show what is selected now."""
        chosen = self.map.selected
        self.selected = chosen.astype("<u4").tobytes()
        self._show(selected_count=len(chosen), selected=tuple(self._rows()))
        self._snapshots.renew()

    def _rows(self) -> Iterator[Row]:
        for place in self.map.selected[:SHOWN_ROWS].tolist():
            yield Row(place=place, text=str(self.map.texts[place]))

    def _show(self, **changes: Any) -> None:
        with self._lock:
            # Checked anew: what comes from a frame becomes plain on its way in.
            self._put(MapState(**{**dict(self._state), **changes}))

    def _put(self, state: MapState) -> None:
        self._state = state
        self.state = state.model_dump(mode="json")

    def _take_selected(self, _change: object) -> None:
        """Select what a lasso has caught."""
        places = np.frombuffer(self.selected[: len(self.selected) // 4 * 4], dtype="<u4")
        places = places[places < len(self.map.texts)].astype(np.int64)
        if not np.array_equal(places, self.map.selected):
            self.map.select(places)

    def _take(self, content: object) -> None:
        request = request_or_told(content, MapRequest, self._tell)
        if request is None:
            return
        if request.verb == "search":
            commands().hand_off(
                lambda: self._search(request.query),
                self._tell,
                key=(id(self), "search", request.query),
                queue=f"map {id(self)}",
            )
        elif request.place < len(self.map.texts):
            text = str(self.map.texts[request.place])
            self.send(Hover(place=request.place, text=text).model_dump(mode="json"))

    def _search(self, query: str) -> None:
        self.map.search(query)

    def _tell(self, progress: Progress) -> None:
        with self._lock:
            self._put(progress.shown_in(self._state, "Searching …"))

    def _ipython_display_(self) -> None:
        """Display it as one output and its snapshot, which a saved notebook shows, as the next."""
        self._snapshots.show_beside(self)

    def _still(self) -> dict[str, str]:
        return {"text/plain": map_text(self._state), "text/html": map_snapshot(self._state)}


def widget_of(shown: EmbeddingMap) -> MapWidget:
    """The one widget of a map, so that a cell that runs again shows the same."""
    if shown.widget is None:
        shown.widget = MapWidget(shown)
    widget: MapWidget = shown.widget
    return widget


def show(shown: EmbeddingMap) -> None:
    """Display a map.

    Raises:
        NotImplementedError: no notebook listens.
    """
    if not kernel_listens():
        raise NotImplementedError
    widget_of(shown)._ipython_display_()
