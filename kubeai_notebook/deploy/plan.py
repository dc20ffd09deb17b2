"""What serving a spec would do to the Model that is there, or is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kubeai_notebook.core.manifest import to_manifest
from kubeai_notebook.core.objects import is_going, uid_of
from kubeai_notebook.core.plan import Plan
from kubeai_notebook.core.spec_diff import changed_fields
from kubeai_notebook.errors import ConflictError, NotFoundError

from .secrets import changed_values

if TYPE_CHECKING:
    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.core.model_spec import ModelSpec


def plan(cluster: Cluster, spec: ModelSpec) -> Plan:
    """Compare the spec with what the cluster has: create, attach (equal), or update.

    Raises:
        ConflictError: a Model of this name is still being deleted.
    """
    manifest = to_manifest(spec)
    try:
        current = cluster.model(spec.name)
    except NotFoundError:
        return Plan(action="create", manifest=manifest)
    if is_going(current):
        raise ConflictError(f'"{spec.name}" is still being deleted.', "Run this again in a moment.")
    changes = changed_fields(current, manifest)
    values = changed_values(cluster, spec)
    action: Literal["attach", "update"] = "update" if changes or values else "attach"
    uid = uid_of(current)
    return Plan(action=action, manifest=manifest, current=current, changes=changes, secrets=values, uid=uid)
