"""What serving a spec would do to the Model that is there, or is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from kubeai_notebook.core.manifest import to_manifest
from kubeai_notebook.core.merge_patch import merged
from kubeai_notebook.core.objects import is_going, map_at, uid_of
from kubeai_notebook.core.plan import Plan
from kubeai_notebook.core.served import LAST_SERVED, three_way, to_remember
from kubeai_notebook.core.spec_diff import changed_fields
from kubeai_notebook.errors import ConflictError, NotFoundError

from .scaling import ANNOTATION, is_paused, without_pause
from .secrets import changed_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.core.model_spec import ModelSpec


def plan(cluster: Cluster, spec: ModelSpec, *, seen: Mapping[str, Any] | None = None) -> Plan:
    """Compare the spec with what was served last and with what the cluster has: create, attach (equal), or update.

    A Model that is paused is resumed: who serves it wants it to answer. ``seen``: as `three_way` takes it.

    Raises:
        ConflictError: a Model of this name is still being deleted.
    """
    try:
        current = cluster.model(spec.name)
    except NotFoundError:
        annotations = {LAST_SERVED: to_remember({}, spec)}
        manifest = merged(to_manifest(spec), {"metadata": {"annotations": annotations}})
        return Plan(action="create", manifest=manifest, hidden=spec.given_values)
    if is_going(current):
        raise ConflictError(f'"{spec.name}" is still being deleted.', "Run this again in a moment.")
    awake = without_pause(current)
    manifest = three_way(awake, spec, seen=seen)
    stated = map_at(to_manifest(spec), "metadata", "annotations")
    manifest["metadata"]["annotations"] = {**stated, LAST_SERVED: to_remember(current, spec)}
    if is_paused(current):
        manifest["metadata"]["annotations"][ANNOTATION] = None
        # As `resumed` does: until KubeAI sets the number, it would look asleep.
        manifest["spec"].setdefault("replicas", awake["spec"]["replicas"])
    changes = changed_fields(current, manifest)
    values = changed_values(cluster, spec)
    action: Literal["attach", "update"] = "update" if changes or values else "attach"
    uid = uid_of(current)
    return Plan(
        action=action,
        manifest=manifest,
        current=current,
        changes=changes,
        secrets=values,
        uid=uid,
        hidden=spec.given_values,
    )
