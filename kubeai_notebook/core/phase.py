"""What a Model is doing: one ModelStatus from one Observation.

Everything is read through `core.objects`: what an object does not say, or says in another type, is
not known, and nothing is concluded from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .messages import duration
from .objects import (
    Container,
    Event,
    Pod,
    at,
    count_at,
    created_at,
    desired_replicas,
    in_utc,
    is_going,
    is_managed,
    map_at,
    maps_at,
    number_at,
    text_at,
    time_at,
    uid_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from .objects import KubernetesObject
    from .observation import Observation, Operator

Phase = Literal[
    "Deleting", "Submitted", "Unmanaged", "Blocked", "Caching", "Failing", "Updating", "Degraded",
    "Scheduling", "Pulling", "Loading", "Ready", "Asleep", "Paused",
]  # fmt: skip

WELL: frozenset[Phase] = frozenset({"Ready", "Asleep", "Paused"})
"""Nothing is wrong, and nothing has to happen."""
STOPPED: frozenset[Phase] = frozenset({"Blocked", "Failing", "Unmanaged"})
"""Nothing serves, and nothing comes of waiting: somebody has to act."""

GRACE_SECONDS = 10.0
"""How long the operator may take for a step before its silence means something."""

NEW_NODE_SECONDS = 30.0
"""Within this time a cluster that adds nodes says so of a Pod that fits on none."""

PASSING_WAITING = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Waiting reasons that pass by themselves; every other one is a failure (a kubelet has a dozen, and gets more)."""
RETRIED = frozenset({"CrashLoopBackOff", "ErrImagePull", "ImagePullBackOff"})
"""Those after which the kubelet tries again by itself, later and later."""

_WHO_ACTS: Mapping[Phase, str] = {
    "Submitted": "the operator", "Unmanaged": "you or an administrator", "Blocked": "you", "Failing": "you",
    "Asleep": "a request", "Paused": "you",
}  # fmt: skip

_ASLEEP = "The next request wakes it."
_NOTHING_WAKES = "It has no replicas, and KubeAI takes no requests here (proxy.mode: external): no request wakes it."
_PAUSED = "It has no replicas and autoscaling is off: no request wakes it."
_NOWHERE = re.compile(
    r"preemption: 0/(?P<nodes>\d+) nodes are available: (?P=nodes) Preemption is not helpful for scheduling"
)
_BACK_OFF = re.compile(r"\bback-off (?:(?P<minutes>[0-9]{1,3})m)?(?P<seconds>[0-9]{1,3})s\b")
_MOST_BACK_OFF_SECONDS = 300
"""Between two tries, of which a kubelet does not say it of images."""
_PULLED = re.compile(r"\b(?P<done>[0-9]{1,15}) of (?P<total>[0-9]{1,15}) MB")


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
    retried: bool = False
    """Whether what has failed is tried again by itself."""
    since: datetime | None = None
    """When this phase began, as far as the objects say."""

    @property
    def acts_next(self) -> str:
        """Who has to act for this to go on."""
        return _WHO_ACTS.get(self.phase, "nobody")

    @property
    def well(self) -> bool:
        """Whether it serves all that it should, or has no replicas because somebody wanted none."""
        return self.phase in WELL

    @property
    def stopped(self) -> bool:
        """Whether nothing serves, and nothing comes of waiting."""
        return self.phase in STOPPED

    @property
    def settled(self) -> bool:
        """Whether nothing changes from here without somebody acting."""
        return self.well or self.stopped


def status_of(observation: Observation, now: datetime) -> ModelStatus:
    """Conclude phase, counts and a sentence; the first row of the phase table that fits wins.

    A replica counts as ready when its Pod says so and is not being deleted. ``status.replicas``
    of the Model speaks only where no Pod may be read: KubeAI writes it one step late and never while deleting.
    """
    desired = desired_replicas(observation.model)
    pods = [Pod(raw) for raw in observation.engine_pods if not is_going(raw)]
    waiting = [pod for pod in pods if not pod.ready]
    ready = len(pods) - len(waiting)
    phase, detail, progress = (
        _before_pods(observation, pods, desired=desired, now=now)
        or _of_update(pods, waiting, now)
        or _by_pods(pods, waiting, desired=desired, events=observation.events)
    )
    if not observation.pods_readable:
        ready = _counted_ready(observation.model)
    return ModelStatus(
        phase=phase,
        ready=ready,
        desired=desired,
        detail=detail,
        progress=progress,
        retried=phase in ("Failing", "Degraded") and any(_is_retried(pod) for pod in waiting),
        since=_since(phase, observation, pods),
    )


