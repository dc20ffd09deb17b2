import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from ipywidgets.widgets.widget import _instances

from kubeai_notebook.core.plan import Outcome, asked_of
from kubeai_notebook.core.view import Link, View
from kubeai_notebook.core.whereabouts import Whereabouts
from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.session.live.subscription import Change, Subscription
from kubeai_notebook.session.session import close_defaults
from kubeai_notebook.views import CardFace, live
from kubeai_notebook.views.status_card import StatusCard
from tests.support.views import view_in
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("built")


class FakeSession:
    """Stands for a Session whose publisher leaves a Change when `now_is` is called."""

    def __init__(self) -> None:
        self.where = Whereabouts(this_machine=True, namespace="default")
        self.cluster = SimpleNamespace(namespace="default", where=self.where)
        self.subscriptions: list[Subscription] = []
        self.view: View | None = None
        self.revision = 0

    def now_is(self, view: View | None) -> None:
        self.revision += 1
        self.view = view and replace(view, revision=self.revision)
        for subscription in self.subscriptions:
            subscription.put(Change("smol", self.view, self.revision))


class FakeModel:
    """As much of a Model as a card asks for."""

    def __init__(self, session: FakeSession, note: str = "", outcome: Outcome | None = None) -> None:
        self.session, self.name, self.outcome = session, "smol", outcome
        self.note = outcome.note if outcome else note

    @property
    def view(self) -> View:
        if self.session.view is None:
            raise NotFoundError("gone")
        return self.session.view

    def subscribe(self) -> Subscription:
        self.session.subscriptions.append(Subscription([self.name]))
        return self.session.subscriptions[-1]


def shows(widget: StatusCard, **fields: str) -> bool:
    """Wait until the card says this."""
    return until(lambda: all(widget.card[key] == value for key, value in fields.items()))


@pytest.fixture
def session() -> Iterator[FakeSession]:
    close_defaults()  # where a test before has left some, its place would count as where a magic looks
    session = FakeSession()
    session.now_is(view_in("Loading"))
    yield session
    for subscription in session.subscriptions:
        subscription.close()


def test_shows_at_once_and_follows(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session, note="smol is being served."))
    assert (widget.card["phase"], widget.card["note"]) == ("Loading", "smol is being served.")
    session.now_is(view_in("Ready", ready=1))
    assert shows(widget, phase="Ready", tone="good", note="smol is being served.")


def test_keeps_what_each_cell_did_on_its_card(session: FakeSession) -> None:
    served = live.follow(FakeModel(session, note="smol is served."))
    scaled = live.follow(FakeModel(session, note="smol is scaled to 2."))
    looked = live.follow(FakeModel(session))
    session.now_is(view_in("Ready", ready=1))
    for widget, note in ((served, "smol is served."), (scaled, "smol is scaled to 2."), (looked, "")):
        assert shows(widget, phase="Ready", note=note)
    assert len(session.subscriptions) == 1


def test_keeps_what_a_cell_did_when_the_model_is_gone(session: FakeSession) -> None:
    fixed = live.follow(FakeModel(session, note="Fix 1 is applied."))
    session.now_is(None)
    detail = "It was there when this cell ran, and was deleted later."
    assert shows(fixed, phase="Deleted", note="Fix 1 is applied.", detail=detail)


def asking(phase: str, **spec: Any) -> View:
    """A View of the Model when it is asked for this."""
    view = view_in(phase)
    view.model["spec"].update(spec)
    return view


def test_says_of_a_model_that_was_changed_since_what_was_done_earlier(session: FakeSession) -> None:
    paused = asking("Paused", autoscalingDisabled=True, replicas=0)
    session.now_is(paused)
    outcome = Outcome(action="paused", name="smol", note="smol is paused.", asked=asked_of(paused.model))
    widget = live.follow(FakeModel(session, outcome=outcome))
    assert widget.card["note"] == "smol is paused."
    session.now_is(asking("Ready", replicas=1))
    assert shows(widget, phase="Ready", note="Earlier: smol is paused.")
    assert "Earlier: smol is paused." in live.bundle(FakeModel(session, outcome=outcome))["text/plain"]
    session.now_is(paused)
    assert shows(widget, phase="Paused", note="smol is paused.")
    session.now_is(None)
    assert shows(widget, phase="Deleted", note="Earlier: smol is paused.")


def test_takes_a_number_of_replicas_that_kubeai_writes_for_no_change(session: FakeSession) -> None:
    asleep = asking("Asleep", replicas=0)
    outcome = Outcome(action="created", name="smol", note="smol is created.", asked=asked_of(asleep.model))
    session.now_is(asleep)
    widget = live.follow(FakeModel(session, outcome=outcome))
    session.now_is(asking("Ready", replicas=1))
    assert shows(widget, phase="Ready", note="smol is created.")


