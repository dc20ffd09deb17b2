"""Tolerant readers of what an API server sends: Models, Pods, Events.

A field that is missing, or of another type than Kubernetes gives it, is simply not known. It is
never an error: an operator of another version, a controller that is not KubeAI's, or somebody with
``kubectl`` wrote the object, and one odd object must not take the status of all others away. So
nobody indexes raw objects; status, diagnosis and every face read them through here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from .kubeai.labels import FEATURE_LABEL

KubernetesObject = Mapping[str, Any]
NOTHING: Mapping[str, Any] = {}
LONG_AGO = datetime.min.replace(tzinfo=UTC)
APPLIED = "kubeai-notebook/applied"
"""The annotation with the specs of a Model that were applied before the present one, the oldest first."""


def at(value: Any, *path: str) -> Any:
    """The value behind the keys, or None.

    >>> at({"status": {"phase": "Pending"}}, "status", "phase")
    'Pending'
    """
    for key in path:
        # The first test is for speed: isinstance against an abstract class costs ten times as much.
        if type(value) is not dict and not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def is_int64(number: int) -> bool:
    """Whether it is what Kubernetes and engines call an integer; Python writes no text of a much longer one.

    >>> is_int64(2**63 - 1), is_int64(2**63)
    (True, False)
    """
    # Compared: a range finds numbers of Python's own type only, and looks for numpy's one by one.
    return -(2**63) <= number < 2**63


def map_at(value: Any, *path: str) -> Mapping[str, Any]:
    """The mapping behind the keys; empty where there is none."""
    mapping = at(value, *path)
    return mapping if type(mapping) is dict or isinstance(mapping, Mapping) else NOTHING


def text_at(value: Any, *path: str) -> str:
    """The text behind the keys; empty where there is none."""
    text = at(value, *path)
    return text if isinstance(text, str) else ""


def number_at(value: Any, *path: str) -> int | None:
    """The whole number behind the keys, of 64 bits at most as Kubernetes has them."""
    number = at(value, *path)
    return number if isinstance(number, int) and not isinstance(number, bool) and is_int64(number) else None


def count_at(value: Any, *path: str) -> int:
    """The number behind the keys of what can be counted; 0 where there is none."""
    return max(number_at(value, *path) or 0, 0)


def maps_at(value: Any, *path: str) -> tuple[Mapping[str, Any], ...]:
    """The mappings of the list behind the keys."""
    items = at(value, *path)
    if not isinstance(items, list | tuple):
        return ()
    return tuple(item for item in items if type(item) is dict or isinstance(item, Mapping))


def texts_at(value: Any, *path: str) -> tuple[str, ...]:
    """The texts of the list behind the keys."""
    items = at(value, *path)
    return tuple(item for item in items if isinstance(item, str)) if isinstance(items, list | tuple) else ()


def texts_in(value: Any, *path: str) -> dict[str, str]:
    """The texts by their names in the mapping behind the keys, such as labels or env."""
    mapping = map_at(value, *path)
    return {key: item for key, item in mapping.items() if isinstance(key, str) and isinstance(item, str)}


def earlier_specs(model: KubernetesObject) -> list[dict[str, Any]]:
    """The specs stored in the annotation; an empty list if it holds anything else."""
    try:
        specs = json.loads(text_at(model, "metadata", "annotations", APPLIED) or "[]")
    except (ValueError, RecursionError):
        return []
    return [spec for spec in specs if isinstance(spec, dict)] if isinstance(specs, list) else []


def time_at(value: Any, *path: str) -> datetime | None:
    """The time (RFC 3339) behind the keys, in UTC; one without a zone is UTC."""
    return parse_time(text_at(value, *path))


def parse_time(text: str) -> datetime | None:
    """Read a timestamp as Kubernetes writes it, with any fraction and any zone; None where it is no time.

    >>> parse_time("2026-11-22T21:00:00.123456789+01:00").isoformat()
    '2026-11-22T20:00:00.123456+00:00'
    """
    try:
        return in_utc(datetime.fromisoformat(text.upper())).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def in_utc(time: datetime) -> datetime:
    """The time with a zone, so that it can be compared."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def name_of(item: Any) -> str:
    """The object's name, or ``""``."""
    return text_at(item, "metadata", "name")


def uid_of(item: Any) -> str:
    """The object's uid, or ``""``."""
    return text_at(item, "metadata", "uid")


def created_at(item: Any) -> datetime | None:
    """When the object was created, in UTC."""
    return time_at(item, "metadata", "creationTimestamp")


def is_going(item: Any) -> bool:
    """Whether the object is being deleted."""
    return text_at(item, "metadata", "deletionTimestamp") != ""


def desired_replicas(model: Any) -> int:
    """How many replicas KubeAI wants now: ``spec.replicas``, before it is set the lower bound."""
    replicas = number_at(model, "spec", "replicas")
    if replicas is None and at(model, "spec", "autoscalingDisabled") is not True:
        replicas = number_at(model, "spec", "minReplicas")
    return max(replicas or 0, 0)


def is_managed(model: Any) -> bool:
    """Whether an operator left any trace on the Model."""
    return bool(map_at(model, "status")) or any(
        str(label).startswith(FEATURE_LABEL) for label in map_at(model, "metadata", "labels")
    )


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
    def running_since(self) -> datetime | None:
        """When its newest run began, while that lives."""
        return time_at(self.raw, "state", "running", "startedAt")

    @property
    def restarts(self) -> int:
        """How often the kubelet began it anew."""
        return count_at(self.raw, "restartCount")

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
        return next((condition for condition in conditions if condition.get("type") == kind), {})

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
    def order(self) -> tuple[datetime, int]:
        """What Events are sorted by: the time, and the version for those of one second."""
        version = text_at(self.raw, "metadata", "resourceVersion")
        return self.time, int(version) if version.isascii() and version.isdigit() and len(version) < 20 else 0

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
        return max(number_at(self.raw, "series", "count") or number_at(self.raw, "count") or 1, 1)

    @property
    def kind(self) -> str:
        """The kind of the object it is about."""
        return text_at(self.raw, "involvedObject", "kind")

    @property
    def name(self) -> str:
        """The name of the object it is about."""
        return text_at(self.raw, "involvedObject", "name")

    @property
    def uid(self) -> str:
        """The uid of the object it is about."""
        return text_at(self.raw, "involvedObject", "uid")
