"""Bring a spec to the cluster: plan, apply."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from .core.manifest import changed_fields, own_secret_entries, to_manifest
from .errors import ConflictError, NotFoundError, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .cluster.client import Cluster
    from .core.spec import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What serving a spec would do."""

    action: Literal["create", "attach", "update"]
    manifest: dict[str, Any]
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """``{field: (now, wanted)}`` for an update."""
    generation: int = 0
    """The Model's generation after this; 0 as long as it was not applied."""


def plan(cluster: Cluster, spec: ModelSpec) -> Plan:
    """Compare the spec with what the cluster has: create, attach (equal), or update."""
    manifest = to_manifest(spec)
    try:
        current = cluster.model(spec.name)
    except NotFoundError:
        return Plan(action="create", manifest=manifest)
    if current["metadata"].get("deletionTimestamp"):
        raise ConflictError(f'"{spec.name}" is still being deleted.', "Run this again in a moment.")
    changes = changed_fields(current, manifest)
    return Plan(action="update" if changes else "attach", manifest=manifest, changes=changes)


def apply(cluster: Cluster, spec: ModelSpec) -> Plan:
    """Do what `plan` says and return it; running the same spec again changes nothing.

    Raises:
        SpecError: the API server refused the Model; nothing was created.
        ClusterError: it could not be asked.
    """
    if own_secret_entries(spec):
        message = 'Secret values and renamed keys cannot be sent yet. Name a Secret of the namespace: secrets=["name"].'
        raise SpecError([Problem("secrets", "NotSupported", message)])
    planned = plan(cluster, spec)
    if planned.action == "attach":
        return planned
    if planned.action == "create":
        stored = cluster.create_model(planned.manifest)
    else:
        stored = cluster.patch_model(spec.name, {"spec": {name: to for name, (_, to) in planned.changes.items()}})
    return replace(planned, generation=stored["metadata"]["generation"])
