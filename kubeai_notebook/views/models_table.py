"""All Models of a Session as a live table, with a card below for those that its reader asks for.

One Subscription to all Models and one thread write it. A burst of changes, as when an autoscaler wakes fifty Models,
is one message: what is there already is taken together.
"""

from __future__ import annotations

import logging
import threading
import weakref
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import ipywidgets
import traitlets

from kubeai_notebook.errors import SessionClosedError
from kubeai_notebook.present.card import link_state
from kubeai_notebook.present.models_table import row_of, table_snapshot, table_text
from kubeai_notebook.present.wire import ModelsTable
from kubeai_notebook.session.model import Model
from kubeai_notebook.views.beside import Snapshots, kernel_listens

from .commands import take
from .live import follow, let_go
from .static_files import BuiltWidget
from .status_card import stamped

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.present.models_frame import ModelsFrame
    from kubeai_notebook.session.live.subscription import Change, Subscription
    from kubeai_notebook.session.session import Session

    from .status_card import StatusCard

_logger = logging.getLogger(__name__)


def live_models(session: Session | None = None) -> LiveModels | ModelsFrame:
    """All Models where you work, live; where no notebook listens, as `Session.models`.

    Raises:
        ClusterError: the Kubernetes API does not answer, or a right is missing.
    """
    from kubeai_notebook.session.session import default

    session = session or default()
    if not kernel_listens():
        return session.models()
    there = _tables().get(session)
    if there is None or there.ended:
        there = _tables()[session] = LiveModels(session)
    return there


@cache
def _tables() -> WeakKeyDictionary[Session, LiveModels]:
    """One a Session: a cell that runs again shows the same, and follows nothing twice."""
    return WeakKeyDictionary()


class Table(BuiltWidget):
    """The rows; ``take`` does what its buttons ask for."""

    built = "models_table"
    table = traitlets.Dict().tag(sync=True, to_json=stamped)
    """A ``ModelsTable`` as JSON."""

    def __init__(self, shown: ModelsTable, take: Callable[[object, Callable[[dict[str, Any]], None]], None]) -> None:
        super().__init__(table=shown.model_dump(mode="json"))
        self.on_msg(lambda _widget, content, _buffers: take(content, self.send))


class LiveModels(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The table, and below it the cards that were asked for; it ends with its Session."""

    def __init__(self, session: Session) -> None:
        self._session = weakref.ref(session)
        self._changes = session.subscribe()
        self._rows: dict[str, Change] = {}
        self._link: dict[str, Any] = {}
        self._where = str(session.where)
        self._snapshots = Snapshots(lambda: _still(self.shown))
        self._cards: dict[str, StatusCard] = {}
        self._place = f"table {id(self)}"
        self._lock = threading.Lock()  # each row's buttons are heard in a thread of their own
        self._take_all(self._changes)
        self.shown = self._now()
        """What is shown."""
        self._table = Table(self.shown, self._taken)
        super().__init__([self._table])
        threading.Thread(target=self._follow, name="kubeai-models", daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether nothing is followed any more."""
        return bool(self._changes.ended)

    def close(self) -> None:
        """End it, and the cards below it."""
        self._changes.close()
        with self._lock:
            shown, self._cards = self._cards, {}
        if session := self._session():
            for card in shown.values():
                let_go(session, card, self._place)
        self._snapshots.close()
        super().close()

    def _follow(self) -> None:
        for change in self._changes:
            try:
                self._note(change)
                self._take_all(self._changes)
                self._show()
            except Exception:  # the thread's outermost frame: the table goes on with the next Change
                _logger.exception("The table of Models could not be updated.")

    def _take_all(self, changes: Subscription) -> None:
        """Take the Changes that are there already."""
        try:
            changes.until(self._note, 0)
        except SessionClosedError:
            return  # its last Changes have said so

    def _note(self, change: Change) -> bool:
        if change.view is None:
            self._rows.pop(change.name, None)
        else:
            self._rows[change.name] = change
            link = change.view.link
            self._link = {"link": link_state(link), "link_since_seconds": link.since_seconds}
        return False

    def _now(self) -> ModelsTable:
        views = (self._rows[name].view for name in sorted(self._rows))
        rows = tuple(row_of(view) for view in views if view is not None)
        return ModelsTable(where=self._where, rows=rows, **self._link)

    def _show(self) -> None:
        before, self.shown = self.shown, self._now()
        self._table.table = self.shown.model_dump(mode="json")
        if before.rows != self.shown.rows:
            self._snapshots.renew()

    def _taken(self, content: object, send: Callable[[dict[str, Any]], None]) -> None:
        """Hand off what a row asks for; of Models that are not shown nothing is asked."""
        session, name = self._session(), content.get("name") if isinstance(content, dict) else None
        if session is not None and isinstance(name, str) and name in self._rows:
            take(session, name, content, send=send, show=self._toggle_card)

    def _toggle_card(self, name: str) -> str:
        """Show the Model's card below, or take it away; fifty rows below nobody would see it come."""
        session = self._session()
        with self._lock:
            taken = self._cards.pop(name, None)
            if taken is None and session is not None:
                self._cards[name] = follow(Model(session, name), self._place)
            self.children = (self._table, *(card.box for card in self._cards.values()))
            if taken is not None and session is not None:
                let_go(session, taken, self._place)
        return f"The card of {name} is below the table." if name in self._cards else ""

    def _ipython_display_(self) -> None:
        self._snapshots.show_beside(self)


def _still(shown: ModelsTable) -> dict[str, str]:
    return {"text/plain": table_text(shown), "text/html": table_snapshot(shown)}
