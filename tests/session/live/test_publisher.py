"""What the publisher sees of a Model, whom it asks for it, and what that costs."""

from __future__ import annotations

import copy
import http.server
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from kubeai_notebook.session.live.observe import view_of
from kubeai_notebook.session.live.subscription import ALL
from kubeai_notebook.session.session import Session
from kubeai_notebook.session.waiting import hashes_of, look_at, look_at_all, wait_ready, wait_seen
from tests.session.conftest import QUICK
from tests.session.live.seen import crashed, seen
from tests.support.daemon import SMOL
from tests.support.fake_api import CLAIMS, EVENTS, JOBS, MODELS, PODS, model, pod
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.view import View
    from kubeai_notebook.session.live.publisher import Publisher


def event(name: str, kind: str, uid: str, message: str, reason: str = "Failed") -> dict[str, Any]:
    about = {"kind": kind, "name": name, "uid": uid}
    return {"metadata": {"name": f"{name}.1"}, "involvedObject": about, "reason": reason, "message": message}


def test_sees_the_events_of_the_model_and_of_its_pods_only(canned, publisher) -> None:
    canned.change(MODELS, model("mine"))
    canned.change(PODS, pod("model-mine-a-1", "mine", ready=False) | {})
    canned.change(EVENTS, event("model-mine-a-1", "Pod", f"uid-{PODS}-model-mine-a-1", "of the Pod"))
    canned.change(EVENTS, event("model-other-a-1", "Pod", "elsewhere", "of another"))
    canned.change(EVENTS, event("web-1", "ReplicaSet", f"uid-{PODS}-model-mine-a-1", "of a ReplicaSet"))
    canned.change(EVENTS, event("mine", "Model", f"uid-{MODELS}-mine", "of the Model"))
    # An Event of which nothing follows is no news, but it is there.
    until(lambda: publisher.names() and len(publisher.view("mine").observation.events) == 2)
    view = publisher.view("mine")
    assert {one["message"] for one in view.observation.events} == {"of the Pod", "of the Model"}
    assert [(one.name, one.ready, one.phase) for one in view.pods] == [("model-mine-a-1", False, "Running")]


def test_watches_jobs_and_claims_only_where_a_model_has_a_cache(canned, publisher) -> None:
    canned.change(MODELS, model("plain"))
    seen(publisher, "plain", lambda _view: True)
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

    def is_whole(view: View) -> bool:  # it comes by three watches
        return bool(view.observation.jobs and view.observation.claims and view.findings)

    view = seen(publisher, "cached", is_whole)
    assert [one["metadata"]["name"] for one in view.observation.jobs] == ["load-cache-cached"]
    assert [one["metadata"]["name"] for one in view.observation.claims] == ["shared-model-cache-nfs"]
    assert [finding.code for finding in view.findings] == ["StorageClassNotFound"]


def test_stays_failing_with_its_reason_while_the_next_try_runs(canned, publisher) -> None:
    def at(seconds: float) -> str:
        return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()

    canned.logs["model-m-a-1/server previous"] = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"
    canned.change(MODELS, model("m"))
    failed = crashed("model-m-a-1", "m")
    status = failed["status"]["containerStatuses"][0]
    status["lastState"]["terminated"] |= {"startedAt": at(-60), "finishedAt": at(-20)}
    canned.change(PODS, copy.deepcopy(failed))
    before = seen(publisher, "m", lambda view: bool(view.observation.logs))
    status |= {"restartCount": 2, "state": {"running": {"startedAt": at(0)}}}
    failed["metadata"]["labels"]["try"] = "third"
    canned.change(PODS, failed)
    until(lambda: publisher.view("m").observation.pods != before.observation.pods)
    tries = publisher.view("m")
    assert (before.status.phase, tries.status.phase) == ("Failing", "Failing")
    assert tries.findings == before.findings


def test_offers_all_claims_where_the_urls_own_is_not_there(canned, publisher) -> None:
    canned.change(MODELS, model("claimed", url="pvc://weihgts/m"))
    canned.change(CLAIMS, {"metadata": {"name": "weights"}, "status": {"phase": "Bound"}})
    with publisher.subscribe(["claimed"]):
        until(lambda: publisher.names() and publisher.view("claimed").observation.claims)
    view = publisher.view("claimed")
    assert [one["metadata"]["name"] for one in view.observation.claims] == ["weights"]


def test_forgets_what_nobody_reads(canned, publisher) -> None:
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
    view = seen(publisher, "m", lambda view: bool(view.pods))
    assert "managedFields" not in json.dumps([view.model, *view.observation.pods])
    assert view.model["metadata"]["annotations"] == {"mine": "y"}
    assert len(json.dumps(view.observation.pods[0])) < 2_000


