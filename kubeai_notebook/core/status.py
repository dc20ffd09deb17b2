"""What a Model is doing: one ModelStatus from one Observation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .observation import KubernetesObject, Observation

Phase = Literal[
    "Deleting", "Submitted", "Unmanaged", "Blocked", "Caching", "Failing", "Updating", "Degraded",
    "Scheduling", "Pulling", "Loading", "Ready", "Asleep",
]  # fmt: skip

GRACE_SECONDS = 10.0
"""How long the operator may take for a step before its silence means something."""

FATAL_WAITING = frozenset({
    "CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "ErrImageNeverPull", "ErrImagePull",
    "ImagePullBackOff", "InvalidImageName", "RunContainerError", "StartError",
})  # fmt: skip
"""Waiting reasons that do not pass by themselves (KubeAI writes none; these are the kubelet's)."""

_WHO_ACTS: Mapping[Phase, str] = {
    "Submitted": "the operator", "Unmanaged": "you or an administrator", "Blocked": "you", "Failing": "you",
    "Asleep": "a request",
}  # fmt: skip

_ASLEEP = "The next request wakes it."
_PAUSED = "It has no replicas and autoscaling is off: no request wakes it."
_PULLED = re.compile(r"(?P<done>\d+) of (?P<total>\d+) MB")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """What we conclude about a Model at one moment."""

    phase: Phase
    ready: int = 0
    desired: int = 0
    detail: str = ""
    """One sentence, such as ``Pulling weights "ollama://smollm2:135m": 41 of 93 MB``."""
    progress: float | None = None
    """0 to 1, only where it is measured."""
    since: datetime | None = None
    """When this phase began, as far as the objects say."""

    @property
    def acts_next(self) -> str:
        """Who has to act for this to go on."""
        return _WHO_ACTS.get(self.phase, "nobody")

    @property
    def settled(self) -> bool:
        """Whether nothing changes from here without somebody acting."""
        return self.phase in ("Ready", "Asleep", "Blocked", "Failing", "Unmanaged")


def status_of(observation: Observation, now: datetime) -> ModelStatus:
    """Conclude phase, counts and a sentence; the first row of the phase table that fits wins.

    A replica counts as ready when its Pod says so and is not being deleted. ``status.replicas``
    of the Model speaks only where no Pod may be read: KubeAI writes it one step late and never while deleting.
    """
    model = observation.model
    desired = desired_replicas(model)
    pods = [pod for pod in observation.pods if not pod["metadata"].get("deletionTimestamp")]
    waiting = [pod for pod in pods if not is_ready(pod)]
    ready = len(pods) - len(waiting)
    found = _before_pods(observation, pods, desired=desired, now=now) or _by_pods(
        pods, waiting, desired=desired, events=observation.events
    )
    phase, detail, progress = found
    if not observation.pods_readable:
        ready = _counted(model, "ready")
    since = _since(phase, observation, pods)
    return ModelStatus(phase=phase, ready=ready, desired=desired, detail=detail, progress=progress, since=since)


def _counted(model: KubernetesObject, which: str) -> int:
    """KubeAI's own count of the Model's Pods."""
    return int(((model.get("status") or {}).get("replicas") or {}).get(which) or 0)


_Found = tuple[Phase, str, float | None]


def _before_pods(
    observation: Observation, pods: list[KubernetesObject], *, desired: int, now: datetime
) -> _Found | None:
    """The phases that are decided without looking into a Pod."""
    model, metadata = observation.model, observation.model["metadata"]
    if metadata.get("deletionTimestamp"):
        return "Deleting", "The Model is being deleted.", None
    touched = any(label.startswith("features.kubeai.org/") for label in metadata.get("labels") or {})
    quiet_seconds = _quiet_seconds(observation, now)
    if not touched and not model.get("status"):
        if quiet_seconds < GRACE_SECONDS:
            return "Submitted", "Waiting for KubeAI to see the Model.", None
        return "Unmanaged", f"Nobody has looked at this Model for {quiet_seconds:.0f} s.", None
    if desired == 0:
        wakes = not model["spec"].get("autoscalingDisabled")
        return "Asleep", _ASLEEP if wakes else _PAUSED, None
    cache = (model.get("status") or {}).get("cache") or {}
    if model["spec"].get("cacheProfile") and not cache.get("loaded") and not pods:
        return "Caching", "The weights are being copied into the cache.", None
    if not observation.pods_readable:
        ready = _counted(model, "ready")
        detail = f"{ready} of {desired} replicas ready, says KubeAI; the Pods themselves cannot be seen."
        return ("Ready" if ready >= desired else "Loading"), detail, None
    if not pods:
        if quiet_seconds < GRACE_SECONDS:
            return "Submitted", "Waiting for KubeAI to create the Pod.", None
        return "Blocked", "KubeAI creates no Pod for this Model as it is.", None
    return None


def _by_pods(
    pods: list[KubernetesObject], waiting: list[KubernetesObject], *, desired: int, events: Iterable[KubernetesObject]
) -> _Found:
    """The phases that the Pods decide."""
    ready = len(pods) - len(waiting)
    broken = [reason for pod in waiting if (reason := broken_because(pod))]
    if broken and not ready:
        return "Failing", broken[0], None
    if len({pod["metadata"].get("labels", {}).get("pod-hash") for pod in pods}) > 1:
        return "Updating", "New Pods replace the old ones.", None
    if ready >= desired:
        return "Ready", f"{ready} of {desired} replicas ready.", None
    if ready and broken:
        return "Degraded", broken[0], None
    if not waiting:
        return "Submitted", f"KubeAI is adding replicas: {ready} of {desired} ready.", None
    return max((_starting(pod, events) for pod in waiting), key=lambda found: _ADVANCE[found[0]])


_ADVANCE: Mapping[str, int] = {"Scheduling": 0, "Pulling": 1, "Loading": 2}


def _starting(pod: KubernetesObject, events: Iterable[KubernetesObject]) -> _Found:
    """How far a Pod has come that is neither ready nor broken."""
    conditions = {condition["type"]: condition for condition in (pod.get("status") or {}).get("conditions") or []}
    scheduled = conditions.get("PodScheduled")
    if not scheduled or scheduled["status"] != "True":
        return "Scheduling", (scheduled or {}).get("message") or "Looking for a node.", None
    pulling = _pulling_event(pod, events)
    if pulling:
        measured = _PULLED.search(pulling)
        share = int(measured["done"]) / max(int(measured["total"]), 1) if measured else None
        return "Pulling", pulling, share
    if not _server_state(pod).get("running"):
        return "Pulling", "The node is getting the engine's image.", None
    return "Loading", "The engine is loading the model.", None


def _pulling_event(pod: KubernetesObject, events: Iterable[KubernetesObject]) -> str | None:
    """The message of the Pod's newest Event, when that says that something is being pulled."""
    uid = pod["metadata"].get("uid")
    own = [event for event in events if (event.get("involvedObject") or {}).get("uid") == uid]
    pulls = [event for event in own if event.get("reason") in ("Pulling", "Pulled", "Started", "Killing")]
    newest = max(pulls, key=event_time, default=None)
    return str(newest.get("message", "")) if newest and newest["reason"] == "Pulling" else None


def event_time(event: KubernetesObject) -> tuple[str, int]:
    """When an Event was last seen, and its version to order those of one second."""
    metadata = event.get("metadata") or {}
    seen = event.get("lastTimestamp") or event.get("eventTime") or metadata.get("creationTimestamp") or ""
    version = str(metadata.get("resourceVersion", ""))
    return str(seen), int(version) if version.isdigit() else 0


def desired_replicas(model: KubernetesObject) -> int:
    """How many replicas KubeAI wants now: ``spec.replicas``, before it is set the lower bound."""
    spec = model["spec"]
    replicas = spec.get("replicas")
    if replicas is None:
        replicas = 0 if spec.get("autoscalingDisabled") else spec.get("minReplicas")
    return int(replicas or 0)


def is_ready(pod: KubernetesObject) -> bool:
    """Whether the Pod's condition Ready is true."""
    status = pod.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    return any(
        isinstance(one, dict) and one.get("type") == "Ready" and one.get("status") == "True"
        for one in (conditions if isinstance(conditions, list | tuple) else ())
    )


def broken_because(pod: KubernetesObject) -> str | None:
    """Why this Pod will not become ready by itself, or ``None``."""
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return str(status.get("message") or status.get("reason") or "The Pod has failed.")
    for container in status.get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in FATAL_WAITING:
            continue
        ended = (container.get("lastState") or {}).get("terminated") or {}
        if waiting["reason"] == "CrashLoopBackOff" and ended:
            times = container.get("restartCount", 0) + 1
            return (
                f"The engine ended with exit code {ended.get('exitCode')} ({times} {'try' if times == 1 else 'tries'})."
            )
        return str(waiting.get("message") or waiting["reason"])
    return None


def _since(phase: Phase, observation: Observation, pods: list[KubernetesObject]) -> datetime | None:
    """When a phase began, read from what the API server and the kubelet wrote down."""
    metadata = observation.model["metadata"]
    moments: Iterable[str | None] = ()
    if phase in ("Submitted", "Unmanaged", "Blocked", "Caching"):
        return observation.changed_at or parse_time(metadata.get("creationTimestamp"))
    if phase == "Deleting":
        moments = [metadata.get("deletionTimestamp")]
    elif phase in ("Scheduling", "Pulling"):
        moments = [pod["metadata"].get("creationTimestamp") for pod in pods]
    elif phase == "Loading":
        moments = [_server_state(pod).get("running", {}).get("startedAt") for pod in pods]
    elif phase == "Ready":
        conditions = [condition for pod in pods for condition in pod["status"].get("conditions") or []]
        moments = [one.get("lastTransitionTime") for one in conditions if one["type"] == "Ready"]
    return parse_time(max((moment for moment in moments if moment), default=None))


def _server_state(pod: KubernetesObject) -> Mapping[str, Any]:
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        if container.get("name") == "server":
            return container.get("state") or {}
    return {}


def _quiet_seconds(observation: Observation, now: datetime) -> float:
    """Seconds since the Model was created or, if we saw that, since its Pods last changed."""
    created = parse_time(observation.model["metadata"].get("creationTimestamp"))
    moments = [moment for moment in (created, observation.changed_at) if moment]
    return (now - max(moments)).total_seconds() if moments else 0.0


def parse_time(text: str | None) -> datetime | None:
    """Read a Kubernetes timestamp (RFC 3339, UTC)."""
    return datetime.fromisoformat(text) if text else None
