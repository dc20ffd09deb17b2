"""Live cards: one widget for each Model of a Session, all written by one thread from one Subscription."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
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
    from kubeai_notebook.session.connection import Connection
    from kubeai_notebook.session.live.subscription import Change, Subscription
    from kubeai_notebook.session.model import Model

KEPT_GONE = 50
"""Cards of Models that are gone and live again with a Model of that name; older ones stay as they are."""

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
    """The one widget of this Model in this Session, from here on with this handle's note.

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
    """One card, and what it shows."""

    widget: StatusCard
    note: str
    revision: int


class _Cards:
    """The cards of one Session, and the one thread that writes them; it leads back to no Session."""

    def __init__(self, changes: Subscription, namespace: str) -> None:
        self.changes, self._namespace = changes, namespace
        self._lock = threading.Lock()
        self._shown: dict[str, _Shown] = {}
        self._gone: dict[str, None] = {}
        threading.Thread(target=self._follow, name="kubeai-cards", daemon=True).start()

    def card(self, view: View, note: str) -> StatusCard:
        """The Model's card, which from here on has this note."""
        card = card_of(view, namespace=self._namespace, note=note)
        with self._lock:
            shown = self._shown.get(view.name)
            widget = shown.widget if shown else StatusCard(card)
            self._shown[view.name] = _Shown(widget, note, view.revision)
            widget.update(card)
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
                    _logger.exception("The card of %s could not be updated.", change.name)

    def _write(self, shown: _Shown, change: Change) -> None:
        shown.revision = change.revision
        self._gone.pop(change.name, None)
        if change.view is not None:
            shown.widget.update(card_of(change.view, namespace=self._namespace, note=shown.note))
            return
        shown.widget.update(deleted_card(change.name, namespace=self._namespace, before=shown.widget.shown))
        self._gone[change.name] = None
        if len(self._gone) > KEPT_GONE:
            oldest = next(iter(self._gone))
            del self._gone[oldest], self._shown[oldest]
            self.changes.drop(oldest)
