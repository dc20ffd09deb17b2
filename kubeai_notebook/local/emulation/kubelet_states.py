"""What scheduler and kubelet make of a Pod: its place, the states of its one container, and Events."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeai_notebook.core.rules.quantity import quantity_of

if TYPE_CHECKING:
    from .kinds import Object, Ref

_SCHEDULERS = ("Scheduled", "FailedScheduling")
_PREEMPTED = "preemption: 0/1 nodes are available: 1"
NO_PLACE = f"0/1 nodes are available: 1 Too many pods. {_PREEMPTED} No preemption victims found for incoming pod."
"""What the scheduler says where the node runs as many Pods as it may."""


@dataclass(frozen=True, slots=True)
class ContainerRun:
    """One run of a Pod's container; ``last`` is how the run before it ended."""

    ref: Ref
    uid: str
    number: int
    last: Object | None = None


def unschedulable(pod: Object, missing_claim: str | None) -> str | None:
    """Why the scheduler finds no place on a node without GPUs, in its own words."""
    resources = pod["spec"]["containers"][0].get("resources", {})
    asked = {**resources.get("requests", {}), **resources.get("limits", {})}
    missing = next((name for name in asked if "/" in name), None)
    if missing:
        why = f"1 Insufficient {missing}"
    elif missing_claim:
        why = f'persistentvolumeclaim "{missing_claim}" not found'
    else:
        return None
    # Newer schedulers say so also of a Pod that asks for more than the whole node has.
    return f"0/1 nodes are available: {why}. {_PREEMPTED} Preemption is not helpful for scheduling."


def threads_of(pod: Object, cpus: int) -> int:
    """As many as the profile requests of CPUs: one at least, no more than the machine has."""
    asked = _resources(pod, "requests").get("cpu", "1")
    return max(1, min(math.ceil(quantity_of(asked)), cpus))


def memory_limit_of(pod: Object) -> int | None:
    """Bytes that the container may have resident; None where its profile sets no limit."""
    limit = _resources(pod, "limits").get("memory")
    return None if limit is None else int(quantity_of(limit))


def unscheduled(message: str, moment: str) -> Object:
    """The merge patch for a Pod that fits nowhere."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"status": {"phase": "Pending", "conditions": [condition | {"lastTransitionTime": moment}]}}


def scheduled(pod: Object, moment: str) -> Object:
    """The merge patch for a Pod that has its node and no container yet."""
    status = in_state(pod, None, {"waiting": {"reason": "ContainerCreating"}}, moment=moment)["status"]
    return {"spec": {"nodeName": "this-machine"}, "status": status | {"hostIP": "127.0.0.1", "startTime": moment}}


def in_state(pod: Object, run: ContainerRun | None, state: Object, *, moment: str, ready: bool = False) -> Object:
    """The merge patch for a container in this state; ``run`` is shown once there is one that has begun."""
    shown: Object = {"name": "server", "image": pod["spec"]["containers"][0]["image"], "imageID": "", "state": state}
    shown |= {"lastState": {}, "ready": ready, "started": ready, "restartCount": run.number if run else 0}
    status: Object = {"phase": "Pending", "conditions": _conditions(pod, ready=ready, moment=moment)}
    if run and (run.last or "waiting" not in state):
        # Behind the scheme it is the log's path.
        shown["containerID"] = f"local://{run.uid}/{run.number}"
        # The engine's version is in it.
        shown["imageID"] = shown["image"]
        shown["lastState"] = {"terminated": run.last} if run.last else {}
        status |= {"phase": "Running", "podIP": "127.0.0.1"}
    return {"status": {**status, "containerStatuses": [shown]}}


def backing_off(run: ContainerRun, seconds: int) -> Object:
    """The state of a container that waits for its next run."""
    shown = f"{seconds}s" if seconds < 60 else f"{seconds // 60}m{seconds % 60}s"
    where = f"container=server pod={run.ref.name}_{run.ref.namespace}({run.uid})"
    message = f"back-off {shown} restarting failed {where}"
    return {"waiting": {"reason": "CrashLoopBackOff", "message": message}}


def termination(run: ContainerRun, code: int, *, started: str, moment: str) -> Object:
    """How a run ended. A negative code is a signal's number, which container runtimes show as 128 + number."""
    how = {"exitCode": 128 - code if code < 0 else code, "reason": "Completed" if code == 0 else "Error"}
    return {**how, "startedAt": started, "finishedAt": moment, "containerID": f"local://{run.uid}/{run.number}"}


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


def _resources(pod: Object, kind: str) -> Object:
    amounts: Object = pod["spec"]["containers"][0].get("resources", {}).get(kind) or {}
    return amounts


def event_of(pod: Object, reason: str, message: str, *, warning: bool) -> Object:
    """An Event on a Pod, as the scheduler or the kubelet writes it; whoever stores it completes its name."""
    metadata, scheduling = pod["metadata"], reason in _SCHEDULERS
    component = "default-scheduler" if scheduling else "kubelet"
    involved = {key: metadata[key] for key in ("namespace", "name", "uid", "resourceVersion")}
    part = {} if scheduling else {"fieldPath": "spec.containers{server}"}
    return {
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "involvedObject": {"kind": "Pod", "apiVersion": "v1", **involved, **part},
        "reason": reason,
        "message": message,
        "type": "Warning" if warning else "Normal",
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "this-machine",
    }
