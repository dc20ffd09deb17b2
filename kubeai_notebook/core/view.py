"""View: one Model as it is at a moment, and how fresh that is.

A value, so that whoever shows one (a card, a table, a report, a server) needs no Session and no cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .objects import Pod, count_at, is_going, maps_at, text_at

if TYPE_CHECKING:
    from kubeai_notebook.errors import ClusterError

    from .notice import Finding
    from .observation import KubernetesObject, Observation
    from .phase import ModelStatus


@dataclass(frozen=True, slots=True)
class Link:
    """How what was seen stands with the API server."""

    state: Literal["starting", "live", "reconnecting", "forbidden", "closed"]
    error: ClusterError | None = None
    since_seconds: float = field(default=0.0, compare=False)
    """Unix time from which on it is so: for a lost link, when the server was last heard."""


@dataclass(frozen=True, slots=True)
class PodState:
    """One Pod of a Model, as a face shows it."""

    name: str
    ready: bool
    phase: str
    restarts: int = 0
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A Model as it is now: status, Findings, and how fresh that is."""

    # Its arguments are the user's own, and may hold a secret.
    model: dict[str, Any] = field(repr=False)
    status: ModelStatus
    findings: tuple[Finding, ...]
    link: Link
    pods: tuple[PodState, ...] = ()
    notes: tuple[str, ...] = ()
    """What cannot be seen for want of a right, and the rule of a Role that would grant it."""
    stand_in: str = ""
    """The engine that really runs, when it is not the one asked for."""
    observation: Observation = field(compare=False, repr=False)
    """What all of this was concluded from."""


Listener = Callable[[View | None], None]
"""Gets each new View, and ``None`` when the Model is gone. Called in the publisher's thread."""


def pod_states(pods: tuple[KubernetesObject, ...]) -> tuple[PodState, ...]:
    """The Pods as a face shows them, those being deleted included."""
    return tuple(_pod_state(pod) for pod in pods)


def _pod_state(pod: KubernetesObject) -> PodState:
    read = Pod(pod)
    return PodState(
        name=read.name,
        ready=read.ready,
        phase="Terminating" if is_going(pod) else read.phase,
        restarts=sum(count_at(one, "restartCount") for one in maps_at(pod, "status", "containerStatuses")),
        node=read.node,
    )


def stand_in_of(pods: tuple[KubernetesObject, ...]) -> str:
    """The image of the engine that really runs, when it is not the one asked for."""
    stand_ins = (pod for pod in pods if text_at(pod, "metadata", "annotations", "kubeai-notebook/stand-in-for"))
    images = (text_at(container, "image") for pod in stand_ins for container in maps_at(pod, "spec", "containers")[:1])
    return next(images, "")