def test_leaves_a_change_only_with_whom_it_concerns(canned, publisher) -> None:
    for name in ("a", "b"):
        canned.change(MODELS, model(name))
        canned.change(PODS, pod(f"model-{name}-a-1", name))
        seen(publisher, name, lambda view: view.status.phase == "Ready")
        look_at(publisher, name)
    with publisher.subscribe(["a"]) as of_a, publisher.subscribe(["b"]) as of_b:
        assert (next(of_a).name, next(of_b).name) == ("a", "b")
        canned.change(PODS, pod("model-a-a-1", "a", ready=False))
        assert of_a.until(lambda change: change.view.status.phase == "Loading", 30)
        canned.change(PODS, pod("model-b-a-1", "b", ready=False))
        assert next(of_b).view.status.phase == "Loading"


def test_makes_one_view_of_a_change_for_all_subscriptions(canned, publishers) -> None:
    made: list[str] = []

    def counted(model, **known):
        made.append(model["metadata"]["name"])
        return view_of(model, **known)

    publisher = publishers(make_view=counted)
    canned.change(MODELS, model("m", minReplicas=0, replicas=0))
    seen(publisher, "m", lambda view: view.status.phase == "Asleep")
    subscriptions = [publisher.subscribe(ALL if number % 2 else ["m"]) for number in range(20)]
    before = [next(subscription).view for subscription in subscriptions]
    made.clear()
    assert [publisher.view("m") for _ in range(5)] == [publisher.views()[0]] * 5
    assert made == []
    changed = model("m", minReplicas=0, replicas=0)
    changed["metadata"]["annotations"] = {"mine": "y"}
    canned.change(MODELS, changed)
    after = [next(subscription).view for subscription in subscriptions]
    assert made == ["m"]
    assert len({id(view) for view in before}) == len({id(view) for view in after}) == 1
    assert after[0].revision > before[0].revision


def test_makes_no_view_anew_of_a_ready_model_of_which_there_is_no_news(canned, publishers) -> None:
    made: list[str] = []

    def counted(model, **known):
        made.append(model["metadata"]["name"])
        return view_of(model, **known)

    publisher = publishers(make_view=counted)
    for name, ready in (("m", True), ("late", False)):
        canned.change(MODELS, model(name))
        canned.change(PODS, pod(f"model-{name}-a-1", name, ready=ready))
    with publisher.subscribe(["m", "late"]) as changes:
        assert changes.until(lambda change: change.name == "m" and change.view and change.view.status.well, 30)
        until(lambda: "GET api/v1/namespaces/default/pods/model-m-a-1/log" in canned.requests)
        made.clear()
        # That of one that is not ready is made anew at each tick.
        until(lambda: made[-10:] == ["late"] * 10, 20)


def test_spends_little_on_many_failing_models_though_each_is_dear(canned, publishers) -> None:
    """A tick that takes so long is followed by none for hours; what is news is shown all the same."""
    made: list[str] = []

    def counted(model, **known):
        made.append(model["metadata"]["name"])
        return view_of(model, **known)

    names = [f"m{number}" for number in range(4)]
    for name in names:
        canned.change(MODELS, model(name))
        canned.change(PODS, pod(f"model-{name}-a-1", name, ready=False))
    publisher = publishers(replace(QUICK, tick_share=1e-9), make_view=counted)
    with publisher.subscribe(names):
        for number in range(20):
            before = made.count("m0")
            changed = model("m0")
            changed["metadata"]["annotations"] = {"mine": str(number)}
            canned.change(MODELS, changed)
            until(lambda before=before: made.count("m0") > before)
    # Made at first, as their logs come, and in one tick.
    assert max(made.count(name) for name in names[1:]) < 8


def test_tells_all_who_asked_for_all_what_comes_and_goes(canned, publisher) -> None:
    with publisher.subscribe(ALL) as changes:
        canned.change(MODELS, model("m"))
        came = next(changes)
        canned.change(MODELS, model("m"), gone=True)
        went = changes.until(lambda change: change.view is None, 30)
    assert came.view.name == went.name == "m"
    assert went.revision > came.revision


def test_goes_on_with_the_others_where_one_view_cannot_be_made(canned, publishers, caplog) -> None:
    def odd(model, **known):
        if model["metadata"]["name"] == "odd":
            raise KeyError("status")
        return view_of(model, **known)

    with publishers(make_view=odd).subscribe(ALL) as changes:
        canned.change(MODELS, model("odd"))
        canned.change(MODELS, model("even"))
        assert changes.until(lambda change: change.name == "even", 30)
    assert "The View of the Model odd could not be made." in caplog.text