def _counted_ready(model: KubernetesObject) -> int:
    """KubeAI's own count of the Model's Pods that are ready."""
    return count_at(model, "status", "replicas", "ready")


_Conclusion = tuple[Phase, str, float | None]
"""The phase, its sentence, and how much of it is done."""


def _before_pods(observation: Observation, pods: list[Pod], *, desired: int, now: datetime) -> _Conclusion | None:
    """The phases that are decided without looking into a Pod."""
    model = observation.model
    if is_going(model):
        return "Deleting", "The Model is being deleted.", None
    quiet = quiet_seconds(observation, now)
    if not is_managed(model):
        if quiet < GRACE_SECONDS:
            return "Submitted", "Waiting for KubeAI to see the Model.", None
        return "Unmanaged", f"Nobody has looked at this Model for {quiet:.0f} s.", None
    if desired == 0:
        return _without_replicas(model, observation.operator)
    if text_at(model, "spec", "cacheProfile") and at(model, "status", "cache", "loaded") is not True and not pods:
        return "Caching", "The weights are being copied into the cache.", None
    if not observation.pods_readable:
        ready = _counted_ready(model)
        detail = f"{ready} of {desired} replicas ready, says KubeAI; the Pods themselves cannot be seen."
        return ("Ready" if ready >= desired else "Loading"), detail, None
    if not pods:
        if quiet < GRACE_SECONDS:
            return "Submitted", "Waiting for KubeAI to create the Pod.", None
        return "Blocked", "KubeAI creates no Pod for this Model as it is.", None
    return None


def _without_replicas(model: KubernetesObject, operator: Operator) -> _Conclusion:
    if not map_at(model, "spec"):
        return "Blocked", "It has no spec, so KubeAI starts nothing.", None
    if at(model, "spec", "autoscalingDisabled") is True:
        return "Paused", _PAUSED, None
    if text_at(operator.config, "proxy", "mode") == "external":
        return "Paused", _NOTHING_WAKES, None
    return "Asleep", _ASLEEP, None


def _of_update(pods: list[Pod], waiting: list[Pod], now: datetime) -> _Conclusion | None:
    """An update whose newest Pod cannot start while Pods from before answer; ``None`` for anything else."""
    newest = max(waiting, key=lambda pod: pod.created, default=None)
    answering = {pod.hash for pod in pods if pod.ready}
    if newest is None or not answering or newest.hash in answering:
        return None
    no_node = fits_nowhere(newest.raw) and (in_utc(now) - newest.created).total_seconds() >= NEW_NODE_SECONDS
    why = _broken(newest) or ("no node takes the new Pod." if no_node else "")
    return ("Degraded", f"The update fails, and the Pods from before answer: {why}", None) if why else None


def _by_pods(pods: list[Pod], waiting: list[Pod], *, desired: int, events: Iterable[KubernetesObject]) -> _Conclusion:
    """The phases that the Pods decide."""
    ready = len(pods) - len(waiting)
    broken = [reason for pod in waiting if (reason := _broken(pod))]
    if broken and not ready:
        return "Failing", broken[0], None
    if len({pod.hash for pod in pods}) > 1:
        return "Updating", "New Pods replace the old ones.", None
    if ready >= desired:
        return "Ready", f"{ready} of {desired} replicas ready.", None
    if ready and broken:
        return "Degraded", broken[0], None
    if not waiting:
        return "Submitted", f"KubeAI is adding replicas: {ready} of {desired} ready.", None
    return max((_starting(pod, events) for pod in waiting), key=lambda conclusion: _ADVANCE[conclusion[0]])


_ADVANCE: Mapping[str, int] = {"Scheduling": 0, "Pulling": 1, "Loading": 2}


def _starting(pod: Pod, events: Iterable[KubernetesObject]) -> _Conclusion:
    """How far a Pod has come that is neither ready nor broken."""
    scheduled = pod.condition("PodScheduled")
    if scheduled.get("status") != "True":
        return "Scheduling", text_at(scheduled, "message") or "Looking for a node.", None
    pulling = pulling_event(pod, events)
    if pulling:
        measured = _PULLED.search(pulling)
        share = int(measured["done"]) / max(int(measured["total"]), 1) if measured else None
        return "Pulling", pulling, share if share is None else min(share, 1.0)
    if not _server(pod).running:
        return "Pulling", "The node is getting the engine's image.", None
    return "Loading", "The engine is loading the model.", None


