import gc
import weakref
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from kubeai_notebook.core.view import Link, View
from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.views import live

from .conftest import view_in

pytestmark = pytest.mark.usefixtures("built")


class FakeSession:
    """Stands for a Session whose publisher runs when `now_is` is called."""

    def __init__(self) -> None:
        self.cluster = SimpleNamespace(namespace="default")
        self.listeners: list[Callable[[View | None], None]] = []
        self.view: View | None = None

    def now_is(self, view: View | None) -> None:
        self.view = view
        for listener in tuple(self.listeners):
            listener(view)


class FakeModel:
    """As much of a Model as a card asks for."""

    def __init__(self, session: FakeSession, note: str = "") -> None:
        self.session, self.name, self.note = session, "smol", note

    @property
    def view(self) -> View:
        if self.session.view is None:
            raise NotFoundError("gone")
        return self.session.view

    def listen(self, listener: Callable[[View | None], None]) -> Callable[[], None]:
        self.session.listeners.append(listener)
        return lambda: self.session.listeners.remove(listener)


@pytest.fixture
def session() -> FakeSession:
    session = FakeSession()
    session.view = view_in("Loading")
    return session


def test_shows_at_once_and_follows(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session, note="smol is being served."))
    assert (widget.card["phase"], widget.card["note"]) == ("Loading", "smol is being served.")
    session.now_is(view_in("Ready", ready=1))
    assert (widget.card["phase"], widget.card["tone"], widget.card["note"]) == (
        "Ready",
        "good",
        "smol is being served.",
    )


def test_has_one_widget_and_one_listener_for_a_model(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session, note="smol is being served."))
    assert live.follow(FakeModel(session)) is widget
    assert widget.card["note"] == ""
    assert len(session.listeners) == 1


def test_has_a_widget_of_its_own_in_another_session(session: FakeSession) -> None:
    other = FakeSession()
    other.view = session.view
    assert live.follow(FakeModel(other)) is not live.follow(FakeModel(session))


def test_says_that_the_model_was_deleted(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session))
    session.now_is(None)
    session.now_is(None)
    assert (widget.card["phase"], widget.card["tone"]) == ("Deleted", "gone")
    assert [fact["label"] for fact in widget.card["facts"]] == ["Engine", "Profile", "Source"]


def test_revives_the_card_of_a_model_that_is_served_again(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session))
    session.now_is(None)
    session.now_is(view_in("Submitted"))
    assert widget.card["phase"] == "Submitted"
    assert live.follow(FakeModel(session)) is widget


def test_says_that_it_is_reconnecting(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session))
    session.now_is(view_in("Loading", link=Link("reconnecting", since_seconds=9.0)))
    assert (widget.card["link"], widget.card["link_since_seconds"]) == ("reconnecting", 9.0)


def test_asks_nothing_of_a_session_that_is_closing(session: FakeSession) -> None:
    widget = live.follow(FakeModel(session))
    del session.cluster
    session.now_is(view_in("Ready", ready=1))
    session.now_is(None)
    assert widget.card["phase"] == "Deleted"


def test_lets_a_session_go() -> None:
    session = FakeSession()
    session.view = view_in("Loading")
    subscriptions = session.listeners
    model = FakeModel(session)
    # A Session's observer knows nothing of its Session either.
    model.listen = lambda listener: subscriptions.clear  # type: ignore[method-assign]  # as it is in the real one
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
