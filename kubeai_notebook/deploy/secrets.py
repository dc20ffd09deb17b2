"""A Model's own Secret: a Model knows only whole Secrets, a user gives single keys and values."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kubeai_notebook.cluster.api import CORE, NAMES_ONLY
from kubeai_notebook.core.manifest import own_secret_entries, own_secret_name
from kubeai_notebook.core.model_spec import SecretValue
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.objects import time_at
from kubeai_notebook.errors import ForbiddenError, NotFoundError, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.core.model_spec import ModelSpec, SecretKey

LABEL = "kubeai-notebook/model"
YOUNG_SECONDS = 60.0


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
    metadata = {"name": own_secret_name(spec.name), "labels": {LABEL: spec.name}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


def _encoded(cluster: Cluster, entry: SecretKey | SecretValue) -> str:
    """A value in base64, as Secrets hold it."""
    if isinstance(entry, SecretValue):
        return b64encode(entry.value.get_secret_value().encode()).decode()
    data = cluster.secret(entry.secret).get("data") or {}
    if entry.key not in data:
        there = ", ".join(sorted(data)) or "none"
        message = f'The Secret "{entry.secret}" has no key "{entry.key}". Its keys are: {there}.'
        raise SpecError([wrong("secrets", "SecretKeyNotFound", message)])
    return str(data[entry.key])


def sweep(cluster: Cluster, young_seconds: float = YOUNG_SECONDS) -> None:
    """Delete Secrets that were made for a Model which then never came: the link was down when they were to be undone.

    One that is young may belong to a Model that is being created at this moment.
    """
    try:
        labelled = cluster.listed(cluster.path(CORE, "secrets"), query={"labelSelector": LABEL}, accept=NAMES_ONLY)
    except ForbiddenError:
        return
    for secret in labelled:
        metadata = secret["metadata"]
        if metadata.get("ownerReferences") or _age_seconds(metadata) < young_seconds:
            continue
        with suppress(NotFoundError):
            if not _model_is_there(cluster, metadata["labels"][LABEL]):
                cluster.delete_secret(metadata["name"])


def _model_is_there(cluster: Cluster, name: str) -> bool:
    try:
        return bool(cluster.model(name))
    except NotFoundError:
        return False


def _age_seconds(metadata: Mapping[str, Any]) -> float:
    created = time_at(metadata, "creationTimestamp")
    return (datetime.now(UTC) - created).total_seconds() if created else 0.0
