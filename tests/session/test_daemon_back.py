"""The daemon of this machine is stopped and started again: what is told meanwhile, and how soon the truth is back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from kubernetes.client import Configuration

from kubeai_notebook.cluster.client import Api, Cluster
from kubeai_notebook.cluster.timing import Timing
from kubeai_notebook.errors import CallError, NotFoundError, UnreachableError
from kubeai_notebook.present.card import card_of
from kubeai_notebook.present.snapshot import text_of
from kubeai_notebook.session.live.publisher import Publisher
from kubeai_notebook.session.session import Session
from tests.support.daemon import SCRIPTED, Daemon, scripted_options
from tests.support.fake_api import EVENTS, MODELS, PODS, FakeApi, model, pod
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kubeai_notebook.core.view import View
    from kubeai_notebook.session.live.subscription import Subscription

GONE = "KubeAI on this machine is not running."
TRUE_WITHIN_SECONDS = 3.0


class Clock:
    """Real time, and what is added to it."""

    later_seconds = 0.0

    def __call__(self) -> float:
        return time.time() + self.later_seconds


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path / "home", *scripted_options(tmp_path), KUBEAI_LOCAL_TESTING="1")
    monkeypatch.setenv("KUBECONFIG", str(daemon.start()))
    yield daemon
    daemon.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(daemon: Daemon, clock: Clock) -> Iterator[Session]:
    """A Session whose Model smol is Ready."""
    with Session(timing=Timing(now=clock, tick=0.05)) as session:
        session.serve(name="smol", url=SCRIPTED, engine="OLlama").wait(60)
        yield session


def lost_view(session: Session, changes: Subscription) -> View:
    """The Model once it is known why the link is lost; whatever is told until then was so before."""
    views = []
    while not (views and views[-1].link.message):
        change = changes.until(lambda _: True, 30)
        assert change is not None
        assert change.view is not None
        views.append(change.view)
    assert {view.status.phase for view in views} == {"Ready"}
    assert views[-1].link.message == GONE
    return session.publisher.view("smol")


def test_keeps_what_was_seen_and_says_first_that_it_is_not_connected(session, daemon, clock) -> None:
    with session.subscribe("smol") as changes:
        daemon.stop()
        lost = lost_view(session, changes)
        clock.later_seconds = 3600.0
        assert changes.until(lambda change: change.view.status.phase != "Ready", 0.5) is None
    assert session.publisher.view("smol").status == lost.status
    card = card_of(lost, namespace="default")
    assert (card.phase, card.tone, card.phase_since_seconds) == ("Ready", "warn", 0.0)
    _, first, second, *_ = text_of(card).splitlines()
    assert first.startswith("Not connected since ")
    assert second == f"{GONE} %kubeai_local start starts it."
    heading, _, row, _ = repr(session.models()).splitlines()
    assert heading.startswith("Not connected since ")
    assert GONE in heading
    assert row.startswith("smol Ready")


def test_refuses_a_call_with_what_starts_it(session, daemon) -> None:
    daemon.stop()
    with pytest.raises((CallError, UnreachableError)) as refused:
        session.attach("smol").complete("Hello")
    assert refused.value.message == GONE
    assert 'Session(context="local").models()' in refused.value.hint


def test_calls_no_model_absent_that_it_cannot_see(session, daemon) -> None:
    daemon.stop()
    with session.subscribe("smol") as changes:
        lost_view(session, changes)
    with pytest.raises(UnreachableError, match=GONE):
        session.attach("other")
    with session.subscribe("other") as changes:
        assert changes.until(lambda _: True, 0.2) is None
        daemon.start()
        change = changes.until(lambda _: True, TRUE_WITHIN_SECONDS)
        assert change is not None
        assert change.view is None
    with pytest.raises(NotFoundError):
        session.attach("other")


def test_tells_the_truth_soon_after_the_start(session, daemon) -> None:
    with session.subscribe("smol") as changes:
        daemon.stop()
        lost_view(session, changes)
        daemon.start()
        seen = []
        until(lambda: seen.append(session.publisher.view("smol")) or seen[-1].link.state == "live", TRUE_WITHIN_SECONDS)
        assert {view.status.phase for view in seen} <= {"Ready", "Submitted", "Scheduling", "Pulling", "Loading"}
    assert session.attach("smol").complete("Hello") == " scripted"
    assert not repr(session.models()).startswith("Not connected")


def test_serves_after_a_restart_and_sees_what_it_served(session, daemon) -> None:
    daemon.stop()
    daemon.start()
    served = session.serve(name="mine", url=SCRIPTED, engine="OLlama")
    assert served.view.status.desired == 1
    assert "Deleted" not in repr(served)


def test_takes_a_model_of_another_life_of_the_server_for_no_deletion() -> None:
    """Its versions count anew, and its Model has another uid."""
    old = FakeApi()
    with old.in_thread():
        for path in (MODELS, PODS, EVENTS):
            old.objects[path] = {}
        for number in range(20):
            old.put(MODELS, model(f"filler-{number}"))
        old.put(MODELS, model("lives"))
        port = urlsplit(old.url).port
        cluster = Cluster(Api(Configuration(host=old.url)), "default")
        publisher = Publisher(cluster, Timing(first_pause=0.1))
        publisher.ready()
    try:
        with publisher.subscribe(["lives"]) as changes:
            assert changes.until(lambda change: change.view.link.lost and change.view.link.message, 30)
            new = FakeApi(port)
            new.objects = {MODELS: {}, PODS: {}, EVENTS: {}}
            again = model("lives")
            new.put(MODELS, {**again, "metadata": {**again["metadata"], "uid": "another"}})
            new.put(PODS, pod("model-lives-a-1", "lives"))
            with new.in_thread():
                told = []
                assert changes.until(lambda change: told.append(change.view) or change.view.link.state == "live", 30)
                assert [view.uid for view in told][-1] == "another"
                until(lambda: publisher.view("lives").status.phase == "Ready")
                publisher.close()
    finally:
        publisher.close()
        cluster.close()
