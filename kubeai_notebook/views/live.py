"""Live cards: all of a Session's are written by one thread from one Subscription.

A Model once had one widget, so each card of it told what was done last: after Run All every serve cell said "1 Pod is
replaced". What a verb did belongs to the cell that did it. So a Model has a widget for each note, and cells that did
the same, or only look, share one.
"""

from __future__ import annotations

import logging
import threading
import weakref
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from IPython import get_ipython

from kubeai_notebook.core.objects import uid_of
from kubeai_notebook.core.phase_times import newest_pod, start_key, steps_of
from kubeai_notebook.core.plan import GONE
from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.present.card import card_of, dated, deleted_card
from kubeai_notebook.present.snapshot import snapshot_of, text_of
from kubeai_notebook.session.model import Model
from kubeai_notebook.store import StartTimes
from kubeai_notebook.views.commands import take
from kubeai_notebook.views.status_card import StatusCard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.view import View
    from kubeai_notebook.present.wire import Card
    from kubeai_notebook.session.connection import Connection
    from kubeai_notebook.session.live.subscription import Change, Subscription

KEPT_GONE = 50
"""Models that are gone whose cards live again with a Model of that name; those of older ones stay as they are."""
KEPT_CARDS = 20
"""Cards of one Model that live; older ones say that they are no longer followed."""

_logger = logging.getLogger(__name__)


def show(model: Model, kernel: Any = None) -> None:
    """Display the Model's live card in the cell that runs; ``kernel`` is by default that of IPython.

    Raises:
        NotImplementedError: nobody could see it live; its `bundle` says as much.
    """
    kernel = kernel or getattr(get_ipython(), "kernel", None)
    if kernel is None:
        raise NotImplementedError
    try:
        cards, widget = _cards_and_widget(model)
    except NotFoundError:
        raise NotImplementedError from None
    parent = kernel.get_parent()
    # Front ends name the cell in the metadata of its request; one that does not keeps each card.
    cell, request = parent.get("metadata", {}).get("cellId", ""), parent.get("header", {}).get("msg_id", "")
    # A cell that waits shows the card first; as the cell's result it is the same one.
    if request and request == widget.shown_in.get(cell):
        return
    cards.note_shown(widget, cell, request)
    widget._ipython_display_()


def bundle(model: Model) -> dict[str, Any]:
    """The Model as it is now, as text and as a static snapshot."""
    namespace = model.session.cluster.namespace
    try:
        done = _done_by(model)
        card = card_of(model.view, namespace=namespace, elsewhere=_elsewhere(model), **done._asdict())
    except NotFoundError:
        card = deleted_card(model.name, namespace=namespace, where=str(model.session.where))
    return {"text/plain": text_of(card), "text/html": snapshot_of(card)}


def _elsewhere(model: Model) -> str:
    """The namespace that a magic's line has to name to reach the Model."""
    from kubeai_notebook.session.session import elsewhere

    return elsewhere(model.session)


def follow(model: Model, place: str = "") -> StatusCard:
    """The widget of this Model in this Session that has this handle's note.

    ``place``: a word for where it is shown, so that `let_go` can take it away from there.

    Raises:
        NotFoundError: there is no such Model to follow.
    """
    cards, widget = _cards_and_widget(model)
    cards.note_shown(widget, place, "")
    return widget


def let_go(session: Connection, widget: StatusCard, place: str) -> None:
    """The widget is not shown in this ``place`` any more; it is closed where it is shown nowhere else."""
    if cards := _cards_by_session().get(session):
        cards.let_go(widget, place)


def _cards_and_widget(model: Model) -> tuple[_Cards, StatusCard]:
    view, cards = model.view, _cards_by_session()
    if model.session not in cards or cards[model.session].changes.ended:
        there = _elsewhere(model)
        cards[model.session] = _Cards(model.subscribe(), model.session, elsewhere=there)
    return cards[model.session], cards[model.session].card(view, _done_by(model))


class _Done(NamedTuple):
    """What a cell did, and what the Model was asked for then."""

    note: str = ""
    asked: str = ""


def _done_by(model: Model) -> _Done:
    return _Done(model.note, model.outcome.asked if model.outcome else "")


@cache
def _cards_by_session() -> WeakKeyDictionary[Connection, _Cards]:
    return WeakKeyDictionary()


@dataclass(slots=True)
class _ModelCards:
    """The cards of one Model by what was done, the one that was shown last behind the others."""

    revision: int
    widgets: dict[_Done, StatusCard] = field(default_factory=dict)
    pod_uid: str = ""
    """That of the newest Pod."""
    last: Mapping[str, float] = field(default_factory=dict)
    """How many seconds each step took when such a Model was started before."""
    starting: bool = False
    """Whether the newest Pod was seen before it was ready, so that its times are still to be kept."""
    is_gone: bool = False


