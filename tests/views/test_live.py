import gc
import weakref
from types import SimpleNamespace

import pytest

from kubeai_notebook.core.view import Link, View
from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.session.live.subscription import Change, Subscription
from kubeai_notebook.views import live
from kubeai_notebook.views.status_card import StatusCard
from tests.support.views import view_in
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("built")


class FakeSession:
    """Stands for a Session whose publisher runs when `now_is` is called."""

    def __init__(self) -> None:
        self.cluster = SimpleNamespace(namespace="default")
        self.subscriptions: list[Subscription] = []
        self.view: View | None = None
        self._revision = 0

    def now_is(self, view: View | None) -> None:
        self.view, self._revision = view, self._revision + 1
        for changes in self.subscriptions:
            changes.put(Change("smol", view, self._revision))


class FakeModel:
    """As much of a Model as a card asks for."""

    def __init__(self, session: FakeSession, note: str = "") -> None:
        self.session, self.name, self.note = session, "smol", note

    @property
    def view(self) -> View:
        if self.session.view is None:
            raise NotFoundError("gone")
        return self.session.view

    def subscribe(self) -> Subscription:
        self.session.subscriptions.append(Subscription(["smol"]))
        return self.session.subscriptions[-1]


def shows(widget: StatusCard, phase: str) -> bool:
    """Whether the card comes to this phase: another thread writes it."""
    return until(lambda: widget.card["phase"] == phase, 5)


@pytest.fixture
def session() -> FakeSession:
    session = FakeSession()
    session.view = view_in("Loading")
    return session


def test_shows_at_once_and_follows(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session, note="smol is being served."))
    assert (widget.card["phase"], widget.card["note"]) == ("Loading", "smol is being served.")
    session.now_is(view_in("Ready", ready=1))
    assert shows(widget, "Ready")
    assert (widget.card["tone"], widget.card["note"]) == ("good", "smol is being served.")


def test_has_one_widget_and_one_subscription_for_a_model(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session, note="smol is being served."))
    assert live.follow(FakeModel(session)) is widget
    assert widget.card["note"] == ""
    assert len(session.subscriptions) == 1


def test_has_a_widget_of_its_own_in_another_session(session: FakeSession) -> None:
    other = FakeSession()
    other.view = session.view
    assert live.follow(FakeModel(other)) is not live.follow(FakeModel(session))


def test_says_that_the_model_was_deleted(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session))
    session.now_is(None)
    session.now_is(None)
    assert shows(widget, "Deleted")
    assert widget.card["tone"] == "gone"
    assert [fact["label"] for fact in widget.card["facts"]] == ["Engine", "Profile", "Source"]


def test_revives_the_card_of_a_model_that_is_served_again(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session))
    session.now_is(None)
    assert shows(widget, "Deleted")
    session.now_is(view_in("Submitted"))
    assert shows(widget, "Submitted")
    assert live.follow(FakeModel(session)) is widget


def test_says_that_it_is_reconnecting(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session))
    session.now_is(view_in("Loading", link=Link("reconnecting", since_seconds=9.0)))
    assert until(lambda: widget.card["link"] == "reconnecting", 5)
    assert widget.card["link_since_seconds"] == 9.0


def test_asks_nothing_of_a_session_that_is_closing(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session))
    del session.cluster
    session.now_is(view_in("Ready", ready=1))
    session.now_is(None)
    assert shows(widget, "Deleted")


def test_lets_a_session_go() -> None:
    session = FakeSession()
    session.view = view_in("Loading")
    model = FakeModel(session)
    live.follow(model)
    gone = weakref.ref(session)
    del session, model
    gc.collect()
    assert gone() is None


def test_leaves_a_model_that_is_gone_to_its_snapshot(session: FakeSession) -> None:
    session.view = None
    model = FakeModel(session, note="smol is being served.")
    with pytest.raises(NotFoundError):
        live.follow(model)
    first, *rest = live.bundle(model)["text/plain"].splitlines()
    assert first == "⊖ smol (default) Deleted"
    assert len(rest) == 1  # the time


def test_leaves_it_to_ipython_where_nobody_can_see_a_widget(session: FakeSession) -> None:
    with pytest.raises(NotImplementedError):
        live.show(FakeModel(session))
    assert "smol (default) Loading" in live.bundle(FakeModel(session))["text/plain"]