def test_shares_a_card_among_cells_that_did_the_same(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session, note="smol is served already."))
    assert live.follow(FakeModel(session, note="smol is served already.")) is widget
    assert live.follow(FakeModel(session)) is live.follow(FakeModel(session))


def test_follows_as_many_cards_of_a_model_and_no_more(session: FakeSession) -> None:
    first, *others = [
        live.follow(FakeModel(session, note=f"smol is scaled to {number}.")) for number in range(live.KEPT_CARDS + 1)
    ]
    session.now_is(view_in("Ready", ready=1))
    assert all(shows(widget, phase="Ready", link="live") for widget in others)
    assert shows(first, phase="Loading", link="closed", note="smol is scaled to 0.")


def test_has_a_widget_of_its_own_in_another_session(session: FakeSession) -> None:
    other = FakeSession()
    other.view = session.view
    assert live.follow(FakeModel(other)) is not live.follow(FakeModel(session))


def test_says_that_the_model_was_deleted(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session))
    session.now_is(None)
    session.now_is(None)
    assert shows(widget, phase="Deleted", tone="gone")
    assert [fact["label"] for fact in widget.card["facts"]] == ["Engine", "Profile", "Source"]


def test_revives_the_card_of_a_model_that_is_served_again(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session))
    session.now_is(None)
    assert shows(widget, phase="Deleted")
    session.now_is(view_in("Submitted"))
    assert shows(widget, phase="Submitted")
    assert live.follow(FakeModel(session)) is widget


def test_says_that_it_is_reconnecting(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session))
    session.now_is(view_in("Loading", link=Link("reconnecting", since_seconds=9.0)))
    assert shows(widget, link="reconnecting", link_since_seconds=9.0)


def test_asks_nothing_of_a_session_that_is_closing(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session))
    del session.cluster
    session.now_is(view_in("Ready", ready=1))
    session.now_is(None)
    assert shows(widget, phase="Deleted")


def test_lets_a_session_go() -> None:
    session = FakeSession()
    session.now_is(view_in("Loading"))
    model = FakeModel(session)
    live.follow(model)
    gone, changes = weakref.ref(session), session.subscriptions[0]
    del session, model
    gc.collect()
    assert gone() is None
    changes.close()


def test_leaves_a_model_that_is_gone_to_its_snapshot(session: FakeSession) -> None:
    session.view = None
    model = FakeModel(session, note="smol is being served.")
    with pytest.raises(NotFoundError):
        live.follow(model)
    first, *rest = live.bundle(model)["text/plain"].splitlines()
    assert first == "⊖ smol (on this machine) Deleted"
    assert len(rest) == 1  # the time


def test_leaves_it_to_ipython_where_nobody_can_see_a_widget(session: FakeSession) -> None:
    with pytest.raises(NotImplementedError):
        live.show(FakeModel(session))
    assert "smol (on this machine) Loading" in live.bundle(FakeModel(session))["text/plain"]


def test_shows_nothing_older_than_it_showed(session: FakeSession) -> None:
    older, phases = session.view, []
    session.now_is(view_in("Ready", ready=1))
    widget = live.follow(FakeModel(session))
    widget.observe(lambda changed: phases.append(changed["new"]["phase"]), "card")
    session.subscriptions[0].put(Change("smol", older, older.revision))
    until(lambda: not session.subscriptions[0]._pending)
    session.now_is(view_in("Degraded", ready=1, desired=2))
    assert shows(widget, phase="Degraded")
    assert phases == ["Degraded"]


def test_keeps_cards_of_as_many_models_that_are_gone_and_no_more(session: FakeSession) -> None:
    first = live.follow(FakeModel(session))
    session.now_is(None)
    assert shows(first, phase="Deleted")
    come_and_go(session, live.KEPT_GONE)
    changes = session.subscriptions[0]
    assert until(lambda: not changes.covers("smol"))
    assert changes.covers("short-0")


def test_counts_no_model_as_gone_that_is_there_again(session: FakeSession) -> None:
    first = live.follow(FakeModel(session))
    session.now_is(None)
    assert shows(first, phase="Deleted")
    session.now_is(view_in("Loading"))
    assert shows(first, phase="Loading")
    come_and_go(session, live.KEPT_GONE)
    assert session.subscriptions[0].covers("smol")


def test_lets_go_of_the_model_that_went_first_whichever_was_shown_first(session: FakeSession) -> None:
    first = live.follow(FakeModel(session))
    come_and_go(session, live.KEPT_GONE)
    session.now_is(None)
    assert shows(first, phase="Deleted")
    changes = session.subscriptions[0]
    assert until(lambda: not changes.covers("short-0"))
    assert changes.covers("smol")