def test_learns_of_a_model_that_is_ready_where_the_diagnosis_fails(canned, publishers, caplog) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a rule")

    publisher = publishers(make_view=partial(view_of, conclude=broken))
    canned.change(MODELS, model("m"))
    canned.change(PODS, pod("model-m-a-1", "m", ready=False))
    seen(publisher, "m", lambda view: view.status.phase == "Loading")
    canned.change(PODS, pod("model-m-a-1", "m"))
    wait_ready(SimpleNamespace(publisher=publisher), "m", 10)
    assert "The diagnosis of m failed." in caplog.text


def test_asks_what_is_due_also_where_a_reader_had_the_view_made(canned, publisher) -> None:
    canned.silent_logs.add("model-m-a-1")
    canned.change(MODELS, model("m"))
    with publisher.subscribe(["m"]) as changes:
        canned.change(PODS, crashed("model-m-a-1", "m"))
        # The reader may be before the publisher's thread, which rests a little after each Change.
        until(lambda: publisher.names() and publisher.view("m").status.stopped)
        # A view that the reader had made tells that it stopped, and the next that its log is being asked for.
        assert changes.until(lambda change: change.view and change.view.status.stopped and change.view.pending, 30)


def test_forgets_what_was_asked_about_a_model_that_is_gone(canned, publisher, gateway) -> None:
    for name in ("a", "b", "c"):
        canned.change(MODELS, model(name))
        canned.change(PODS, crashed(f"model-{name}-a-1", name))
        view = seen(publisher, name, lambda view: bool(view.status.stopped))
        publisher.test(name, view.uid)
        canned.change(PODS, crashed(f"model-{name}-a-1", name), gone=True)
        canned.change(MODELS, model(name), gone=True)
        with publisher.subscribe([name]) as changes:
            assert changes.until(lambda change: change.view is None, 30)
    assert [part for part in held_by(publisher) if part] == []


def held_by(publisher: Publisher) -> Iterator[Any]:
    """What a publisher and its tasks hold by Model."""
    tasks = publisher._tasks
    yield from (
        publisher._known,
        publisher._stale,
        publisher._to_attend,
        publisher._fresh,
        publisher._tested,
        publisher._moments._seen,
    )
    yield from (tasks._logs._kept, tasks._probes._answers, tasks._dry_runs._refusals)


def test_asks_a_model_that_it_serves_once_whether_it_answers(daemon) -> None:
    session = Session(context="local")
    try:
        smol = session.serve(name="asked", **SMOL)
        session.publisher.test("asked", smol.view.uid)
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


def test_explains_a_model_that_is_ready_and_does_not_answer(canned, publisher, gateway) -> None:
    canned.change(MODELS, model("mute", features=["TextEmbedding"]))
    canned.change(PODS, pod("model-mute-a-1", "mute"))
    publisher.test("mute", seen(publisher, "mute", lambda _view: True).uid)
    view = seen(publisher, "mute", lambda view: bool(view.findings))
    assert view.status.phase == "Ready"
    assert view.findings[0].code in ("GatewayError", "ReadyButNotAnswering")
    assert gateway.asked == [{"model": "mute", "input": ["Hi"], "encoding_format": "float"}]
    # Another Pod of the same hash is asked no more, one of another hash is.
    canned.change(PODS, pod("model-mute-a-2", "mute"))
    seen(publisher, "mute", lambda view: len(view.pods) == 2)
    canned.change(PODS, pod("model-mute-a-1", "mute"), gone=True)
    new = pod("model-mute-a-2", "mute")
    new["metadata"]["labels"]["pod-hash"] = "other"
    canned.change(PODS, new)
    until(lambda: len(gateway.asked) == 2)


@pytest.mark.parametrize("status", [401, 403])
def test_blames_no_model_for_a_right_that_is_missing(status, canned, publisher, gateway) -> None:
    gateway.status = status
    canned.change(MODELS, model("well"))
    canned.change(PODS, pod("model-well-a-1", "well"))
    publisher.test("well", seen(publisher, "well", lambda _view: True).uid)
    until(lambda: gateway.asked)
    until(lambda: not [one for one in threading.enumerate() if "kubeai-probe" in one.name])
    view = publisher.view("well")
    assert (view.observation.answer, view.findings) == (None, ())