class _Cards:
    """The cards of one Session, and the one thread that writes them; it leads back to no Session."""

    def __init__(
        self, changes: Subscription, session: Connection, *, elsewhere: str = "", times: StartTimes | None = None
    ) -> None:
        self.changes, self._namespace, self._elsewhere = changes, session.cluster.namespace, elsewhere
        self._session, self._times = weakref.ref(session), times or StartTimes()
        self._lock = threading.Lock()
        self._shown: dict[str, _ModelCards] = {}
        threading.Thread(target=self._follow, name="kubeai-cards", daemon=True).start()

    def card(self, view: View, done: _Done) -> StatusCard:
        """The Model's card that says this was done."""
        with self._lock:
            shown = self._shown.setdefault(view.name, _ModelCards(view.revision))
            shown.revision = view.revision
            card = self._card_of(shown, view, done)
            widget = shown.widgets.pop(done, None) or StatusCard(card, partial(self._take, view.name))
            shown.widgets[done] = widget
            widget.update(card)
            if len(shown.widgets) > KEPT_CARDS:
                oldest = shown.widgets.pop(next(iter(shown.widgets)))
                oldest.update(oldest.shown.model_copy(update={"link": "closed"}))
        self.changes.add(view.name)
        return widget

    def note_shown(self, widget: StatusCard, cell: str, request: str) -> None:
        """Note where a card is shown, and close those that only earlier runs of this cell have shown.

        The output of such a run is thrown away, and its card is in no page any more.
        """
        with self._lock:
            widget.shown_in[cell] = request
            for name, shown in tuple(self._shown.items()) if cell else ():
                for done, other in tuple(shown.widgets.items()):
                    if other.shown_in.get(cell, request) != request:
                        self._leave(name, done, cell)

    def let_go(self, widget: StatusCard, place: str) -> None:
        """Note that a card is not shown in this place any more; one that is shown nowhere is closed."""
        with self._lock:
            for name, shown in tuple(self._shown.items()):
                for done, other in tuple(shown.widgets.items()):
                    if other is widget and place in other.shown_in:
                        self._leave(name, done, place)

    def _leave(self, name: str, done: _Done, place: str) -> None:
        widgets = self._shown[name].widgets
        del widgets[done].shown_in[place]
        if not widgets[done].shown_in:
            widgets.pop(done).close()
        if not widgets:
            # Else its log would be followed for nobody, for as long as it is not well.
            del self._shown[name]
            self.changes.drop(name)

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

    def _write(self, shown: _ModelCards, change: Change) -> None:
        shown.revision = change.revision
        shown.is_gone = change.view is None
        for done, widget in shown.widgets.items():
            widget.update(self._card(shown, change, done=done, before=widget.shown))
        if shown.is_gone:
            self._shown[change.name] = self._shown.pop(change.name)  # they stand in the order in which they went
            gone = [name for name, other in self._shown.items() if other.is_gone]
            if len(gone) > KEPT_GONE:
                del self._shown[gone[0]]
                self.changes.drop(gone[0])

    def _card(self, shown: _ModelCards, change: Change, *, done: _Done, before: Card) -> Card:
        if change.view is None:
            note = dated(done.note, done.asked, GONE)
            return deleted_card(change.name, namespace=self._namespace, before=before, note=note)
        return self._card_of(shown, change.view, done)

    def _card_of(self, shown: _ModelCards, view: View, done: _Done) -> Card:
        self._keep_times(shown, view)
        return card_of(view, namespace=self._namespace, elsewhere=self._elsewhere, last=shown.last, **done._asdict())

    def _keep_times(self, shown: _ModelCards, view: View) -> None:
        """Read how long such a start took when one begins, and keep its own times when it is over."""
        pod, key = newest_pod(view.observation), start_key(view.model, str(view.where))
        if pod is not None and uid_of(pod.raw) != shown.pod_uid:
            shown.pod_uid, shown.starting = uid_of(pod.raw), not pod.ready
            shown.last = self._times.get(key) if shown.starting else {}
        if pod is not None and pod.ready and shown.starting:
            shown.starting = False
            steps = steps_of(view.observation)
            self._times.put(key, {step.phase: step.seconds for step in steps if step.seconds is not None})

    def _take(self, name: str, content: object, card: StatusCard) -> None:
        session = self._session()
        if session is not None:
            take(session, name, content, send=card.send, show=partial(_toggle_playground, session, card))


def _toggle_playground(session: Connection, card: StatusCard, name: str) -> str:
    """Show the Model's playground below its card, or take it away; what was said in it is kept."""
    is_shown = card.toggle_below(Model(session, name).playground)
    return f"The playground of {name} is below the card." if is_shown else ""
