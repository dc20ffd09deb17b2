"""What was seen of one Model at one moment: plain Kubernetes objects, nothing concluded yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .masking import masked, masked_repr, secret_values
from .objects import APPLIED, KubernetesObject, Pod, earlier_specs, map_at, maps_at, text_at, texts_at, texts_in
from .source import Source

if TYPE_CHECKING:
    from datetime import datetime


HOOKS = (
    *(("startupProbe",), ("livenessProbe",), ("readinessProbe",)),
    *(("lifecycle", "postStart"), ("lifecycle", "preStop")),
)
"""Where a container says what the kubelet runs or asks besides it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTail:
    """The last lines of one container's log, as the API returned them."""

    pod: str
    text: str
    container: str = "server"
    previous: bool = False
    """Whether this is the log of the container's run before the present one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """What may be known of the KubeAI installation. ``None``: could not be read, so nothing follows from it."""

    namespace: str | None = None
    version: str | None = None
    config: Mapping[str, Any] | None = field(default=None, repr=False)
    """The parsed ``system.yaml`` of ConfigMap ``kubeai-config``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """The result of the one test request that is sent when a Model becomes ready."""

    status: int | None
    """HTTP status; ``None`` when no answer came."""
    body: str = ""
    """Empty where it was what a Model answers."""
    seconds: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those that tell who answered (`core.answers.telling`), by name in small letters."""

    __repr__ = masked_repr


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything that was seen of one Model at one moment.

    All objects are dicts in the API's own (camelCase) spelling. An empty tuple means
    "there is none, or it may not be read"; conclusions must hold in both cases.
    """

    model: KubernetesObject
    changed_at: datetime | None = None
    """When desired replicas or Pods last changed; ``None`` if they have not since watching began."""
    pods: tuple[KubernetesObject, ...] = ()
    pods_readable: bool = True
    """``False``: the right to list Pods is missing, so that their absence says nothing."""
    events: tuple[KubernetesObject, ...] = ()
    """core/v1 Events that involve the Model, its Pods, its Jobs or its claims."""
    jobs: tuple[KubernetesObject, ...] = ()
    claims: tuple[KubernetesObject, ...] = ()
    """PersistentVolumeClaims of the Model's cache or ``pvc://`` url."""
    logs: tuple[LogTail, ...] = ()
    operator: Operator = field(default_factory=Operator)
    refusal: str | None = None
    """The API server's message when the Model's Pod was created with ``dryRun=All`` and refused."""
    answer: HttpAnswer | None = None
    free: Mapping[str, int] | None = None
    """How many units of each resource profile one node could take; ``None`` where it was not asked or may not be."""
    this_machine: bool = False
    """Whether engines run on the user's own machine: what a cluster's admin would do there is the user's to do."""

    def __repr__(self) -> str:
        return masked(masked_repr(self), self.secrets)

    @property
    def engine_pods(self) -> tuple[KubernetesObject, ...]:
        """The Pods that run the engine: those of Jobs that fill the cache never answer, however ready they are."""
        return tuple(raw for raw in self.pods if isinstance(raw, Mapping) and not Pod(raw).is_of_job)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that nobody may see in what any of the Pods says, the longest first."""
        return secrets_of(self.model, *self.pods)


def secrets_of(model: KubernetesObject, *pods: KubernetesObject) -> tuple[str, ...]:
    """Values that nobody may see: of the Model's env, args, urls, files and annotations, and of what its Pods say.

    A Pod may be of an earlier spec, or have more than the Model says, so earlier specs count too; the longest first.
    """
    specs = [map_at(model, "spec"), *earlier_specs(model)]
    for pod in pods:
        for container in (*maps_at(pod, "spec", "containers"), *maps_at(pod, "spec", "initContainers")):
            variables = {text_at(entry, "name"): text_at(entry, "value") for entry in maps_at(container, "env")}
            specs.append({"env": variables, "args": texts_at(container, "args")})
            specs += ({"args": words} for words in _said_besides(container))
    for one in (model, *pods):
        notes = texts_in(one, "metadata", "annotations")
        # What stands in ours was read above.
        specs.append({"annotations": {name: text for name, text in notes.items() if name != APPLIED}})
    values = dict.fromkeys(value for spec in specs for value in secret_values(spec))
    return tuple(sorted(values, key=len, reverse=True))


def _said_besides(container: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The words of a container's command, and of the commands and headers of its probes and hooks."""
    yield texts_at(container, "command")
    for path in HOOKS:
        hook = map_at(container, *path)
        yield texts_at(hook, "exec", "command")
        for header in maps_at(hook, "httpGet", "httpHeaders"):
            yield (f"{text_at(header, 'name')}: {text_at(header, 'value')}",)


def claim_of(model: Any) -> str:
    """The claim that the Model's weights lie in, of its cache or its url; ``""`` where it needs none."""
    cache = text_at(model, "spec", "cacheProfile")
    if cache:
        return f"shared-model-cache-{cache}"
    return Source(text_at(model, "spec", "url")).claim
