"""View: one Model as it is at a moment, and how fresh that is.

A value, so that whoever shows one (a card, a table, a report, a server) needs no Session and no cluster. It holds the
Model once, in its Observation; what can be read from there is a property and never stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from kubeai_notebook.errors import UnreachableError

from .kubeai.labels import IGNORED_ANNOTATION
from .objects import Pod, count_at, is_going, maps_at, name_of, text_at, uid_of

if TYPE_CHECKING:
    from kubeai_notebook.errors import ClusterError

    from .notice import Finding
    from .objects import KubernetesObject
    from .observation import Observation
    from .phase import ModelStatus
    from .whereabouts import Whereabouts


@dataclass(frozen=True, slots=True)
class Link:
    """How what was seen stands with the API server."""

    state: Literal["starting", "live", "reconnecting", "forbidden", "closed"]
    error: ClusterError | None = field(default=None, compare=False)
    since_seconds: float = field(default=0.0, compare=False)
    """Unix time from which on it is so: for a lost link, when the server was last heard."""
    message: str = field(init=False)
    """What the error says, so that the same refusal twice is no news."""

    @property
    def lost(self) -> bool:
        """Whether the server is away: what was seen is as old as that, and what happens now is not known."""
        return self.state == "reconnecting"

    def unreachable(self) -> UnreachableError:
        """The error of a lost link, for whoever needs to know how a Model is now."""
        error = self.error or UnreachableError("The Kubernetes API does not answer.", "It is tried again.")
        return UnreachableError(error.message, error.hint)

    def __post_init__(self) -> None:
        """Two errors are never equal, what they say may be."""
        object.__setattr__(self, "message", self.error.message if self.error else "")


@dataclass(frozen=True, slots=True)
class PodState:
    """One Pod of a Model, as a face shows it."""

    name: str
    ready: bool
    phase: str
    """Kubernetes' own, or ``Terminating``."""
    restarts: int = 0
    """Of all its containers together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A Model as it is now: status, Findings, and how fresh that is."""

    status: ModelStatus
    findings: tuple[Finding, ...]
    link: Link
    notes: tuple[str, ...] = ()
    """What cannot be seen for want of a right, and the rule of a Role that would grant it."""
    stand_in: str = ""
    """The engine that really runs, when it is not the one asked for."""
    remark: str = ""
    """What the user should know although nothing is wrong: arguments that the stand-in ignores; a sentence."""
    answering: str = ""
    """The url that answers while an update is under way; ``""`` where the Model's own does, or it is not known."""
    pending: bool = False
    """Whether something that was asked about it (a log, a dry run of its Pod) is still to come."""
    revision: int = field(default=0, compare=False)
    """Grows with every change of any Model that one publisher sees."""
    where: Whereabouts = field(compare=False)
    """The cluster and the namespace that it was seen in."""
    # The Model's arguments are the user's own, and may hold a secret.
    observation: Observation = field(compare=False, repr=False)
    """What all of this was concluded from."""

    @property
    def model(self) -> KubernetesObject:
        """The Model, as the API server has it."""
        return self.observation.model

    @property
    def name(self) -> str:
        """The Model's name."""
        return name_of(self.model)

    @property
    def settled_findings(self) -> tuple[Finding, ...]:
        """The Findings, but that nothing explains a failure only once all has come that may explain it.

        A face that follows a Model shows these: else each reader sees the wrong sentence before the right one.
        """
        return tuple(finding for finding in self.findings if not (self.pending and finding.code == "Unknown"))

    @property
    def uid(self) -> str:
        """The Model's uid: another Model of the same name has another."""
        return uid_of(self.model)

    @property
    def pods(self) -> tuple[PodState, ...]:
        """The Model's Pods, those being deleted included."""
        return tuple(map(_pod_state, self.observation.engine_pods))

    def shows_as(self, other: View) -> bool:
        """Whether whoever shows them shows the same: Events and logs count where a Finding comes of them."""
        seen, before = self.observation, other.observation
        return self == other and self.model == other.model and self.pods == other.pods and seen.answer == before.answer


def _pod_state(pod: KubernetesObject) -> PodState:
    read = Pod(pod)
    return PodState(
        name=read.name,
        ready=read.ready,
        phase="Terminating" if is_going(pod) else read.phase,
        restarts=sum(count_at(status, "restartCount") for status in maps_at(pod, "status", "containerStatuses")),
    )


def stand_in_of(pods: tuple[KubernetesObject, ...]) -> str:
    """The image of the engine that really runs, when it is not the one asked for."""
    stand_ins = (pod for pod in pods if text_at(pod, "metadata", "annotations", "kubeai-notebook/stand-in-for"))
    images = (text_at(container, "image") for pod in stand_ins for container in maps_at(pod, "spec", "containers")[:1])
    return next(images, "")


def remark_of(pods: tuple[KubernetesObject, ...]) -> str:
    """A sentence on the arguments that the engine in place of another ignores; ``""`` where there are none."""
    ignored = (text_at(pod, "metadata", "annotations", IGNORED_ANNOTATION) for pod in pods if not is_going(pod))
    arguments = next(filter(None, ignored), "")
    return f"{stand_in_of(pods) or 'The engine'} ignores {arguments}: it has no such argument." if arguments else ""