def pulling_event(pod: Pod, events: Iterable[KubernetesObject]) -> str:
    """What the Pod's newest Event says is being pulled, or was when the Pod failed; else ``""``."""
    uid = uid_of(pod.raw)
    own = [event for event in map(Event, events) if event.uid == uid]
    pulls = [event for event in own if event.reason in ("Pulling", "Pulled", "Started", "Killing")]
    newest = max(pulls, key=lambda event: event.order, default=None)
    return newest.message if newest and newest.reason == "Pulling" else ""


def is_ready(pod: KubernetesObject) -> bool:
    """Whether the Pod's condition Ready is true."""
    return Pod(pod).ready


def broken_because(pod: KubernetesObject) -> str | None:
    """Why this Pod will not become ready by itself, or ``None``."""
    return _broken(Pod(pod))


def fits_nowhere(pod: KubernetesObject) -> bool:
    """Whether the scheduler says that no node could take this Pod, however empty: nothing comes of waiting for room.

    Source: kube-scheduler's preemption, which is "not helpful" on nodes that are too small even when empty.
    """
    read = Pod(pod)
    scheduled = read.condition("PodScheduled")
    return scheduled.get("status") == "False" and bool(_NOWHERE.search(text_at(scheduled, "message")))


def _broken(pod: Pod) -> str | None:
    if pod.phase == "Failed":
        return text_at(pod.raw, "status", "message") or text_at(pod.raw, "status", "reason") or "The Pod has failed."
    for container in map(Container, maps_at(pod.raw, "status", "containerStatuses")):
        if container.waiting in PASSING_WAITING:
            continue
        code = number_at(container.raw, "lastState", "terminated", "exitCode")
        if container.waiting == "CrashLoopBackOff" and code is not None:
            # Of no engine: its weights may have been missing before it began. What did end it, a Finding says.
            times = container.restarts + 1
            tries = f"{times} {'try' if times == 1 else 'tries'}"
            return f"{tries} ended with exit code {code}. {_next_try(container)}"
        why = text_at(container.raw, "state", "waiting", "message") or container.waiting
        return f"{why.rstrip('.')}. {_next_try(container)}" if container.waiting in RETRIED else why
    return None


def _is_retried(pod: Pod) -> bool:
    statuses = maps_at(pod.raw, "status", "containerStatuses")
    return any(container.waiting in RETRIED for container in map(Container, statuses))


def _next_try(container: Container) -> str:
    """When a container that has failed is tried again."""
    message = text_at(container.raw, "state", "waiting", "message")
    back_off = _BACK_OFF.search(message)
    seconds = int(back_off["minutes"] or 0) * 60 + int(back_off["seconds"]) if back_off else _MOST_BACK_OFF_SECONDS
    if container.waiting == "CrashLoopBackOff" and not message:
        return "It is being tried again."
    return f"It is tried again within {duration(seconds)}."


def _since(phase: Phase, observation: Observation, pods: list[Pod]) -> datetime | None:
    """When a phase began, read from what the API server and the kubelet wrote down."""
    model = observation.model
    moments: Iterable[datetime | None] = ()
    if phase in ("Submitted", "Unmanaged", "Blocked", "Caching"):
        return observation.changed_at or created_at(model)
    if phase == "Deleting":
        moments = [time_at(model, "metadata", "deletionTimestamp")]
    elif phase in ("Scheduling", "Pulling"):
        moments = [created_at(pod.raw) for pod in pods]
    elif phase == "Loading":
        moments = [_server(pod).running_since for pod in pods]
    elif phase == "Ready":
        moments = [time_at(pod.condition("Ready"), "lastTransitionTime") for pod in pods]
    return max((moment for moment in moments if moment), default=None)


def _server(pod: Pod) -> Container:
    """The engine's container; one that says nothing where the kubelet has not written of it yet."""
    containers = map(Container, maps_at(pod.raw, "status", "containerStatuses"))
    return next((container for container in containers if container.name == "server"), Container({}))


def quiet_seconds(observation: Observation, now: datetime) -> float:
    """Seconds since the Model was created, or its Pods or desired replicas changed; 0.0 where that is not known."""
    moments = [in_utc(moment) for moment in (created_at(observation.model), observation.changed_at) if moment]
    return (in_utc(now) - max(moments)).total_seconds() if moments else 0.0
