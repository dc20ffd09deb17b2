"""Live cards: all of a Session's are written by one thread from one Subscription.

A Model once had one widget, so each card of it told what was done last: after Run All every serve cell said "1 Pod is
replaced". What a verb did belongs to the cell that did it. So a Model has a widget for each note, and cells that did
the same, or only look, share one.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from IPython import get_ipython

from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.present.card import card_of, deleted_card
from kubeai_notebook.present.snapshot import snapshot_of, text_of
from kubeai_notebook.views.status_card import StatusCard

if TYPE_CHECKING:
    from kubeai_notebook.core.view import View
    from kubeai_notebook.present.wire import Card
    from kubeai_notebook.session.connection import Connection
    from kubeai_notebook.session.live.subscription import Change, Subscription
    from kubeai_notebook.session.model import Model

KEPT_GONE = 50
"""Models that are gone whose cards live again with a Model of that name; those of older ones stay as they are."""
KEPT_CARDS = 20
"""Cards of one Model that live; older ones say that they are no longer followed."""

_logger = logging.getLogger(__name__)


def show(model: Model) -> None:
    """Display the Model's live card.

    Raises:
        NotImplementedError: nobody could see it live; its `bundle` says as much.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        raise NotImplementedError
    try:
        widget = follow(model)
    except NotFoundError:
        raise NotImplementedError from None
    # A cell that waits shows the card first; as the cell's result it is the same one.
    request = kernel.get_parent().get("header", {}).get("msg_id", "")
    if request and request == widget.shown_for:
        return
    widget.shown_for = request
    widget._ipython_display_()


def bundle(model: Model) -> dict[str, Any]:
    """The Model as it is now, as text and as a static snapshot."""
    namespace = model.session.cluster.namespace
    try:
        card = card_of(model.view, namespace=namespace, note=model.note)
    except NotFoundError:
        card = deleted_card(model.name, namespace=namespace, where=str(model.session.where))
    return {"text/plain": text_of(card), "text/html": snapshot_of(card)}


def follow(model: Model) -> StatusCard:
    """The widget of this Model in this Session that has this handle's note.

    Raises:
        NotFoundError: there is no such Model to follow.
    """
    view, cards = model.view, _cards_by_session()
    if model.session not in cards or cards[model.session].changes.ended:
        cards[model.session] = _Cards(model.subscribe(), model.session.cluster.namespace)
    return cards[model.session].card(view, model.note)


@cache
def _cards_by_session() -> WeakKeyDictionary[Connection, _Cards]:
    return WeakKeyDictionary()


@dataclass(slots=True)
class _Shown:
    """The cards of one Model by their notes, the one that was shown last behind the others."""

    revision: int
    widgets: dict[str, StatusCard] = field(default_factory=dict)


class _Cards:
    """The cards of one Session, and the one thread that writes them; it leads back to no Session."""

    def __init__(self, changes: Subscription, namespace: str) -> None:
        self.changes, self._namespace = changes, namespace
        self._lock = threading.Lock()
        self._shown: dict[str, _Shown] = {}
        self._gone: dict[str, None] = {}
        threading.Thread(target=self._follow, name="kubeai-cards", daemon=True).start()

    def card(self, view: View, note: str) -> StatusCard:
        """The Model's card with this note."""
        card = card_of(view, namespace=self._namespace, note=note)
        with self._lock:
            shown = self._shown.setdefault(view.name, _Shown(view.revision))
            shown.revision = view.revision
            widget = shown.widgets.pop(note, None) or StatusCard(card)
            shown.widgets[note] = widget
            widget.update(card)
            if len(shown.widgets) > KEPT_CARDS:
                oldest = shown.widgets.pop(next(iter(shown.widgets)))
                oldest.update(oldest.shown.model_copy(update={"link": "closed"}))
        self.changes.add(view.name)
        return widget

    def _follow(self) -> None:
        for change in self.changes:
            with self._lock:
                shown = self._shown.get(change.name)
                if shown is None or change.revision < shown.revision:
                    continue
                try:
                    self._write(shown, change)
                except Exception:  # the thread's outermost frame: the other cards go on
                    _logger.exception("The cards of %s could not be updated.", change.name)

    def _write(self, shown: _Shown, change: Change) -> None:
        shown.revision = change.revision
        self._gone.pop(change.name, None)
        for note, widget in shown.widgets.items():
            widget.update(self._card(change, note, widget.shown))
        if change.view is None:
            self._gone[change.name] = None
        if len(self._gone) > KEPT_GONE:
            oldest = next(iter(self._gone))
            del self._gone[oldest], self._shown[oldest]
            self.changes.drop(oldest)

    def _card(self, change: Change, note: str, before: Card) -> Card:
        if change.view is None:
            return deleted_card(change.name, namespace=self._namespace, before=before, note=note)
        return card_of(change.view, namespace=self._namespace, note=note)
