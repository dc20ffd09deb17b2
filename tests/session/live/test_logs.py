"""Whose logs are read, when, and what is kept of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.conftest import until
from tests.session.conftest import shown
from tests.support.fake_api import MODELS, PODS, model, pod

TOKEN = "hf_AbCdEfGhIjKlMnOp"


def crashed(name: str, of: str, *, restarts: int = 1, **more: Any) -> dict[str, Any]:
    status = {
        "name": "server",
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
    }
    return pod(name, of, ready=False, containerStatuses=[status], **more)


def test_reads_the_loaders_log(canned, observer) -> None:
    waiting = {
        "name": "loader",
        "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1}},
    }
    canned.logs["load-cache-cached-x/loader previous"] = (
        "GatedRepoError: 401 Client Error. Access to model org/repo is restricted"
    )
    canned.change(MODELS, model("cached", cacheProfile="nfs"))
    labels = {"job-name": "load-cache-cached"}
    canned.change(PODS, pod("load-cache-cached-x", "cached", ready=False, labels=labels, containerStatuses=[waiting]))
    view = shown(observer, "cached", lambda view: bool(view.observation.logs))
    assert view.observation.logs[0].container == "loader"
    assert view.observation.logs[0].text.startswith("GatedRepoError")


def test_reads_the_log_of_a_crash_once_for_each_run_and_masks_it(canned, observer) -> None:
    spec = {"env": {"MY_API_KEY": "plain-word", "LEVEL": "plain"}}
    canned.logs["model-m-a-1/server previous"] = f"starting with {TOKEN}\nplain-word was refused\nCUDA out of memory"
    canned.change(MODELS, model("m", **spec))
    canned.change(PODS, crashed("model-m-a-1", "m"))
    view = shown(observer, "m", lambda view: bool(view.observation.logs))
    tail = view.observation.logs[0]
    assert (tail.previous, tail.pod) == (True, "model-m-a-1")
    assert tail.text == "starting with ***\n*** was refused\nCUDA out of memory"
    for _ in range(5):
        observer.view("m")
    logs = [one for one in canned.requests if one.endswith("/log")]
    assert len(logs) == 1
    canned.change(PODS, crashed("model-m-a-1", "m", restarts=2))
    shown(observer, "m", lambda view: view.pods[0].restarts == 2 and bool(view.observation.logs))
    assert len([one for one in canned.requests if one.endswith("/log")]) == 2


def test_asks_for_an_empty_log_a_few_times_and_then_no_more(canned, observer, monkeypatch) -> None:
    monkeypatch.setattr("kubeai_notebook.cluster.logs.PAUSE_SECONDS", 0.0)
    canned.change(MODELS, model("m"))
    canned.change(PODS, crashed("model-m-a-1", "m"))
    shown(observer, "m", lambda view: bool(view.pods))
    for _ in range(8):
        observer.view("m")
    assert len([one for one in canned.requests if one.endswith("/log")]) == 3


def test_follows_the_log_of_a_loading_pod_while_somebody_looks(canned, observer) -> None:
    canned.logs["model-m-a-1/server"] = "loading\n"
    canned.change(MODELS, model("m"))
    canned.change(PODS, pod("model-m-a-1", "m", ready=False))
    told: list[str] = []
    stop = observer.listen(
        "m", lambda view: told.append(view.observation.logs[0].text if view and view.observation.logs else "")
    )
    until(lambda: canned.following, 5)
    canned.logs["model-m-a-1/server"] += f"Retrying with token={TOKEN} after error\n"
    until(
        lambda: (
            observer.view("m").observation.logs[0].text.splitlines()[-1:] == ["Retrying with token=*** after error"]
        ),
        5,
    )
    stop()
    until(lambda: not canned.following, 5)


def test_reads_no_log_of_a_pod_that_is_ready(canned, observer) -> None:
    canned.change(MODELS, model("m"))
    canned.change(PODS, pod("model-m-a-1", "m"))
    shown(observer, "m", lambda view: view.status.phase == "Ready")
    assert not [one for one in canned.requests if one.endswith("/log")]


@pytest.mark.parametrize(
    "spec",
    [
        {"engine": "FasterWhisper", "features": ["SpeechToText"]},
        {"engine": "VLLM", "adapters": [{"name": "a", "url": "hf://a/b"}]},
    ],
)
def test_reads_the_log_behind_a_ready_pod_where_failures_hide_there(spec, canned, observer) -> None:
    canned.logs["model-m-a-1/server"] = "one\ntwo\n"
    canned.change(MODELS, model("m", **spec))
    canned.change(PODS, pod("model-m-a-1", "m"))
    shown(observer, "m", lambda view: view.status.phase == "Ready")
    stop = observer.listen("m", lambda _view: None)
    until(lambda: canned.following, 5)
    until(lambda: observer.view("m").observation.logs[0].text == "one\ntwo", 5)
    stop()


def test_looks_at_a_model_that_nobody_listens_to_without_a_stream(canned, observer) -> None:
    canned.logs["model-m-a-1/server"] = "loading\n"
    canned.change(MODELS, model("m"))
    canned.change(PODS, pod("model-m-a-1", "m", ready=False))
    until(lambda: observer.names() and observer.view("m").observation.logs, 5)
    assert observer.view("m").observation.logs[0].text == "loading"
    assert not canned.following
