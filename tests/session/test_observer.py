"""What the observer sees of a Model, whom it asks for it, and what that costs."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from kubernetes.client import Configuration

from kubeai_notebook.cluster.client import Api, Cluster
from kubeai_notebook.session.observer import Observer, View
from kubeai_notebook.session.session import Session
from tests.conftest import SMOL
from tests.local.conftest import until
from tests.support.fake_api import CLAIMS, EVENTS, JOBS, MODELS, PODS, FakeApi, model, pod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "hf_AbCdEfGhIjKlMnOp"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi().in_thread() as api:
        for path in (MODELS, PODS, EVENTS, JOBS, CLAIMS):
            api.objects[path] = {}
        yield api


@pytest.fixture
def cluster(api: FakeApi) -> Iterator[Cluster]:
    cluster = Cluster(Api(Configuration(host=api.url)), "default")
    yield cluster
    cluster.close()


@pytest.fixture
def observer(cluster: Cluster) -> Iterator[Observer]:
    before = set(threading.enumerate())
    observer = Observer(cluster)
    observer.ready()
    yield observer
    began = time.perf_counter()
    observer.close()
    assert time.perf_counter() - began < 0.3
    assert set(threading.enumerate()) <= before


def event(name: str, kind: str, uid: str, message: str, reason: str = "Failed") -> dict[str, Any]:
    about = {"kind": kind, "name": name, "uid": uid}
    return {"metadata": {"name": f"{name}.1"}, "involvedObject": about, "reason": reason, "message": message}


def crashed(name: str, of: str, *, restarts: int = 1, **more: Any) -> dict[str, Any]:
    status = {
        "name": "server",
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
    }
    return pod(name, of, ready=False, containerStatuses=[status], **more)


def shown(observer: Observer, name: str, wanted: Callable[[View], bool]) -> View:
    """The first View that a listener is told and that is as wanted."""
    seen: list[View] = []
    told = threading.Event()

    def listener(view: View | None) -> None:
        if view is not None and wanted(view):
            seen.append(view)
            told.set()

    stop = observer.listen(name, listener)
    assert told.wait(10)
    stop()
    return seen[0]


def test_sees_the_events_of_the_model_and_of_its_pods_only(api, observer) -> None:
    api.change(MODELS, model("mine"))
    api.change(PODS, pod("model-mine-a-1", "mine", ready=False) | {})
    api.change(EVENTS, event("model-mine-a-1", "Pod", f"uid-{PODS}-model-mine-a-1", "of the Pod"))
    api.change(EVENTS, event("model-other-a-1", "Pod", "elsewhere", "of another"))
    api.change(EVENTS, event("web-1", "ReplicaSet", f"uid-{PODS}-model-mine-a-1", "of a ReplicaSet"))
    api.change(EVENTS, event("mine", "Model", f"uid-{MODELS}-mine", "of the Model"))
    view = shown(observer, "mine", lambda view: len(view.observation.events) == 2)
    assert {one["message"] for one in view.observation.events} == {"of the Pod", "of the Model"}
    assert [(one.name, one.ready, one.phase) for one in view.pods] == [("model-mine-a-1", False, "Running")]


def test_watches_jobs_and_claims_only_where_a_model_has_a_cache(api, observer) -> None:
    api.change(MODELS, model("plain"))
    shown(observer, "plain", lambda view: True)
    assert not [one for one in api.requests if "jobs" in one or "claims" in one]
    api.change(MODELS, model("cached", cacheProfile="nfs"))
    api.change(CLAIMS, {"metadata": {"name": "shared-model-cache-nfs"}, "status": {"phase": "Pending"}})
    api.change(
        EVENTS,
        event(
            "shared-model-cache-nfs",
            "PersistentVolumeClaim",
            f"uid-{CLAIMS}-shared-model-cache-nfs",
            'storageclass.storage.k8s.io "nfs" not found',
        ),
    )
    failed = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    api.change(JOBS, {"metadata": {"name": "load-cache-cached"}, "status": failed})
    api.change(JOBS, {"metadata": {"name": "somebody-elses"}, "status": {}})
    view = shown(observer, "cached", lambda view: bool(view.observation.jobs and view.observation.events))
    assert [one["metadata"]["name"] for one in view.observation.jobs] == ["load-cache-cached"]
    assert [one["metadata"]["name"] for one in view.observation.claims] == ["shared-model-cache-nfs"]
    assert [finding.code for finding in view.findings] == ["StorageClassNotFound"]


def test_reads_the_loaders_log(api, observer) -> None:
    waiting = {
        "name": "loader",
        "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1}},
    }
    api.logs["load-cache-cached-x/loader previous"] = (
        "GatedRepoError: 401 Client Error. Access to model org/repo is restricted"
    )
    api.change(MODELS, model("cached", cacheProfile="nfs"))
    labels = {"job-name": "load-cache-cached"}
    api.change(PODS, pod("load-cache-cached-x", "cached", ready=False, labels=labels, containerStatuses=[waiting]))
    view = shown(observer, "cached", lambda view: bool(view.observation.logs))
    assert view.observation.logs[0].container == "loader"
    assert view.observation.logs[0].text.startswith("GatedRepoError")


def test_offers_all_claims_where_the_urls_own_is_not_there(api, observer) -> None:
    api.change(MODELS, model("claimed", url="pvc://weihgts/m"))
    api.change(CLAIMS, {"metadata": {"name": "weights"}, "status": {"phase": "Bound"}})
    view = shown(observer, "claimed", lambda view: bool(view.observation.claims))
    assert [one["metadata"]["name"] for one in view.observation.claims] == ["weights"]


def test_reads_the_log_of_a_crash_once_for_each_run_and_masks_it(api, observer) -> None:
    spec = {"env": {"MY_API_KEY": "plain-word", "LEVEL": "plain"}}
    api.logs["model-m-a-1/server previous"] = f"starting with {TOKEN}\nplain-word was refused\nCUDA out of memory"
    api.change(MODELS, model("m", **spec))
    api.change(PODS, crashed("model-m-a-1", "m"))
    view = shown(observer, "m", lambda view: bool(view.observation.logs))
    tail = view.observation.logs[0]
    assert (tail.previous, tail.pod) == (True, "model-m-a-1")
    assert tail.text == "starting with ***\n*** was refused\nCUDA out of memory"
    for _ in range(5):
        observer.view("m")
    logs = [one for one in api.requests if one.endswith("/log")]
    assert len(logs) == 1
    api.change(PODS, crashed("model-m-a-1", "m", restarts=2))
    shown(observer, "m", lambda view: view.pods[0].restarts == 2 and bool(view.observation.logs))
    assert len([one for one in api.requests if one.endswith("/log")]) == 2


def test_asks_for_an_empty_log_a_few_times_and_then_no_more(api, observer, monkeypatch) -> None:
    monkeypatch.setattr("kubeai_notebook.cluster.logs.PAUSE_SECONDS", 0.0)
    api.change(MODELS, model("m"))
    api.change(PODS, crashed("model-m-a-1", "m"))
    shown(observer, "m", lambda view: bool(view.pods))
    for _ in range(8):
        observer.view("m")
    assert len([one for one in api.requests if one.endswith("/log")]) == 3


def test_follows_the_log_of_a_loading_pod_while_somebody_looks(api, observer) -> None:
    api.logs["model-m-a-1/server"] = "loading\n"
    api.change(MODELS, model("m"))
    api.change(PODS, pod("model-m-a-1", "m", ready=False))
    told: list[str] = []
    stop = observer.listen(
        "m", lambda view: told.append(view.observation.logs[0].text if view and view.observation.logs else "")
    )
    until(lambda: api.following, 5)
    api.logs["model-m-a-1/server"] += f"Retrying with token={TOKEN} after error\n"
    until(
        lambda: (
            observer.view("m").observation.logs[0].text.splitlines()[-1:] == ["Retrying with token=*** after error"]
        ),
        5,
    )
    stop()
    until(lambda: not api.following, 5)


def test_reads_no_log_of_a_pod_that_is_ready(api, observer) -> None:
    api.change(MODELS, model("m"))
    api.change(PODS, pod("model-m-a-1", "m"))
    shown(observer, "m", lambda view: view.status.phase == "Ready")
    assert not [one for one in api.requests if one.endswith("/log")]


@pytest.mark.parametrize(
    "spec",
    [
        {"engine": "FasterWhisper", "features": ["SpeechToText"]},
        {"engine": "VLLM", "adapters": [{"name": "a", "url": "hf://a/b"}]},
    ],
)
def test_reads_the_log_behind_a_ready_pod_where_failures_hide_there(spec, api, observer) -> None:
    api.logs["model-m-a-1/server"] = "one\ntwo\n"
    api.change(MODELS, model("m", **spec))
    api.change(PODS, pod("model-m-a-1", "m"))
    shown(observer, "m", lambda view: view.status.phase == "Ready")
    stop = observer.listen("m", lambda _view: None)
    until(lambda: api.following, 5)
    until(lambda: observer.view("m").observation.logs[0].text == "one\ntwo", 5)
    stop()


def test_looks_at_a_model_that_nobody_listens_to_without_a_stream(api, observer) -> None:
    api.logs["model-m-a-1/server"] = "loading\n"
    api.change(MODELS, model("m"))
    api.change(PODS, pod("model-m-a-1", "m", ready=False))
    until(lambda: observer.names() and observer.view("m").observation.logs, 5)
    assert observer.view("m").observation.logs[0].text == "loading"
    assert not api.following


def test_forgets_what_nobody_reads(api, observer) -> None:
    api.change(
        MODELS,
        model("m")
        | {
            "metadata": {
                **model("m")["metadata"],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "x", "mine": "y"},
            }
        },
    )
    api.change(PODS, pod("model-m-a-1", "m"))
    view = shown(observer, "m", lambda view: bool(view.pods))
    assert "managedFields" not in json.dumps([view.model, *view.observation.pods])
    assert view.model["metadata"]["annotations"] == {"mine": "y"}
    assert len(json.dumps(view.observation.pods[0])) < 2_000


def test_tells_only_whom_it_concerns(api, observer) -> None:
    told: dict[str, int] = {"a": 0, "b": 0}
    for name in told:
        api.change(MODELS, model(name))
        api.change(PODS, pod(f"model-{name}-a-1", name))
        shown(observer, name, lambda view: view.status.phase == "Ready")

        def listener(_view: View | None, name: str = name) -> None:
            told[name] += 1

        observer.listen(name, listener)
    until(lambda: told == {"a": 1, "b": 1}, 5)
    api.change(PODS, pod("model-a-a-1", "a", ready=False))
    until(lambda: told["a"] == 2, 5)
    assert told["b"] == 1


def test_asks_a_model_that_it_serves_once_whether_it_answers(daemon) -> None:
    session = Session(context="local")
    try:
        smol = session.serve(name="asked", **SMOL)
        session.observer.answer("asked")
        session.observer.answer("asked")
        smol.wait(120)
        until(lambda: smol.view.observation.answer, 30)
        answer = smol.view.observation.answer
        assert answer is not None
        assert answer.status == 200
        watcher = Session(context="local")
        assert watcher.attach("asked").view.observation.answer is None
        watcher.close()
        smol.delete()
    finally:
        session.close()


def test_leaves_a_sleeping_model_asleep(daemon) -> None:
    session = Session(context="local")
    try:
        asleep = session.serve(name="asleep", scaling={"min_replicas": 0}, **SMOL)
        session.observer.answer("asleep")
        asleep.wait(10)
        threading.Event().wait(0.3)
        assert asleep.view.status.phase == "Asleep"
        assert not [one for one in threading.enumerate() if "kubeai-probe" in one.name]
        asleep.delete()
    finally:
        session.close()


def test_holds_a_thousand_models_with_five_pods_each() -> None:
    command = [sys.executable, "-m", "tests.support.fake_api", "1000", "5"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    cluster = Cluster(Api(Configuration(host=url)), "default")
    observer = Observer(cluster)
    try:
        observer.ready()
        assert len(observer.names()) == 1000
        stops = [observer.listen(name, lambda _view: None) for name in observer.names()[:100]]
        gc.collect()
        grown = process.memory_info().rss - before
        assert grown < 100e6, f"{grown / 1e6:.0f} MB"
        watches = [one for one in threading.enumerate() if one.name.startswith("kubeai-watch")]
        assert len(watches) == 3
        threading.Event().wait(0.5)
        rested = process.cpu_times()
        threading.Event().wait(2)
        now = process.cpu_times()
        spent = now.user + now.system - rested.user - rested.system
        # The tests' own process may have other threads: the bar of 2 % is the benchmark's.
        assert spent / 2 < 0.05
        assert len(stops) == 100
    finally:
        observer.close()
        cluster.close()
        server.kill()
        server.wait()