def come_and_go(session: FakeSession, count: int) -> None:
    """So many other Models are shown and are deleted, one after the other."""
    for number in range(count):
        name = f"short-{number}"
        model = FakeModel(session)
        model.name, session.view = name, named(name)
        widget = live.follow(model)
        session.revision += 1
        session.subscriptions[0].put(Change(name, None, session.revision))
        assert shows(widget, phase="Deleted")


def named(name: str) -> View:
    """The View of a Model of this name."""
    view = view_in("Loading")
    return replace(view, observation=replace(view.observation, model={**view.model, "metadata": {"name": name}}))


class FakeKernel:
    """The kernel in which a cell runs."""

    def __init__(self) -> None:
        self._runs = 0
        self._parent: dict[str, Any] = {}

    def runs(self, cell: str) -> None:
        self._runs += 1
        self._parent = {"header": {"msg_id": str(self._runs)}, "metadata": {"cellId": cell}}

    def get_parent(self) -> dict[str, Any]:
        return self._parent


def living(session: FakeSession) -> list[str]:
    """The notes of smol's cards that are followed."""
    return [done.note for done in live._cards_by_session()[session]._shown["smol"].widgets]


def test_follows_once_however_often_a_cell_runs(session: FakeSession) -> None:
    kernel = FakeKernel()
    for _ in range(20):
        kernel.runs("a")
        live.show(FakeModel(session), kernel)
    assert (len(session.subscriptions), living(session)) == (1, [""])


def test_closes_the_card_of_a_cell_that_ran_again(session: FakeSession) -> None:
    kernel = FakeKernel()
    before = set(_instances)
    for number in range(20):
        kernel.runs("a")
        live.show(FakeModel(session, note=f"smol is scaled to {number}."), kernel)
    assert len(set(_instances) - before) == 4  # the last card and its box, each with its layout
    assert (len(session.subscriptions), living(session)) == (1, ["smol is scaled to 19."])


def test_looks_away_from_a_model_of_which_no_card_is_left(session: FakeSession) -> None:
    kernel = FakeKernel()
    kernel.runs("a")
    live.show(FakeModel(session), kernel)
    changes = session.subscriptions[0]
    other = FakeModel(session)
    other.name, session.view = "other", named("other")
    kernel.runs("a")
    live.show(other, kernel)
    assert changes.names == {"other"}
    kernel.runs("b")
    session.view = view_in("Ready", ready=1)
    live.show(FakeModel(session), kernel)
    assert changes.names == {"other", "smol"}


@pytest.mark.parametrize("elsewhere", [False, True], ids=["shown nowhere else", "shown in a cell too"])
def test_lets_a_card_go_that_is_taken_away(session: FakeSession, elsewhere: bool) -> None:
    widget, kernel = live.follow(FakeModel(session), "a table"), FakeKernel()
    if elsewhere:
        kernel.runs("a")
        live.show(FakeModel(session), kernel)
    live.let_go(session, widget, "a table")
    live.let_go(session, widget, "a table")
    assert session.subscriptions[0].covers("smol") is elsewhere
    assert (widget.comm is not None) is elsewhere


def test_keeps_the_cards_of_one_run_and_those_of_other_cells(session: FakeSession) -> None:
    kernel = FakeKernel()
    kernel.runs("a")
    live.show(FakeModel(session, note="smol is served."), kernel)
    live.show(FakeModel(session), kernel)
    kernel.runs("b")
    live.show(FakeModel(session), kernel)
    assert living(session) == ["smol is served.", ""]
    kernel.runs("a")
    live.show(FakeModel(session, note="smol is served already."), kernel)
    assert living(session) == ["", "smol is served already."]


@pytest.mark.parametrize("cell", ["a", ""], ids=["a form has it too", "the cell has no name"])
def test_closes_no_card_that_may_be_shown_elsewhere(session: FakeSession, cell: str) -> None:
    kernel = FakeKernel()
    kernel.runs(cell)
    live.show(FakeModel(session), kernel)
    if cell:
        live.follow(FakeModel(session))
    kernel.runs(cell)
    live.show(FakeModel(session, note="smol is scaled to 2."), kernel)
    assert living(session) == ["", "smol is scaled to 2."]


def test_is_a_widget_where_no_ipython_displays_it(session: FakeSession) -> None:
    assert CardFace().widget(FakeModel(session)) is live.follow(FakeModel(session))
    session.view = None
    gone = FakeModel(session)
    assert CardFace().widget(gone) == repr(gone)
