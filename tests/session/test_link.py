"""What is shown while the link to the API is bad, and that nothing is missed when it is good again."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.cluster.timing import Timing
from kubeai_notebook.errors import ForbiddenError, UnreachableError
from kubeai_notebook.session.live.publisher import Publisher
from kubeai_notebook.session.session import Session
from tests.support.daemon import SMOL, Daemon, scripted_options
from tests.support.faults import answer_lost, broken, busy, cut_after, denied, history_forgotten, silent
from tests.support.faulty_api import FaultyApi
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeai_notebook.core.view import View

SLEEPING: dict[str, Any] = {"scaling": {"min_replicas": 0}, **SMOL}


@pytest.fixture
def api(daemon: str) -> Iterator[FaultyApi]:
    with FaultyApi(Path(daemon)) as api:
        yield api


@pytest.fixture
def session(api: FaultyApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "kubeconfig")))
    threads = set(threading.enumerate())
    session = Session()
    yield session
    api.faults.clear()
    for name in session.publisher.names():
        session.cluster.delete_model(name)
    session.close()
    until(lambda: not [one for one in set(threading.enumerate()) - threads if one.name.startswith("kubeai")])


class Told:
    """What a Subscription has for who looks at a Model."""

    def __init__(self, publisher: Publisher, name: str) -> None:
        self.changes = publisher.subscribe([name])
        self._name = name

    @property
    def view(self) -> View | None:
        return self.changes.latest(self._name)

    def link(self) -> str:
        return self.view.link.state if self.view else ""

    def annotations(self) -> dict[str, str]:
        return dict(self.view.model["metadata"].get("annotations") or {}) if self.view else {}


@pytest.fixture
def quick(session: Session) -> Iterator[Publisher]:
    """A publisher of its own, which gives a server that does not answer less time."""
    publisher = Publisher(session.cluster, Timing(open=0.5))
    publisher.ready()
    yield publisher
    publisher.close()


def direct(daemon: str) -> Daemon:
    """A client of the same daemon that no fault meets."""
    return Daemon(Path(daemon).parent)


def change(daemon: str, name: str, value: str) -> None:
    patch = {"metadata": {"annotations": {"seen": value}}}
    status, answer = direct(daemon).api("PATCH", f"/apis/kubeai.org/v1/namespaces/default/models/{name}", patch)
    assert status == 200, answer


def cut(api: FaultyApi) -> Callable[[], None]:
    api.stop()
    return api.start


def fail(api: FaultyApi) -> Callable[[], None]:
    api.faults.append(broken(500, verb="watch"))
    api.faults.append(broken(500, verb="list"))
    api.cut()
    return api.faults.clear


def overload(api: FaultyApi) -> Callable[[], None]:
    api.faults.append(busy("1", verb="watch"))
    api.cut()
    return api.faults.clear


def mute(api: FaultyApi) -> Callable[[], None]:
    api.faults.append(silent())
    api.cut()
    return lambda: (api.faults.clear(), api.cut())


@pytest.mark.parametrize("fault", [cut, fail, overload, mute])
def test_says_that_it_reconnects_and_since_when_and_then_catches_up(fault, session, quick, api, daemon) -> None:
    session.serve(name="linked", **SLEEPING)
    told = Told(quick, "linked")
    until(lambda: told.link() == "live")
    before = time.time()
    mend = fault(api)
    until(lambda: told.link() == "reconnecting")
    view = told.view
    assert view is not None
    assert before - 5 < view.link.since_seconds <= time.time()
    change(daemon, "linked", fault.__name__)
    mend()
    until(lambda: told.link() == "live" and told.annotations().get("seen") == fault.__name__, 20)


def test_catches_up_when_the_history_is_forgotten(session, api, daemon) -> None:
    session.serve(name="kept", **SLEEPING)
    session.serve(name="gone", **SLEEPING)
    kept, gone = Told(session.publisher, "kept"), Told(session.publisher, "gone")
    until(lambda: kept.link() == gone.link() == "live")
    api.faults.append(broken(500))
    api.cut()
    until(lambda: kept.link() == "reconnecting")
    change(daemon, "kept", "later")
    direct(daemon).delete("gone")
    api.faults[:] = [history_forgotten(resource="models", times=1)]
    # After some failures all is listed anew, which catches up before the next watch meets the fault.
    until(lambda: api.faults[0].times == 0, 20)
    until(lambda: kept.link() == "live" and kept.annotations().get("seen") == "later" and gone.view is None, 20)


def test_goes_on_after_a_watch_that_breaks_off_in_the_middle_of_an_event(session, api, daemon) -> None:
    session.serve(name="torn", **SLEEPING)
    told = Told(session.publisher, "torn")
    until(lambda: told.link() == "live")
    api.faults.append(cut_after(50, verb="watch", resource="models", times=1))
    api.cut()
    until(lambda: api.faults[0].times == 0)
    change(daemon, "torn", "whole")
    until(lambda: told.annotations().get("seen") == "whole", 20)


def test_leaves_no_orphan_when_the_answer_to_a_creation_is_lost(session, api) -> None:
    api.faults.append(answer_lost(verb="create", resource="models", times=1))
    model = session.serve(name="found", env={"A": "1"}, **SLEEPING)
    assert model.created
    assert session.publisher.names() == ["found"]
    model.delete()
    assert session.publisher.names() == []


def test_comes_back_when_an_expired_login_is_renewed(session, api, tmp_path) -> None:
    api.accepted_token = api.token
    session.serve(name="expired", **SLEEPING)
    told = Told(session.publisher, "expired")
    until(lambda: told.link() == "live")
    api.accepted_token = "renewed"
    api.cut()
    until(lambda: told.link() != "live")
    api.kubeconfig(tmp_path / "kubeconfig", token="renewed")
    session.cluster.api.login._renewed_at = float("-inf")
    until(lambda: told.link() == "live", 40)


@pytest.mark.parametrize(
    ("verb", "resource", "note"),
    [
        ("list", "pods", "only KubeAI's own count tells whether a Model is ready"),
        ("watch", "pods", "may not watch pods"),
        ("list", "events", "why a Pod waits may stay unknown"),
        ("get", "configmaps", "the chart's defaults are shown"),
    ],
)
def test_does_without_what_a_missing_right_takes_away(verb, resource, note, session, api) -> None:
    api.faults += [denied(verb, resource)] if verb == "watch" else [denied(verb, resource), denied("list", resource)]
    view = session.serve(name="poor", **SLEEPING).view
    assert view.status.phase == "Asleep"
    assert [one for one in view.notes if note in one]
    assert f'resources: ["{resource}"]' in view.notes[0]


def test_leaves_no_thread_where_models_may_not_be_seen(api, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "kubeconfig")))
    api.faults.append(denied("list", "models"))
    threads = set(threading.enumerate())
    session = Session()
    with pytest.raises(ForbiddenError, match="may not list models"):
        session.publisher.names()
    session.close()
    assert not [one for one in set(threading.enumerate()) - threads if one.name.startswith("kubeai")]


def test_asks_nothing_while_nothing_happens(session, api, daemon) -> None:
    session.serve(name="resting", **SLEEPING)
    told = Told(session.publisher, "resting")
    until(lambda: told.link() == "live")
    until(lambda: api.count("watch") >= 3)
    # What serving set going is over: of the views that are read from here on, none asks.
    until(lambda: session.publisher.view("resting").link.state == "live" and not busy_threads())
    before = len(api.requests)
    for _ in range(20):
        session.publisher.view("resting")
        session.publisher.views()
        told.changes.latest("resting")
    resting = float(os.environ.get("KUBEAI_TEST_REST_SECONDS", "8"))
    assert told.changes.until(lambda change: change.view.status.phase != "Asleep", resting) is None
    assert [str(one) for one in api.requests[before:]] == []
    assert sorted(str(one) for one in api.requests if one.verb == "watch") == [
        "watch events",
        "watch models",
        "watch pods",
    ]


def busy_threads() -> list[threading.Thread]:
    """Those of a publisher's pool."""
    kinds = ("kubeai-log", "kubeai-probe", "kubeai-dry-run", "kubeai-installation", "kubeai-heartbeat")
    return [one for one in threading.enumerate() if one.name.startswith(kinds)]


