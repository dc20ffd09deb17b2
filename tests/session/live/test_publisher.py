"""What the observer sees of a Model, whom it asks for it, and what that costs."""

from __future__ import annotations

import gc
import http.server
import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, ClassVar

import psutil
import pytest
from kubernetes.client import Configuration

from kubeai_notebook.cluster.client import Api, Cluster
from kubeai_notebook.session.live.publisher import Observer, View
from kubeai_notebook.session.session import Session
from tests.conftest import SMOL
from tests.local.conftest import until
from tests.session.conftest import shown
from tests.support.fake_api import CLAIMS, EVENTS, JOBS, MODELS, PODS, model, pod

if TYPE_CHECKING:
    from collections.abc import Iterator


def event(name: str, kind: str, uid: str, message: str, reason: str = "Failed") -> dict[str, Any]:
    about = {"kind": kind, "name": name, "uid": uid}
    return {"metadata": {"name": f"{name}.1"}, "involvedObject": about, "reason": reason, "message": message}


def test_sees_the_events_of_the_model_and_of_its_pods_only(canned, observer) -> None:
    canned.change(MODELS, model("mine"))
    canned.change(PODS, pod("model-mine-a-1", "mine", ready=False) | {})
    canned.change(EVENTS, event("model-mine-a-1", "Pod", f"uid-{PODS}-model-mine-a-1", "of the Pod"))
    canned.change(EVENTS, event("model-other-a-1", "Pod", "elsewhere", "of another"))
    canned.change(EVENTS, event("web-1", "ReplicaSet", f"uid-{PODS}-model-mine-a-1", "of a ReplicaSet"))
    canned.change(EVENTS, event("mine", "Model", f"uid-{MODELS}-mine", "of the Model"))
    view = shown(observer, "mine", lambda view: len(view.observation.events) == 2)
    assert {one["message"] for one in view.observation.events} == {"of the Pod", "of the Model"}
    assert [(one.name, one.ready, one.phase) for one in view.pods] == [("model-mine-a-1", False, "Running")]


def test_watches_jobs_and_claims_only_where_a_model_has_a_cache(canned, observer) -> None:
    canned.change(MODELS, model("plain"))
    shown(observer, "plain", lambda view: True)
    assert not [one for one in canned.requests if "jobs" in one or "claims" in one]
    canned.change(MODELS, model("cached", cacheProfile="nfs"))
    canned.change(CLAIMS, {"metadata": {"name": "shared-model-cache-nfs"}, "status": {"phase": "Pending"}})
    canned.change(
        EVENTS,
        event(
            "shared-model-cache-nfs",
            "PersistentVolumeClaim",
            f"uid-{CLAIMS}-shared-model-cache-nfs",
            'storageclass.storage.k8s.io "nfs" not found',
        ),
    )
    failed = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    canned.change(JOBS, {"metadata": {"name": "load-cache-cached"}, "status": failed})
    canned.change(JOBS, {"metadata": {"name": "somebody-elses"}, "status": {}})
    view = shown(observer, "cached", lambda view: bool(view.observation.jobs and view.observation.events))
    assert [one["metadata"]["name"] for one in view.observation.jobs] == ["load-cache-cached"]
    assert [one["metadata"]["name"] for one in view.observation.claims] == ["shared-model-cache-nfs"]
    assert [finding.code for finding in view.findings] == ["StorageClassNotFound"]


def test_offers_all_claims_where_the_urls_own_is_not_there(canned, observer) -> None:
    canned.change(MODELS, model("claimed", url="pvc://weihgts/m"))
    canned.change(CLAIMS, {"metadata": {"name": "weights"}, "status": {"phase": "Bound"}})
    view = shown(observer, "claimed", lambda view: bool(view.observation.claims))
    assert [one["metadata"]["name"] for one in view.observation.claims] == ["weights"]


