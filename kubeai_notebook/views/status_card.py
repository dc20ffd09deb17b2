"""The widget that shows one Model live, with room below it for what it opens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from kubeai_notebook.errors import UsageError
from kubeai_notebook.present.snapshot import snapshot_of, text_of
from kubeai_notebook.views.beside import Snapshots
from kubeai_notebook.views.static_files import BuiltWidget

if TYPE_CHECKING:
    from kubeai_notebook.present.wire import Card

Take = Callable[[object, "StatusCard"], None]
"""Takes a browser's message to this card; returns at once."""


def stamped(shown: dict[str, Any], _widget: object) -> dict[str, Any]:
    """What is shown as it is sent: also what a reloaded page asks for carries the time of now."""
    return {**shown, "sent_at_seconds": time.time()}


class StatusCard(BuiltWidget):
    """One Model's card, live in the browser, with a snapshot beside it for the saved notebook.

    ``take`` does what its buttons ask for; without it nothing is done.
    """

    built = "status_card"
    card = traitlets.Dict().tag(sync=True, to_json=stamped)
    """A ``Card`` as JSON, written by ``update`` only."""

    def __init__(self, card: Card, take: Take | None = None) -> None:
        super().__init__(card=card.model_dump(mode="json"))
        if take is not None:
            self.on_msg(lambda _widget, content, _buffers: take(content, self))
        self.shown = card
        """What is shown, as it was given to ``update``."""
        self.shown_in: dict[str, str] = {}
        """The cells that show it, each with the request that ran it, and other places; ``""``: one without a name."""
        self._snapshots = Snapshots(self._still)
        self._box: ipywidgets.VBox | None = None
        self._below: Any = None
        self._below_still: dict[str, str] = {}
        # Cells show the card in the main thread while the publisher's thread updates it.
        self._lock = threading.RLock()

    def update(self, card: Card) -> None:
        """Show ``card``; nothing is sent when it is equal to what is shown."""
        with self._lock:
            before, self.shown = self.shown, card
            self.card = card.model_dump(mode="json")
            # The snapshots lie hidden while the card lives: a new percent is not worth a message.
            if _still_parts(before) != _still_parts(card):
                self._snapshots.renew()

    @property
    def box(self) -> ipywidgets.VBox:
        """The card with what it has opened, which is how notebooks, tables and forms show it."""
        with self._lock:
            if self._box is None:
                self._box = ipywidgets.VBox([self]).add_class("kubeai-card-box")
            return self._box

    def toggle_below(self, make: Callable[[], Any]) -> bool:
        """Show a widget below the card, in all cells that show it, or take it away; whether it is there now.

        ``make`` makes one that has `Snapshots` as its ``snapshots``: of it, too, the saved notebook shows the last.

        Raises:
            UsageError: the card is shown without its box, as in marimo.
        """
        if self._box is None:
            raise UsageError("This card has no room below it.", "playground() shows it in a cell of its own.")
        before, self._below = self._below, make() if self._below is None else None
        if before is not None:
            before.snapshots.drop(self._renew_below)
        if self._below is not None:
            self._below.snapshots.add(self._renew_below)
        self.box.children = (self, *filter(None, [self._below]))
        self._renew_below({} if self._below is None else self._below.still())
        return self._below is not None

    def _renew_below(self, still: dict[str, str]) -> None:
        with self._lock:
            self._below_still = still
            self._snapshots.renew()

    def close(self) -> None:
        """End it, with its layout and its box, which ipywidgets would keep."""
        self._snapshots.close()
        below, self._below = self._below, None
        if below is not None:
            below.snapshots.drop(self._renew_below)
        box, layout = self._box, self.layout
        super().close()
        for part in (layout, box, box and box.layout):
            if part is not None:
                part.close()

    def _ipython_display_(self) -> None:
        with self._lock:
            self._snapshots.show_beside(self.box)

    def _still(self) -> dict[str, str]:
        card = _still(self.shown)
        return {kind: "\n".join(filter(None, (text, self._below_still.get(kind)))) for kind, text in card.items()}

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        return {**data, **_still(self.shown)}, metadata


def _still(card: Card) -> dict[str, str]:
    return {"text/plain": text_of(card), "text/html": snapshot_of(card, followed=True)}


def _still_parts(card: Card) -> tuple[Any, ...]:
    return card.phase, card.note, card.steps, card.facts, card.findings, card.link