def test_leaves_a_sleeping_model_asleep(canned, publisher, gateway) -> None:
    canned.change(MODELS, model("asleep", minReplicas=0, replicas=0))
    publisher.test("asleep", seen(publisher, "asleep", lambda view: view.status.phase == "Asleep").uid)
    # Another that is awake is asked, after this one would have been.
    canned.change(MODELS, model("awake"))
    canned.change(PODS, pod("model-awake-a-1", "awake"))
    publisher.test("awake", seen(publisher, "awake", lambda view: view.status.phase == "Ready").uid)
    until(lambda: gateway.asked)
    assert {one["model"] for one in gateway.asked} == {"awake"}


def test_sends_nothing_to_another_model_that_comes_under_the_name(canned, publisher, gateway) -> None:
    canned.change(MODELS, model("ours"))
    publisher.test("ours", seen(publisher, "ours", lambda _view: True).uid)
    canned.change(MODELS, model("ours"), gone=True)
    theirs = model("ours")
    theirs["metadata"]["uid"] = "another"
    canned.change(MODELS, theirs)
    # The Pod comes by another watch, which may be ahead of that of Models.
    assert seen(publisher, "ours", lambda view: view.uid == "another")
    canned.change(PODS, pod("model-ours-a-1", "ours"))
    assert seen(publisher, "ours", lambda view: view.status.phase == "Ready")
    canned.change(MODELS, model("mine"))
    canned.change(PODS, pod("model-mine-a-1", "mine"))
    publisher.test("mine", seen(publisher, "mine", lambda view: view.status.phase == "Ready").uid)
    until(lambda: gateway.asked)
    assert {one["model"] for one in gateway.asked} == {"mine"}


def test_sends_nothing_to_a_model_of_another_uid(canned, publisher, gateway) -> None:
    canned.change(MODELS, model("theirs"))
    canned.change(PODS, pod("model-theirs-a-1", "theirs"))
    seen(publisher, "theirs", lambda view: view.status.phase == "Ready")
    publisher.test("theirs", "the uid of one that was deleted")
    canned.change(MODELS, model("mine"))
    canned.change(PODS, pod("model-mine-a-1", "mine"))
    publisher.test("mine", seen(publisher, "mine", lambda view: view.status.phase == "Ready").uid)
    until(lambda: gateway.asked)
    assert {one["model"] for one in gateway.asked} == {"mine"}


def test_takes_no_loader_of_the_cache_for_a_pod_that_answers(canned, publisher) -> None:
    canned.change(MODELS, model("cached", cacheProfile="nfs"))
    running = {"name": "loader", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
    loader = {"labels": {"job-name": "load-cache-cached"}, "containerStatuses": [running]}
    canned.change(PODS, pod("load-cache-cached-x1", "cached", ready=True, **loader))
    view = seen(publisher, "cached", lambda view: bool(view.observation.pods))
    assert (view.status.phase, view.status.ready) == ("Caching", 0)
    assert hashes_of(view) == frozenset()


@pytest.fixture
def configured(canned):
    """KubeAI's configuration, found by its label."""
    text = "resourceProfiles: {cpu: {}}\nmodelServers: {VLLM: {images: {default: vllm}}}"
    labels = {"app.kubernetes.io/name=kubeai": ""}
    config = {"metadata": {"name": "kubeai-config", "labels": labels}, "data": {"system.yaml": text}}
    canned.objects["api/v1/namespaces/default/configmaps"] = {"kubeai-config": config}


def test_tries_no_pod_for_a_view_that_is_only_read(canned, configured, publisher) -> None:
    for number in range(20):
        canned.change(MODELS, model(f"blocked-{number}"))
    until(lambda: len(publisher.names()) == 20)
    assert {view.status.phase for view in publisher.views()} == {"Blocked"}
    assert publisher.view("blocked-3").status.phase == "Blocked"
    assert {view.status.phase for view in look_at_all(publisher)} == {"Blocked"}
    assert not [one for one in canned.requests if one.startswith("POST")]
    look_at(publisher, "blocked-7")
    assert [one for one in canned.requests if one.startswith("POST")] == [f"POST {PODS}"]


def test_waits_for_the_first_pod_of_a_rollout_that_was_just_asked_for(canned, publisher) -> None:
    canned.change(MODELS, model("m"))
    canned.change(PODS, pod("model-m-a-1", "m"))
    old = hashes_of(seen(publisher, "m", lambda view: view.status.phase == "Ready"))
    newer = model("m")
    newer["metadata"]["generation"] = 2
    canned.change(MODELS, newer)
    seen(publisher, "m", lambda view: view.model["metadata"]["generation"] == 2)
    new = pod("model-m-b-1", "m", ready=False)
    new["metadata"]["labels"]["pod-hash"] = "other"
    threading.Timer(0.2, lambda: canned.change(PODS, new)).start()
    wait_seen(publisher, "m", 2, replaced=old)
    assert publisher.view("m").status.phase == "Updating"
