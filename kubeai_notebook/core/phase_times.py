"""How long each step of a start took, read from what the API server and the kubelet wrote down.

Times that a client takes itself begin with its first look, so a card that is opened late would say that a Model of an
hour loaded in no time. The objects hold the moments, for whoever looks and whenever: to the second, as Kubernetes
writes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .objects import Pod, created_at, is_going, map_at, text_at, time_at
from .phase import pulling_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from .objects import KubernetesObject
    from .observation import Observation
    from .phase import Phase

STEPS: tuple[Phase, ...] = ("Scheduling", "Pulling", "Loading", "Ready")
"""The way of a Pod to its first answer."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the newest Pod's start."""

    phase: Phase
    seconds: float | None = None
    """How long it took; ``None`` as long as it is not over, and where that was not written down."""
    over: bool = False


def newest_pod(observation: Observation) -> Pod | None:
    """The engine's newest Pod that is not going."""
    pods = (Pod(raw) for raw in observation.engine_pods if not is_going(raw))
    return max(pods, key=lambda pod: pod.created, default=None)


def steps_of(observation: Observation) -> tuple[Step, ...]:
    """The steps of the newest Pod's start, in their order; empty where there is no Pod."""
    pod = newest_pod(observation)
    return tuple(_steps(pod, observation.events)) if pod else ()


def _steps(pod: Pod, events: Iterable[KubernetesObject]) -> Iterator[Step]:
    # On this machine weights are pulled once the container runs, so one that began has not pulled all for certain.
    # One that is backed off or begun anew has run, also where the kubelet tells no end of it.
    ran = pod.main.started or pod.main.restarts > 0 or pod.main.waiting == "CrashLoopBackOff"
    pulled = ran and not pulling_event(pod, events)
    begins = (created_at(pod.raw), _turned(pod, "PodScheduled"), pod.main.running_since, _turned(pod, "Ready"))
    past = (True, pod.condition("PodScheduled").get("status") == "True", pulled, pod.ready)
    for step, phase in enumerate(STEPS):
        over = any(past[step + 1 :]) or (phase == "Ready" and pod.ready)
        # A container that was begun anew says when its newest run began, which tells nothing of the pull or the load.
        known = over and phase != "Ready" and not (pod.main.restarts and phase != "Scheduling")
        yield Step(phase, _between(begins[step], begins[step + 1]) if known else None, over)


def _turned(pod: Pod, condition: str) -> datetime | None:
    found = pod.condition(condition)
    return time_at(found, "lastTransitionTime") if found.get("status") == "True" else None


def _between(begin: datetime | None, end: datetime | None) -> float | None:
    return max((end - begin).total_seconds(), 0.0) if begin and end else None


def start_key(model: Mapping[str, Any], where: str) -> str:
    """What a start takes as long as another one that has the same: engine, url, profile and cluster."""
    spec = map_at(model, "spec")
    return "\n".join([*(text_at(spec, field) for field in ("engine", "url", "resourceProfile")), where])
