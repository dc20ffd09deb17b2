"""Pods, their containers and Events, as far as diagnosis reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .reading import at, map_at, maps_at, number_at, text_at, time_at

if TYPE_CHECKING:
    from kubeai_notebook.core.observation import KubernetesObject

LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Container:
    """One container status."""

    raw: KubernetesObject

    @property
    def name(self) -> str:
        """The container's name."""
        return text_at(self.raw, "name")

    @property
    def waiting(self) -> str:
        """The waiting reason, or ``""``."""
        return text_at(self.raw, "state", "waiting", "reason")

    @property
    def running(self) -> bool:
        """Whether its newest run lives."""
        return isinstance(at(self.raw, "state", "running"), Mapping)

    @property
    def started(self) -> bool:
        """Whether this container ever ran, so that Events about its start are history."""
        return self.running or bool(self.last_run)

    @property
    def last_run(self) -> Mapping[str, Any]:
        """How the newest run that ended did end."""
        return map_at(self.raw, "state", "terminated") or map_at(self.raw, "lastState", "terminated")

    @property
    def ended(self) -> Mapping[str, Any]:
        """How the newest run ended; empty while it lives."""
        return {} if self.running else self.last_run


@dataclass(frozen=True)
class Pod:
    """One Pod, as far as diagnosis reads it."""

    raw: KubernetesObject

    @cached_property
    def name(self) -> str:
        """The Pod's name."""
        return text_at(self.raw, "metadata", "name")

    @cached_property
    def labels(self) -> Mapping[str, Any]:
        """The Pod's labels."""
        return map_at(self.raw, "metadata", "labels")

    @property
    def hash(self) -> str:
        """What KubeAI made of the spec that this Pod runs."""
        return text_at(self.labels, "pod-hash")

    @property
    def node(self) -> str:
        """The node, or ``""``."""
        return text_at(self.raw, "spec", "nodeName")

    @property
    def phase(self) -> str:
        """The Pod's phase, or ``""``."""
        return text_at(self.raw, "status", "phase")

    @cached_property
    def created(self) -> datetime:
        """When it was created; long ago where that is not known."""
        return time_at(self.raw, "metadata", "creationTimestamp") or LONG_AGO

    @cached_property
    def is_of_job(self) -> bool:
        """Whether a Job that fills the cache owns it."""
        owners = maps_at(self.raw, "metadata", "ownerReferences")
        return (
            any(text_at(owner, "kind") == "Job" for owner in owners)
            or "job-name" in self.labels
            or self.name.startswith(("load-cache-", "evict-cache-"))
            or {text_at(status, "name") for status in maps_at(self.raw, "status", "containerStatuses")} == {"loader"}
        )

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """Statuses of init containers and containers; the engine or loader first."""
        keys = ("containerStatuses", "initContainerStatuses")
        statuses = [Container(raw) for key in keys for raw in maps_at(self.raw, "status", key)]
        main = "loader" if self.is_of_job else "server"
        return tuple(sorted(statuses, key=lambda container: container.name != main))

    @property
    def main(self) -> Container:
        """The engine's container, or the loader's in a Job's Pod."""
        return self.containers[0] if self.containers else Container({})

    def condition(self, kind: str) -> Mapping[str, Any]:
        """The condition of that type."""
        conditions = maps_at(self.raw, "status", "conditions")
        return next((found for found in conditions if found.get("type") == kind), {})

    @cached_property
    def ready(self) -> bool:
        """Whether its condition Ready is true."""
        return self.condition("Ready").get("status") == "True"

    @property
    def env(self) -> Mapping[str, Mapping[str, Any]]:
        """The first container's env entries by name."""
        spec = next(iter(maps_at(self.raw, "spec", "containers")), {})
        return {text_at(entry, "name"): entry for entry in maps_at(spec, "env")}

    def resource(self, *path: str) -> Mapping[str, Any]:
        """``requests`` or ``limits`` of the first container."""
        spec = next(iter(maps_at(self.raw, "spec", "containers")), {})
        return map_at(spec, "resources", *path)


@dataclass(frozen=True)
class Event:
    """One core/v1 Event."""

    raw: KubernetesObject

    @cached_property
    def time(self) -> datetime:
        """When it was last seen."""
        keys = ("lastTimestamp", "eventTime", "firstTimestamp")
        times = [time_at(self.raw, "series", "lastObservedTime"), *(time_at(self.raw, key) for key in keys)]
        return next((time for time in times if time), time_at(self.raw, "metadata", "creationTimestamp") or LONG_AGO)

    @property
    def reason(self) -> str:
        """The reason."""
        return text_at(self.raw, "reason")

    @property
    def message(self) -> str:
        """The message."""
        return text_at(self.raw, "message") or text_at(self.raw, "note")

    @property
    def source(self) -> str:
        """The component that wrote it."""
        return text_at(self.raw, "source", "component") or text_at(self.raw, "reportingComponent")

    @property
    def count(self) -> int:
        """How often it was seen."""
        return number_at(self.raw, "series", "count") or number_at(self.raw, "count") or 1

    @property
    def kind(self) -> str:
        """The kind of the object it is about."""
        return text_at(self.raw, "involvedObject", "kind")

    @property
    def name(self) -> str:
        """The name of the object it is about."""
        return text_at(self.raw, "involvedObject", "name")
