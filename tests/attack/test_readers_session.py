"""Odd objects over HTTP, through the public Session: every row is there, every face answers."""

from __future__ import annotations

import threading
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubeai_notebook.core.spec_diff import changed_fields, readable, restarts_pods
from kubeai_notebook.deploy.history import remembered
from kubeai_notebook.deploy.scaling import scaled
from kubeai_notebook.session.session import Session
from tests.support import readers
from tests.support.attack import rounds
from tests.support.fake_api import EVENTS, MODELS, PODS, FakeApi, model, pod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SEED = 20261127


@pytest.fixture
def canned() -> Iterator[FakeApi]:
    with FakeApi.empty().in_thread() as api:
        yield api


@pytest.fixture
def connected(canned: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Session]]:
    """A Session on the canned objects, once they are all there."""
    opened: list[Session] = []
    config = {
        "clusters": [{"name": "c", "cluster": {"server": canned.url}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "canned", "context": {"cluster": "c", "user": "u", "namespace": "default"}}],
        "current-context": "canned",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config), encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))

    def connect() -> Session:
        opened.append(Session(context="canned"))
        return opened[-1]

    yield connect
    for session in opened:
        session.close()


def broken(item: dict[str, Any], random: Random, *parts: str) -> dict[str, Any]:
    """The object with these parts of it broken; what it is found by stays."""
    odd = readers.mutated({part: item.get(part) for part in parts}, random, random.randint(1, 4))
    return {**item, **odd} if isinstance(odd, dict) else item


def event(name: str, uid: str, **more: Any) -> dict[str, Any]:
    about = {"kind": "Pod", "name": name, "uid": uid}
    return {"metadata": {"name": f"{name}.1"}, "involvedObject": about, "reason": "Failed", "message": "no", **more}


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What ended a thread with a stack."""
    ended: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: ended.append(repr(args.exc_value)))
    return ended


@pytest.mark.finding("M14")
@pytest.mark.finding("M1")
def test_has_a_row_and_every_face_for_each_odd_model(
    canned: FakeApi, connected: Callable[[], Session], hooked: list[str]
) -> None:
    random, names = Random(SEED), [f"m{number:03}" for number in range(rounds(full=300, short=60))]
    for name in names:
        canned.put(MODELS, broken(model(name), random, "spec", "status"))
        made = pod(f"model-{name}-a-1", name, ready=random.random() < 0.5)
        canned.put(PODS, broken(made, random, "spec", "status"))
        said = event(f"model-{name}-a-1", f"uid-{PODS}-model-{name}-a-1", lastTimestamp="2026-11-22T20:00:00Z", count=2)
        canned.put(EVENTS, broken(said, random, "lastTimestamp", "count", "message", "reason", "type", "source"))
    session = connected()
    table = session.models()
    assert list(table["name"]) == names
    assert repr(table)
    for name in names:
        handle = session.attach(name)
        texts = [repr(handle), handle.yaml, repr(handle.why()), handle.report(), repr(handle.events())]
        texts += [text for text in handle._repr_mimebundle_().values() if text]
        assert all(texts)
        assert handle.logs() is not None
    assert hooked == []


@pytest.mark.finding("M1")
@pytest.mark.parametrize("spec", ["missing", None, [], "text", 7, {}, {"url": None}], ids=str)
def test_says_that_a_model_has_no_spec(canned: FakeApi, connected: Callable[[], Session], spec: Any) -> None:
    odd = model("odd")
    canned.put(MODELS, {key: value for key, value in {**odd, "spec": spec}.items() if value != "missing"})
    canned.put(MODELS, model("well"))
    rows = {row["name"]: row for _, row in connected().models().iterrows()}
    assert rows.keys() == {"odd", "well"}
    assert rows["well"]["engine"] == "VLLM"
    assert spec == {"url": None} or "no spec" in rows["odd"]["problem"]


def test_has_no_row_for_a_model_that_goes_meanwhile(canned: FakeApi, connected: Callable[[], Session]) -> None:
    for name in ("goes", "stays"):
        canned.put(MODELS, model(name))
    session = connected()
    session.models()
    listed = session.publisher.names()
    session.publisher.names = lambda: ["gone", *listed]  # type: ignore[method-assign] # as it was a moment ago
    assert list(session.models()["name"]) == ["goes", "stays"]


def test_reads_the_loaders_log_where_the_cache_fails(canned: FakeApi, connected: Callable[[], Session]) -> None:
    canned.put(MODELS, model("m", cacheProfile="standard", minReplicas=1) | {"status": {"cache": {"loaded": False}}})
    failed = {"name": "loader", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    failed["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    loader = pod("load-cache-m-x1", "m", ready=False, labels={"job-name": "load-cache-m"}, containerStatuses=[failed])
    canned.put(PODS, loader)
    canned.logs["load-cache-m-x1/loader"] = "401 Client Error: Unauthorized"
    handle = connected().attach("m")
    assert (handle.logs().pod, str(handle.logs())) == ("load-cache-m-x1", "401 Client Error: Unauthorized")


def test_tells_events_by_one_clock(canned: FakeApi, connected: Callable[[], Session]) -> None:
    canned.put(MODELS, model("m"))
    canned.put(PODS, pod("model-m-a-1", "m", ready=False))
    series = {"count": 57, "lastObservedTime": "2026-11-22T20:00:00.123456Z"}
    of_series = event(
        "model-m-a-1", f"uid-{PODS}-model-m-a-1", series=series, eventTime="2026-11-22T11:00:00.000000Z", count=None
    )
    canned.put(EVENTS, of_series)
    older = event("model-m-a-1", f"uid-{PODS}-model-m-a-1", lastTimestamp="2026-11-22T19:00:00Z", reason="Pulled")
    canned.put(EVENTS, {**older, "metadata": {"name": "older"}})
    events = connected().attach("m").events()
    assert list(events["reason"]) == ["Pulled", "Failed"]
    assert (str(events["last seen"].iloc[-1])[:19], int(events["count"].iloc[-1])) == ("2026-11-22 20:00:00", 57)


QUOTAS = "api/v1/namespaces/default/resourcequotas"


@pytest.mark.finding("M14")
def test_plans_and_checks_whatever_the_cluster_holds(canned: FakeApi, connected: Callable[[], Session]) -> None:
    random, names = Random(SEED), [f"m{number:03}" for number in range(rounds(full=120, short=25))]
    canned.objects[QUOTAS] = {}
    for name in names:
        odd = broken(model(name, args=["--a"], files=[{"path": "/a", "content": "b"}]), random, "spec", "status")
        canned.put(MODELS, odd)
        quota = {"metadata": {"name": name}, "status": {"hard": {"requests.cpu": "1k"}, "used": {"requests.cpu": "1"}}}
        canned.put(QUOTAS, broken(quota, random, "status"))
    session = connected()
    assert session.doctor().stations
    for name in names:
        found = session.publisher.view(name).model
        wanted = {"spec": {"url": "hf://org/other", "engine": "VLLM", "args": ["--b"], "files": []}}
        changes = changed_fields(found, wanted)
        assert isinstance(restarts_pods(found, changes), bool)
        assert readable(changes)
        assert remembered(found)
        assert scaled(found, 2)["spec"]
