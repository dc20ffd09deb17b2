from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from kubeai_notebook.core.observation import Observation, Operator
from kubeai_notebook.core.phase import ModelStatus, Phase, status_of

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
FEATURE = {"features.kubeai.org/TextGeneration": "true"}


def stamp(seconds_ago: float) -> str:
    return (NOW - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def model(*, age: float = 60, seen: bool = True, replicas: int | None = 1, **spec: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "m", "uid": "m", "creationTimestamp": stamp(age)}
    if seen:
        metadata["labels"] = FEATURE
        spec["replicas"] = replicas
    return {"metadata": metadata, "spec": {"url": "hf://a/b", "engine": "VLLM", "minReplicas": 1, **spec}}


def pod(
    *, ready: bool = False, state: dict[str, Any] | None = None, pod_hash: str = "h", uid: str = "p", **status: Any
) -> dict[str, Any]:
    conditions = [
        {"type": "PodScheduled", "status": "True"},
        {"type": "Ready", "status": str(ready), "lastTransitionTime": stamp(5)},
    ]
    container = {"name": "server", "restartCount": 1, "state": state or {"running": {"startedAt": stamp(30)}}}
    return {
        "metadata": {"uid": uid, "name": uid, "labels": {"pod-hash": pod_hash}, "creationTimestamp": stamp(40)},
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": [container], **status},
    }


CRASHED = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}


def seen(a_model: dict[str, Any], *pods: dict[str, Any], **more: Any) -> ModelStatus:
    return status_of(Observation(model=a_model, pods=pods, **more), NOW)


@pytest.mark.parametrize(
    ("phase", "status"),
    [
        ("Submitted", seen(model(age=2, seen=False))),
        ("Unmanaged", seen(model(age=11, seen=False))),
        ("Asleep", seen(model(replicas=0))),
        ("Paused", seen(model(replicas=0, autoscalingDisabled=True))),
        ("Submitted", seen(model(age=5))),
        ("Blocked", seen(model(age=11))),
        ("Caching", seen(model(age=60, cacheProfile="efs"))),
        ("Failing", seen(model(), pod(state=CRASHED))),
        ("Failing", seen(model(), pod(phase="Failed", message="The node was low on resource: memory."))),
        ("Loading", seen(model(), pod())),
        ("Pulling", seen(model(), pod(state={"waiting": {"reason": "ContainerCreating"}}))),
        ("Ready", seen(model(), pod(ready=True))),
        ("Updating", seen(model(), pod(ready=True), pod(pod_hash="new", uid="q"))),
        ("Degraded", seen(model(replicas=2), pod(ready=True), pod(state=CRASHED, uid="q"))),
        ("Loading", seen(model(replicas=2), pod(ready=True), pod(uid="q"))),
    ],
)
def test_finds_the_first_phase_of_the_table_that_fits(phase: str, status: ModelStatus) -> None:
    assert status.phase == phase


NOWHERE = (
    "0/2 nodes are available: 2 X. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
)


def unplaced(message: str, age: float) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "message": message}
    waiting = pod(pod_hash="new", uid="q", conditions=[condition])
    waiting["metadata"]["creationTimestamp"] = stamp(age)
    return waiting


@pytest.mark.parametrize(
    ("phase", "new"),
    [
        ("Degraded", pod(pod_hash="new", uid="q", state=CRASHED)),
        ("Degraded", unplaced(NOWHERE, 31)),
        ("Updating", unplaced(NOWHERE, 29)),
        ("Updating", unplaced(NOWHERE.replace("2 Preemption", "1 Preemption"), 31)),
        ("Updating", pod(pod_hash="new", uid="q")),
    ],
    ids=["crashes", "fits nowhere", "a node may be added", "fits somewhere", "loads"],
)
def test_says_that_an_update_fails_while_the_pods_from_before_answer(phase: str, new: dict[str, Any]) -> None:
    status = seen(model(), pod(ready=True), new)
    assert status.phase == phase
    assert status.detail.startswith("The update fails, and the Pods from before answer: ") == (phase == "Degraded")


def test_is_deleting_whatever_its_pods_do() -> None:
    deleted = model()
    deleted["metadata"]["deletionTimestamp"] = stamp(3)
    assert seen(deleted, pod(ready=True)).phase == "Deleting"


def test_says_why_no_node_takes_the_pod() -> None:
    message = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    waiting = pod(conditions=[{"type": "PodScheduled", "status": "False", "message": message}])
    status = seen(model(), waiting)
    assert (status.phase, status.detail) == ("Scheduling", message)


