"""Live cards: one widget for each Model of a Session, fed by the Session's publisher thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from IPython import get_ipython

from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.present.card import card_of, deleted_card
from kubeai_notebook.present.snapshot import snapshot_of, text_of
from kubeai_notebook.views.status_card import StatusCard

if TYPE_CHECKING:
    from kubeai_notebook.session.live.publisher import View
    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.session import Session

# A widget, and what ends its subscription. Neither leads back to the Session, or it would never be let go.
_Feed = tuple[StatusCard, Callable[[], None]]


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
        card = deleted_card(model.name, namespace=namespace)
    return {"text/plain": text_of(card), "text/html": snapshot_of(card)}


def follow(model: Model) -> StatusCard:
    """The one widget of this Model in this Session, from here on with this handle's note.

    Raises:
        NotFoundError: there is no such Model to follow.
    """
    namespace, note = model.session.cluster.namespace, model.note
    card = card_of(model.view, namespace=namespace, note=note)
    feeds = _feeds().setdefault(model.session, {})
    widget, stop = feeds[model.name] if model.name in feeds else (StatusCard(card), _nothing)
    stop()
    widget.update(card)
    # A new listener is told at once: if the old one has just written something older, that is put right.
    stop = model.listen(partial(_tell, widget, namespace=namespace, note=note))
    feeds[model.name] = widget, stop
    return widget


@cache
def _feeds() -> WeakKeyDictionary[Session, dict[str, _Feed]]:
    return WeakKeyDictionary()


def _nothing() -> None:
    """End no subscription."""


def _tell(widget: StatusCard, view: View | None, *, namespace: str, note: str) -> None:
    """Runs in the publisher's thread: asks nothing of the Session, which may be closing."""
    if view is None:
        widget.update(deleted_card(widget.shown.name, namespace=namespace, before=widget.shown))
    else:
        widget.update(card_of(view, namespace=namespace, note=note))