def test_forgets_what_nobody_reads(canned, observer) -> None:
    canned.change(
        MODELS,
        model("m")
        | {
            "metadata": {
                **model("m")["metadata"],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "x", "mine": "y"},
            }
        },
    )
    canned.change(PODS, pod("model-m-a-1", "m"))
    view = shown(observer, "m", lambda view: bool(view.pods))
    assert "managedFields" not in json.dumps([view.model, *view.observation.pods])
    assert view.model["metadata"]["annotations"] == {"mine": "y"}
    assert len(json.dumps(view.observation.pods[0])) < 2_000


def test_tells_only_whom_it_concerns(canned, observer) -> None:
    told: dict[str, int] = {"a": 0, "b": 0}
    for name in told:
        canned.change(MODELS, model(name))
        canned.change(PODS, pod(f"model-{name}-a-1", name))
        shown(observer, name, lambda view: view.status.phase == "Ready")

        def listener(_view: View | None, name: str = name) -> None:
            told[name] += 1

        observer.listen(name, listener)
    until(lambda: told == {"a": 1, "b": 1}, 5)
    canned.change(PODS, pod("model-a-a-1", "a", ready=False))
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
    before, others = process.memory_info().rss, set(threading.enumerate())
    cluster = Cluster(Api(Configuration(host=url)), "default")
    observer = Observer(cluster)
    try:
        observer.ready()
        assert len(observer.names()) == 1000
        stops = [observer.listen(name, lambda _view: None) for name in observer.names()[:100]]
        gc.collect()
        grown = process.memory_info().rss - before
        assert grown < 100e6, f"{grown / 1e6:.0f} MB"
        own = set(threading.enumerate()) - others
        assert len([one for one in own if one.name.startswith("kubeai-watch")]) == 3
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


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[http.server.BaseHTTPRequestHandler]]:
    """A gateway that answers every request with ``status``."""

    class Handler(http.server.BaseHTTPRequestHandler):
        status = 500
        asked: ClassVar[list[dict]] = []

        def do_POST(self) -> None:
            self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(self.status)
            self.send_header("Content-Length", "21")
            self.end_headers()
            self.wfile.write(b'{"error": "no reason"}'[:21])

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("KUBEAI_ENDPOINT", f"127.0.0.1:{server.server_port}")
    yield Handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_explains_a_model_that_is_ready_and_does_not_answer(canned, observer, gateway) -> None:
    canned.change(MODELS, model("mute", features=["TextEmbedding"]))
    canned.change(PODS, pod("model-mute-a-1", "mute"))
    observer.answer("mute")
    view = shown(observer, "mute", lambda view: bool(view.findings))
    assert view.status.phase == "Ready"
    assert view.findings[0].code in ("GatewayError", "ReadyButNotAnswering")
    assert gateway.asked == [{"model": "mute", "input": ["Hi"], "encoding_format": "float"}]
    # Another Pod of the same hash is asked no more, one of another hash is.
    canned.change(PODS, pod("model-mute-a-2", "mute"))
    shown(observer, "mute", lambda view: len(view.pods) == 2)
    canned.change(PODS, pod("model-mute-a-1", "mute"), gone=True)
    new = pod("model-mute-a-2", "mute")
    new["metadata"]["labels"]["pod-hash"] = "other"
    canned.change(PODS, new)
    until(lambda: len(gateway.asked) == 2, 5)


@pytest.mark.parametrize("status", [401, 403])
def test_blames_no_model_for_a_right_that_is_missing(status, canned, observer, gateway) -> None:
    gateway.status = status
    canned.change(MODELS, model("well"))
    canned.change(PODS, pod("model-well-a-1", "well"))
    observer.answer("well")
    until(lambda: gateway.asked, 5)
    until(lambda: not [one for one in threading.enumerate() if "kubeai-probe" in one.name], 5)
    view = observer.view("well")
    assert (view.observation.answer, view.findings) == (None, ())
