"""The widget that shows one Model live."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from IPython.display import display

from kubeai_notebook.present.snapshot import snapshot_of, text_of
from kubeai_notebook.views.static_files import static_text

if TYPE_CHECKING:
    from IPython.core.display_functions import DisplayHandle

    from kubeai_notebook.present.wire import Card

# A Model is shown again by each cell that names it, and a cell that runs again throws its old output away.
KEPT_SNAPSHOTS = 8


def _stamped(card: dict[str, Any], _widget: StatusCard) -> dict[str, Any]:
    """The card as it is sent: also one that a reloaded page asks for carries the time of now."""
    return {**card, "sent_at_seconds": time.time()}


class StatusCard(anywidget.AnyWidget):
    """One Model's card, live in the browser, with a snapshot beside it for the saved notebook."""

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    card = traitlets.Dict().tag(sync=True, to_json=_stamped)
    """A ``Card`` as JSON, written by ``update`` only."""

    def __init__(self, card: Card) -> None:
        super().__init__(card=card.model_dump(mode="json"))
        self.shown = card
        """What is shown, as it was given to ``update``."""
        self.shown_for = ""
        """The request of the cell that showed it last."""
        self._snapshots: deque[DisplayHandle] = deque(maxlen=KEPT_SNAPSHOTS)
        # Cells show the card in the main thread while the publisher's thread updates it.
        self._lock = threading.RLock()

    def update(self, card: Card) -> None:
        """Show ``card``; nothing is sent when it is equal to what is shown."""
        with self._lock:
            before, self.shown = self.shown, card
            self.card = card.model_dump(mode="json")
            # The snapshots lie hidden while the card lives: a new percent is not worth a message.
            if _still_parts(before) != _still_parts(card):
                for snapshot in self._snapshots:
                    snapshot.update(_still(card), raw=True)

    def _ipython_display_(self) -> None:
        """Show the card as one output and its snapshot as the next.

        Both in one output would not do: JupyterLab takes the widget, and shows an error in its place when the kernel
        has gone. Style sheets hide the one that is not wanted.
        """
        data, metadata = super()._repr_mimebundle_() or ({}, {})
        widget_only = {name: value for name, value in data.items() if name != "text/plain"}
        with self._lock:
            display(widget_only, metadata=metadata, raw=True)
            handle = display(_still(self.shown), raw=True, display_id=True)
            if handle is not None:
                self._snapshots.append(handle)

    # Read when a card is made, not at import: a checkout without built files can still be imported.
    @traitlets.default("_esm")
    def _built_esm(self) -> str:
        return static_text("status_card.js")

    @traitlets.default("_css")
    def _built_css(self) -> str:
        return static_text("status_card.css")

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        return {**data, **_still(self.shown)}, metadata


def _still(card: Card) -> dict[str, str]:
    return {"text/plain": text_of(card), "text/html": snapshot_of(card)}


def _still_parts(card: Card) -> tuple[Any, ...]:
    return card.phase, card.note, card.facts, card.findings, card.link
