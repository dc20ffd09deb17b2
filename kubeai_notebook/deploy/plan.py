"""What serving a spec would do to the Model that is there, or is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kubeai_notebook.core.manifest import to_manifest
from kubeai_notebook.core.objects import is_going, uid_of
from kubeai_notebook.core.spec_diff import changed_fields, readable, restarts_pods
from kubeai_notebook.errors import ConflictError, NotFoundError

from .secrets import changed_values

if TYPE_CHECKING:
    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.spec_diff import Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done, and what that means for the Pods."""

    action: Literal["create", "attach", "update"]
    manifest: dict[str, Any]
    current: dict[str, Any] = field(default_factory=dict)
    """The Model as it is in the cluster; empty where there is none."""
    changes: Changes = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    """Variables whose value in the Model's own Secret changes: no Pod is replaced for them."""
    uid: str = ""
    """The Model's own; ``""`` as long as there is none."""

    @property
    def restarts(self) -> bool:
        """Whether KubeAI replaces the Model's Pods."""
        return restarts_pods(self.current, self.changes)

    @property
    def diff(self) -> str:
        """The changes, one line a field."""
        values = [f"secrets: {', '.join(self.secrets)} (changed)"] if self.secrets else []
        return "\n".join([*readable(self.changes), *values])

    def __repr__(self) -> str:
        changed = ", ".join([*self.changes, *self.secrets])
        return f"Plan({self.action}: {changed or 'nothing to change'})"


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
