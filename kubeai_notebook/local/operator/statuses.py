"""The states of a Pod and its one container, as the kubelet reports them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubeai_notebook.local.api.resources import Object, Ref


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a Pod's container; ``last`` is how the run before it ended."""

    ref: Ref
    uid: str
    number: int
    last: Object | None = None

    @property
    def container_id(self) -> str:
        """What the API shows; behind the scheme it is the log's path."""
        return f"local://{self.uid}/{self.number}"


def unscheduled(message: str, moment: str) -> Object:
    """The merge patch for a Pod that fits nowhere."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"status": {"phase": "Pending", "conditions": [condition | {"lastTransitionTime": moment}]}}


def scheduled(pod: Object, moment: str) -> Object:
    """The merge patch for a Pod that has its node and no container yet."""
    status = _container(pod, {"waiting": {"reason": "ContainerCreating"}}, ready=False) | {"restartCount": 0}
    conditions = _conditions(pod, ready=False, moment=moment)
    patch = {"phase": "Pending", "hostIP": "127.0.0.1", "startTime": moment, "conditions": conditions}
    return {"spec": {"nodeName": "this-machine"}, "status": patch | {"containerStatuses": [status]}}


def running(pod: Object, run: Run, *, started: str, moment: str, ready: bool) -> Object:
    """The merge patch for a container that runs, and perhaps answers."""
    status = _container(pod, {"running": {"startedAt": started}}, ready=ready)
    status |= {"containerID": run.container_id, "restartCount": run.number}
    if run.last:
        status["lastState"] = {"terminated": run.last}
    conditions = _conditions(pod, ready=ready, moment=moment)
    patch = {"phase": "Running", "podIP": "127.0.0.1", "conditions": conditions, "containerStatuses": [status]}
    return {"status": patch}


def ended(pod: Object, run: Run, how: Object, *, moment: str) -> Object:
    """The merge patch for a container that has just ended."""
    status = _container(pod, {"terminated": how}, ready=False)
    status |= {"containerID": run.container_id, "restartCount": run.number}
    return {"status": {"conditions": _conditions(pod, ready=False, moment=moment), "containerStatuses": [status]}}


def backing_off(pod: Object, run: Run, how: Object, *, seconds: int) -> Object:
    """The merge patch for a container that waits for its next run."""
    shown = f"{seconds}s" if seconds < 60 else f"{seconds // 60}m{seconds % 60}s"
    where = f"container=server pod={run.ref.name}_{run.ref.namespace}({run.uid})"
    waiting = {"reason": "CrashLoopBackOff", "message": f"back-off {shown} restarting failed {where}"}
    status = _container(pod, {"waiting": waiting}, ready=False)
    status |= {"containerID": run.container_id, "restartCount": run.number, "lastState": {"terminated": how}}
    return {"status": {"containerStatuses": [status]}}


def termination(run: Run, code: int, *, started: str, moment: str) -> Object:
    """How a run ended. A negative code is a signal's number, which container runtimes show as 128 + number."""
    how = {"exitCode": 128 - code if code < 0 else code, "reason": "Completed" if code == 0 else "Error"}
    return {**how, "startedAt": started, "finishedAt": moment, "containerID": run.container_id}


def _container(pod: Object, state: Object, *, ready: bool) -> Object:
    image = pod["spec"]["containers"][0]["image"]
    shown = {"name": "server", "image": image, "imageID": "", "state": state, "lastState": {}}
    return shown | {"ready": ready, "started": ready}


def _conditions(pod: Object, *, ready: bool, moment: str) -> list[Object]:
    """Conditions with the time of their last change kept."""
    present = {item["type"]: item for item in pod.get("status", {}).get("conditions", ())}
    truth = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
    result = []
    for kind, holds in truth.items():
        status, before = ("True" if holds else "False"), present.get(kind, {})
        since = before["lastTransitionTime"] if before.get("status") == status else moment
        item: Object = {"type": kind, "status": status, "lastTransitionTime": since}
        if not holds:
            item |= {"reason": "ContainersNotReady", "message": "containers with unready status: [server]"}
        result.append(item)
    return result