def test_sees_that_a_frozen_api_does_not_answer_and_catches_up_when_it_thaws(tmp_path, monkeypatch) -> None:
    daemon = Daemon(tmp_path / "home", *scripted_options(tmp_path), KUBEAI_LOCAL_TESTING="1")
    monkeypatch.setenv("KUBECONFIG", str(daemon.start()))
    pid = daemon.status()["pid"]
    session = Session()
    quick = Publisher(session.cluster, Timing(open=1.0, heartbeat_silence=1.0, heartbeat_answer=0.5))
    try:
        session.serve(name="frozen", force=True, **{**SMOL, "resource_profile": "nvidia-gpu-l4:1"})
        quick.ready()
        told = Told(quick, "frozen")
        until(lambda: told.view and told.view.status.phase == "Scheduling")
        os.kill(pid, signal.SIGSTOP)
        frozen_at = time.time()
        until(lambda: told.link() == "reconnecting", 15)
        assert told.view.link.since_seconds <= frozen_at + 1
        os.kill(pid, signal.SIGCONT)
        until(lambda: told.link() == "live", 20)
        session.attach("frozen").delete()
    finally:
        os.kill(pid, signal.SIGCONT)
        quick.close()
        session.close()
        daemon.stop()


def test_closes_at_once_while_the_api_is_frozen(tmp_path, monkeypatch) -> None:
    daemon = Daemon(tmp_path / "home")
    monkeypatch.setenv("KUBECONFIG", str(daemon.start()))
    pid = daemon.status()["pid"]
    session, other = Session(), Session()
    before = set(threading.enumerate())
    assert session.publisher.names() == []
    cluster = other.cluster

    def ask() -> None:
        with contextlib.suppress(UnreachableError):
            cluster.models()

    try:
        os.kill(pid, signal.SIGSTOP)
        waiting = threading.Thread(target=ask)
        waiting.start()
        other.close()
        session.close()
        # It is frozen still: whoever asked ends because we closed, long before any time-out.
        waiting.join(30)
        assert not waiting.is_alive()
        assert not [one for one in set(threading.enumerate()) - before if one.name.startswith("kubeai")]
    finally:
        os.kill(pid, signal.SIGCONT)
        daemon.stop()
