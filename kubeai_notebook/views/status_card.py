"""The widget that shows one Model live."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import traitlets

from kubeai_notebook.present.snapshot import snapshot_of, text_of
from kubeai_notebook.views.beside import Snapshots
from kubeai_notebook.views.static_files import BuiltWidget

if TYPE_CHECKING:
    from kubeai_notebook.present.wire import Card

Take = Callable[[object, Callable[[dict[str, Any]], None]], None]
"""Takes a browser's message, and what sends each answer to it; returns at once."""


def _stamped(card: dict[str, Any], _widget: StatusCard) -> dict[str, Any]:
    """The card as it is sent: also one that a reloaded page asks for carries the time of now."""
    return {**card, "sent_at_seconds": time.time()}


class StatusCard(BuiltWidget):
    """One Model's card, live in the browser, with a snapshot beside it for the saved notebook.

    ``take`` does what its buttons ask for; without it nothing is done.
    """

    built = "status_card"
    card = traitlets.Dict().tag(sync=True, to_json=_stamped)
    """A ``Card`` as JSON, written by ``update`` only."""

    def __init__(self, card: Card, take: Take | None = None) -> None:
        super().__init__(card=card.model_dump(mode="json"))
        if take is not None:
            self.on_msg(lambda _widget, content, _buffers: take(content, self.send))
        self.shown = card
        """What is shown, as it was given to ``update``."""
        self.shown_in: dict[str, str] = {}
        """The cells that show it, each with the request that ran it; ``""`` for wherever else it is shown."""
        self._snapshots = Snapshots(lambda: _still(self.shown))
        self._lock = threading.RLock()

    def update(self, card: Card) -> None:
        """Show ``card``; nothing is sent when it is equal to what is shown."""
        with self._lock:
            before, self.shown = self.shown, card
            self.card = card.model_dump(mode="json")
            # The snapshots lie hidden while the card lives: a new percent is not worth a message.
            if _still_parts(before) != _still_parts(card):
                self._snapshots.renew()

    def close(self) -> None:
        """End it, with its layout, which ipywidgets would keep."""
        self._snapshots.close()
        layout = self.layout
        super().close()
        layout.close()

    def _ipython_display_(self) -> None:
        self._snapshots.show_beside(self)

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        return {**data, **_still(self.shown)}, metadata


def _still(card: Card) -> dict[str, str]:
    return {"text/plain": text_of(card), "text/html": snapshot_of(card, followed=True)}


def _still_parts(card: Card) -> tuple[Any, ...]:
    return card.phase, card.note, card.steps, card.facts, card.findings, card.link
