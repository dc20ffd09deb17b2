"""Write a Model: create it, or change the one that is there; what a failure leaves is taken back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.manifest import API_VERSION
from kubeai_notebook.core.plan import Plan
from kubeai_notebook.core.spec_diff import changed_fields, patch_of
from kubeai_notebook.errors import ClusterError, KubeAIError

from . import history, secrets
from .plan import plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.core.model_spec import ModelSpec


def apply(cluster: Cluster, spec: ModelSpec, planned: Plan | None = None) -> Plan:
    """Do what `plan` says and return it; running the same spec again changes nothing.

    Raises:
        SpecError: the API server refused the Model; nothing was created.
        ClusterError: it could not be asked.
    """
    planned = planned or plan(cluster, spec)
    secret = secrets.own_secret(cluster, spec)
    if secret:
        secrets.sweep(cluster)
        if planned.action == "create":
            cluster.create_model(planned.manifest, dry_run=True)
        cluster.write_secret(secret)
    if planned.action == "attach":
        return planned
    try:
        stored = _write(cluster, spec.name, planned)
    except KubeAIError:
        # Nothing half-made is left behind; where the link is down, the next deploy's sweep finds it.
        if secret and planned.action == "create":
            with suppress(ClusterError):
                cluster.delete_secret(secret["metadata"]["name"])
        raise
    if secret:
        owner = {"apiVersion": API_VERSION, "kind": "Model", "name": spec.name, "uid": stored["metadata"]["uid"]}
        cluster.own_secret(secret["metadata"]["name"], owner)
    metadata = stored["metadata"]
    return replace(planned, generation=metadata["generation"], uid=str(metadata["uid"]))


def _write(cluster: Cluster, name: str, planned: Plan) -> dict[str, Any]:
    if planned.action == "create":
        return cluster.create_model(planned.manifest)
    patch = {"metadata": {"annotations": history.remembered(planned.current)}, **patch_of(planned.changes)}
    return cluster.patch_model(name, patch)


def change(cluster: Cluster, name: str, patch: Mapping[str, Any], *, remember: bool = True) -> int:
    """Send a merge patch, such as a Remedy's; returns the new generation.

    ``remember``: `rollback` can take it back.
    """
    if remember:
        stated = patch.get("metadata", {}).get("annotations", {})
        patch = {**patch, "metadata": {"annotations": {**stated, **history.remembered(cluster.model(name))}}}
    return int(cluster.patch_model(name, patch)["metadata"]["generation"])


def rollback(cluster: Cluster, name: str) -> Plan:
    """Go back to the spec that was applied before the present one.

    Raises:
        NotFoundError: there is none.
    """
    current = cluster.model(name)
    spec, annotations = history.previous(current)
    changes = changed_fields(current, {"spec": spec})
    patch = {"metadata": {"annotations": annotations}, **patch_of(changes)}
    generation = cluster.patch_model(name, patch)["metadata"]["generation"]
    return Plan(action="update", manifest={"spec": spec}, current=current, changes=changes, generation=generation)