def event(reason: str, message: str, seconds_ago: float) -> dict[str, Any]:
    return {
        "metadata": {},
        "involvedObject": {"uid": "p"},
        "reason": reason,
        "message": message,
        "lastTimestamp": stamp(seconds_ago),
    }


def test_measures_a_download_by_its_event() -> None:
    pulling = event("Pulling", 'Pulling weights "ollama://smollm2:135m": 31 of 93 MB', 1)
    status = seen(model(), pod(), events=(event("Started", "Started container server", 9), pulling))
    assert (status.phase, status.progress) == ("Pulling", pytest.approx(1 / 3))
    assert "31 of 93 MB" in status.detail


def test_is_loading_once_the_weights_are_here() -> None:
    events = (event("Pulling", "Pulling weights", 5), event("Pulled", "Weights are here", 1))
    assert seen(model(), pod(), events=events).phase == "Loading"


def test_gives_a_woken_model_time_before_it_calls_it_blocked() -> None:
    woken = NOW - timedelta(seconds=3)
    assert seen(model(age=9000), changed_at=woken).phase == "Submitted"
    assert seen(model(age=9000), changed_at=NOW - timedelta(seconds=11)).phase == "Blocked"


def test_does_not_count_a_pod_that_is_being_deleted() -> None:
    going = pod(ready=True)
    going["metadata"]["deletionTimestamp"] = stamp(1)
    assert seen(model(replicas=0), going).ready == 0


@pytest.mark.parametrize(
    ("status", "seconds_ago"),
    [(seen(model(), pod(ready=True)), 5), (seen(model(), pod()), 30), (seen(model(age=2, seen=False)), 2)],
)
def test_knows_since_when(status: ModelStatus, seconds_ago: float) -> None:
    assert status.since == NOW - timedelta(seconds=seconds_ago)


def test_counts_the_tries_of_a_crashing_engine() -> None:
    crashed = pod(state=CRASHED)
    crashed["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"exitCode": 2}}
    status = seen(model(), crashed)
    assert status.detail == "2 tries ended with exit code 2. It is tried again within 10 s."
    assert status.retried


@pytest.mark.parametrize(
    ("reason", "message", "detail"),
    [
        ("CrashLoopBackOff", "back-off 2m40s restarting failed container=server", "within 3 min."),
        ("CrashLoopBackOff", "back-off 5m0s restarting failed container=server", "within 5 min."),
        ("ImagePullBackOff", 'Back-off pulling image "x:1": not found', 'image "x:1": not found. It is tried again'),
        ("ErrImagePull", "manifest unknown", "manifest unknown. It is tried again within 5 min."),
    ],
)
def test_says_when_what_failed_is_tried_again(reason: str, message: str, detail: str) -> None:
    status = seen(model(), pod(state={"waiting": {"reason": reason, "message": message}}))
    assert (status.phase, status.retried) == ("Failing", True)
    assert detail in status.detail


def test_promises_no_other_try_where_there_is_none() -> None:
    status = seen(model(), pod(state={"waiting": {"reason": "InvalidImageName", "message": "no image"}}))
    assert (status.detail, status.retried) == ("no image", False)


@pytest.mark.parametrize(("ready", "phase"), [(1, "Ready"), (0, "Loading")])
def test_believes_kubeai_where_the_pods_may_not_be_read(ready: int, phase: str) -> None:
    counted = model(age=9000)
    counted["status"] = {"replicas": {"all": 1, "ready": ready}}
    status = seen(counted, pods_readable=False)
    assert (status.phase, status.ready) == (phase, ready)
    assert seen(counted).phase == "Blocked"


@pytest.mark.parametrize("phase", get_args(Phase))
def test_is_never_well_and_stopped_at_once(phase) -> None:
    status = ModelStatus(phase=phase)
    assert (status.well, status.stopped) != (True, True)
    assert status.settled == (status.well or status.stopped)


def test_says_where_nothing_comes_of_waiting() -> None:
    phases = [phase for phase in get_args(Phase) if ModelStatus(phase=phase).stopped]
    assert phases == ["Unmanaged", "Blocked", "Failing"]


def test_is_paused_without_replicas_where_kubeai_takes_no_requests() -> None:
    operator = Operator(config={"proxy": {"mode": "external"}})
    status = status_of(Observation(model=model(replicas=0, minReplicas=0), operator=operator), now=NOW)
    assert (status.phase, "proxy.mode: external" in status.detail) == ("Paused", True)
