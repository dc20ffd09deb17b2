"""A Model's own Secret: a Model knows only whole Secrets, a user gives single keys and values."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.manifest import own_secret_entries, own_secret_name
from kubeai_notebook.core.parts import SecretValue
from kubeai_notebook.errors import Problem, SpecError

if TYPE_CHECKING:
    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.core.parts import ModelSpec, SecretKey


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
