"""Bring a spec to the cluster: plan, apply."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from .core.manifest import API_VERSION, changed_fields, own_secret_entries, own_secret_name, to_manifest
from .core.parts import SecretValue
from .errors import ConflictError, KubeAIError, NotFoundError, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .cluster.client import Cluster
    from .core.parts import ModelSpec, SecretKey


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
    planned = plan(cluster, spec)
    secret = own_secret(cluster, spec)
    if secret:
        cluster.write_secret(secret)
    if planned.action == "attach":
        return planned
    try:
        stored = _write(cluster, spec.name, planned)
    except KubeAIError:
        # Nothing half-made is left behind.
        if secret and planned.action == "create":
            cluster.delete_secret(secret["metadata"]["name"])
        raise
    if secret:
        owner = {"apiVersion": API_VERSION, "kind": "Model", "name": spec.name, "uid": stored["metadata"]["uid"]}
        cluster.own_secret(secret["metadata"]["name"], owner)
    return replace(planned, generation=stored["metadata"]["generation"])


def _write(cluster: Cluster, name: str, planned: Plan) -> dict[str, Any]:
    if planned.action == "create":
        return cluster.create_model(planned.manifest)
    return cluster.patch_model(name, {"spec": {field: wanted for field, (_, wanted) in planned.changes.items()}})


def own_secret(cluster: Cluster, spec: ModelSpec) -> dict[str, Any] | None:
    """The Model's own Secret, for values and for keys whose variable has another name; ``None`` without these.

    Raises:
        ForbiddenError: a key is to be copied, and its Secret may not be read.
        SpecError: that Secret has no such key.
    """
    entries = own_secret_entries(spec)
    if not entries:
        return None
    data = {entry.env: _encoded(cluster, entry) for entry in entries}
    metadata = {"name": own_secret_name(spec.name), "labels": {"kubeai-notebook/model": spec.name}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


def _encoded(cluster: Cluster, entry: SecretKey | SecretValue) -> str:
    """A value in base64, as Secrets hold it."""
    if isinstance(entry, SecretValue):
        return b64encode(entry.value.get_secret_value().encode()).decode()
    data = cluster.secret(entry.secret).get("data") or {}
    if entry.key not in data:
        there = ", ".join(sorted(data)) or "none"
        message = f'The Secret "{entry.secret}" has no key "{entry.key}". Its keys are: {there}.'
        raise SpecError([Problem("secrets", "SecretKeyNotFound", message)])
    return str(data[entry.key])
