"""Whose logs are read, when, and what is kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.session.live.observe import view_of
from kubeai_notebook.session.live.subscription import ALL, Change
from kubeai_notebook.session.waiting import look_at
from tests.session.live.seen import crashed, seen
from tests.support.fake_api import MODELS, PODS, model, pod
from tests.support.waiting import until

if TYPE_CHECKING:
    from datetime import datetime

    from kubeai_notebook.core.observation import Observation
    from kubeai_notebook.core.view import View

LOG = f"GET {PODS}/model-m-a-1/log"
TOKEN = "hf_AbCdEfGhIjKlMnOp"
FAILS_AGAIN = "INFO:     Application startup complete.\n" + "".join(
    f"ERROR 11-22 20:0{minute}:00 [serving_chat.py:211] RuntimeError: shape '[1, 77]' is invalid for size 154\n"
    for minute in (2, 3, 4)
)


def test_reads_the_loaders_log(canned, publisher) -> None:
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
    view = seen(publisher, "cached", lambda view: bool(view.observation.logs))
    assert view.observation.logs[0].container == "loader"
    assert view.observation.logs[0].text.startswith("GatedRepoError")


def test_reads_the_log_of_a_crash_once_for_each_run_and_masks_it(canned, publisher) -> None:
    spec = {"env": {"MY_API_KEY": "plain-word", "LEVEL": "plain"}}
    canned.logs["model-m-a-1/server previous"] = f"starting with {TOKEN}\nplain-word was refused\nCUDA out of memory"
    canned.change(MODELS, model("m", **spec))
    canned.change(PODS, crashed("model-m-a-1", "m"))
    view = seen(publisher, "m", lambda view: bool(view.observation.logs))
    tail = view.observation.logs[0]
    assert (tail.previous, tail.pod) == (True, "model-m-a-1")
    assert tail.text == "starting with ***\n*** was refused\nCUDA out of memory"
    for _ in range(5):
        publisher.view("m")
    logs = [one for one in canned.requests if one.endswith("/log")]
    assert len(logs) == 1
    canned.change(PODS, crashed("model-m-a-1", "m", restarts=2))
    seen(publisher, "m", lambda view: view.pods[0].restarts == 2 and bool(view.observation.logs))
    assert len([one for one in canned.requests if one.endswith("/log")]) == 2


def test_keeps_the_last_states_of_a_line_that_was_written_over(canned, publisher) -> None:
    states = [f"Loading: {percent}%" for percent in range(0, 101, 10)]
    canned.logs["model-m-a-1/server previous"] = "\n".join(["begins", "\r".join(states), "CUDA out of memory"])
    canned.change(MODELS, model("m"))
    canned.change(PODS, crashed("model-m-a-1", "m"))
    view = seen(publisher, "m", lambda view: bool(view.observation.logs))
    assert view.observation.logs[0].text.split("\n") == ["begins", *states[-4:], "CUDA out of memory"]


def test_never_tells_first_that_nothing_explains_what_the_log_explains(canned, publisher) -> None:
    canned.logs["model-m-a-1/server previous"] = "vllm serve: error: unrecognized arguments: --max-model-length"
    canned.change(MODELS, model("m", engine="VLLM", url="hf://a/b"))
    canned.change(PODS, crashed("model-m-a-1", "m"))
    codes = []

    def is_explained(change: Change) -> bool:
        codes.extend(finding.code for finding in (change.view.settled_findings if change.view else ()))
        return "UnknownArgument" in codes

    with publisher.subscribe(["m"]) as changes:
        assert changes.until(is_explained, 30)
    assert set(codes) == {"UnknownArgument"}


def test_takes_a_view_for_pending_whose_log_came_while_it_was_made(canned, publishers) -> None:
    def make_view(model: Any, *, tasks: Any, **given: Any) -> View:
        def conclude(seen: Observation, *, now: datetime) -> tuple[()]:
            if seen.pods and not seen.logs and [one for one in canned.requests if one.endswith("/log")]:
                canned.silent_logs.clear()
                until(lambda: list(tasks.logs(model, seen.pods)))
            return ()

        return view_of(model, tasks=tasks, conclude=conclude, **given)

    canned.silent_logs.add("model-m-a-1")
    canned.logs["model-m-a-1/server previous"] = "why it crashed"
    canned.change(MODELS, model("m"))
    canned.change(PODS, crashed("model-m-a-1", "m"))
    views = []

    def has_its_log(change: Change) -> bool:
        views.append(change.view)
        return bool(change.view and change.view.observation.logs)

    with publishers(make_view=make_view).subscribe(["m"]) as changes:
        assert changes.until(has_its_log, 30)
    assert not [view for view in views if view and view.pods and not (view.observation.logs or view.pending)]


def test_asks_for_an_empty_log_a_few_times_and_then_no_more(canned, publisher) -> None:
    canned.change(MODELS, model("m"))
    canned.change(PODS, crashed("model-m-a-1", "m"))
    with publisher.subscribe(["m"]):
        until(lambda: len([one for one in canned.requests if one.endswith("/log")]) == 3)
        # Another Model's log is read after as long as this one's would have been.
        canned.change(MODELS, model("other"))
        canned.change(PODS, crashed("model-other-a-1", "other"))
        with publisher.subscribe(["other"]):
            until(lambda: len([one for one in canned.requests if "other" in one and one.endswith("/log")]) == 3)
    assert len([one for one in canned.requests if "model-m-a-1" in one and one.endswith("/log")]) == 3


def test_follows_the_log_of_a_loading_pod_while_somebody_looks(canned, publisher) -> None:
    canned.logs["model-m-a-1/server"] = "loading\n"
    canned.change(MODELS, model("m"))
    canned.change(PODS, pod("model-m-a-1", "m", ready=False))
    with publisher.subscribe(["m"]):
        until(lambda: canned.following)
        canned.logs["model-m-a-1/server"] += f"Retrying with token={TOKEN} after error\n"
        last = ["Retrying with token=*** after error"]
        until(lambda: publisher.view("m").observation.logs[0].text.splitlines()[-1:] == last)
    until(lambda: not canned.following)


def test_reads_the_log_of_a_pod_that_is_ready_once_and_only_for_who_looks_closely(canned, publisher) -> None:
    canned.logs["model-m-a-1/server"] = "one\n"
    canned.change(MODELS, model("m"))
    canned.change(PODS, pod("model-m-a-1", "m"))
    with publisher.subscribe(ALL) as changes:
        assert changes.until(lambda change: bool(change.view and change.view.status.phase == "Ready"), 30)
        assert not [one for one in canned.requests if one.endswith("/log")]
    assert look_at(publisher, "m").observation.logs[0].text == "one"
    with publisher.subscribe(["m"]):
        canned.change(MODELS, model("m", args=["--seed=1"]))
        until(lambda: "args" in publisher.view("m").model["spec"])
    assert [one for one in canned.requests if one.endswith("/log")] == [LOG]
    assert not canned.following


def test_says_nothing_of_a_right_to_logs_that_a_ready_model_does_not_need(canned, publisher) -> None:
    canned.refused_logs.add("model-m-a-1")
    canned.change(MODELS, model("m"))
    canned.change(PODS, pod("model-m-a-1", "m"))
    until(lambda: publisher.names() and publisher.view("m").pods)
    before = publisher.view("m").notes
    assert look_at(publisher, "m").notes == before
    assert [one for one in canned.requests if one.endswith("/log")] == [LOG]


def test_explains_why_requests_fail_behind_a_ready_pod(canned, publisher) -> None:
    canned.logs["model-m-a-1/server"] = FAILS_AGAIN
    canned.change(MODELS, model("m", engine="VLLM", url="hf://a/b"))
    canned.change(PODS, pod("model-m-a-1", "m"))
    until(lambda: publisher.names() and publisher.view("m").pods)
    assert [finding.code for finding in look_at(publisher, "m").settled_findings] == ["ReadyButNotAnswering"]


@pytest.mark.parametrize(
    "spec",
    [
        {"engine": "FasterWhisper", "features": ["SpeechToText"]},
        {"engine": "VLLM", "adapters": [{"name": "a", "url": "hf://a/b"}]},
    ],
)
def test_reads_the_log_behind_a_ready_pod_where_failures_hide_there(spec, canned, publisher) -> None:
    canned.logs["model-m-a-1/server"] = "one\ntwo\n"
    canned.change(MODELS, model("m", **spec))
    canned.change(PODS, pod("model-m-a-1", "m"))
    seen(publisher, "m", lambda view: view.status.phase == "Ready")
    with publisher.subscribe(["m"]):
        until(lambda: canned.following)
        until(lambda: publisher.view("m").observation.logs[0].text == "one\ntwo")


def test_looks_once_at_a_model_without_a_stream(canned, publisher) -> None:
    canned.logs["model-m-a-1/server"] = "loading\n"
    canned.change(MODELS, model("m"))
    canned.change(PODS, pod("model-m-a-1", "m", ready=False))
    until(lambda: publisher.names() and publisher.view("m").pods)
    assert look_at(publisher, "m").observation.logs[0].text == "loading"
    assert [one for one in canned.requests if one.endswith("/log")] == [LOG]
    assert not canned.following


def test_reads_no_log_for_a_view_that_nobody_looks_at(canned, publisher) -> None:
    canned.logs["model-m-a-1/server"] = "loading\n"
    canned.change(MODELS, model("m"))
    canned.change(PODS, pod("model-m-a-1", "m", ready=False))
    until(lambda: publisher.names() and publisher.view("m").pods)
    assert [view.observation.logs for view in publisher.views()] == [()]
    with publisher.subscribe(["m"], looks=False) as changes:
        assert next(changes).view.observation.logs == ()
    assert not [one for one in canned.requests if one.endswith("/log")]


def test_asks_again_for_a_log_that_was_refused_and_reads_those_of_other_pods(canned, publisher) -> None:
    canned.refused_logs.add("model-m-a-1")
    canned.logs |= {"model-m-a-1/server previous": "of the first", "model-n-a-1/server previous": "of the other"}
    for name in ("m", "n"):
        canned.change(MODELS, model(name))
        canned.change(PODS, crashed(f"model-{name}-a-1", name))
    with publisher.subscribe(["m", "n"]) as changes:
        until(lambda: changes.latest("m") and [note for note in changes.latest("m").notes if "pods/log" in note])
        until(lambda: changes.latest("n") and changes.latest("n").observation.logs)
        assert not changes.latest("n").notes
        canned.refused_logs.clear()
        until(lambda: changes.latest("m").observation.logs[0].text == "of the first")
        assert not changes.latest("m").notes


def test_waits_for_no_log_but_that_of_the_same_model(canned, publisher) -> None:
    canned.silent_logs.add("model-slow-a-1")
    canned.logs["model-good-a-1/server previous"] = "quick"
    canned.change(MODELS, model("slow"))
    for number in range(1, 5):
        canned.silent_logs.add(f"model-slow-a-{number}")
        canned.change(PODS, crashed(f"model-slow-a-{number}", "slow"))
    canned.change(MODELS, model("good"))
    canned.change(PODS, crashed("model-good-a-1", "good"))
    with publisher.subscribe(ALL) as changes:
        until(lambda: [one for one in canned.requests if "model-slow" in one and one.endswith("/log")])
        until(lambda: changes.latest("good") and changes.latest("good").observation.logs)
        assert changes.latest("slow").pending
        assert not changes.latest("good").pending
