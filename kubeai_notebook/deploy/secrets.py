"""A Model's own Secret: a Model knows only whole Secrets, a user gives single keys and values."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kubeai_notebook.cluster.api import CORE, NAMES_ONLY
from kubeai_notebook.core.manifest import API_VERSION, own_secret_entries, own_secret_name
from kubeai_notebook.core.model_spec import SecretValue
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.objects import map_at, name_of, time_at, uid_of
from kubeai_notebook.errors import ClusterError, ForbiddenError, NotFoundError, SpecError

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


def changed_values(cluster: Cluster, spec: ModelSpec) -> tuple[str, ...]:
    """The variables whose value in the Model's own Secret is another one than the spec's.

    All of them where that cannot be known, because a Secret is missing or may not be read.
    """
    entries = own_secret_entries(spec)
    if not entries:
        return ()
    try:
        wanted = map_at(own_secret(cluster, spec), "data")
        present = map_at(cluster.secret(own_secret_name(spec.name)), "data")
    except (ForbiddenError, NotFoundError, SpecError):
        return tuple(entry.env for entry in entries)
    return tuple(sorted(key for key in {*wanted, *present} if wanted.get(key) != present.get(key)))


class OwnSecret:
    """One write of a Model's own Secret, which can be taken back.

    It has to be there before the Model's Pods are, so it is written first; where the Model is then refused, a Model
    that runs must not find other values at its Pods' next start.
    """

    def __init__(self, cluster: Cluster, manifest: Mapping[str, Any]) -> None:
        self._cluster, self._manifest = cluster, manifest
        self.name = str(manifest["metadata"]["name"])
        self._before: Mapping[str, Any] | None = None
        self._before_known = True
        try:
            self._before = cluster.secret(self.name)
        except NotFoundError:
            pass
        except ForbiddenError:
            self._before_known = False
        self._written = self._created = False

    def write(self, model: Mapping[str, Any]) -> None:
        """Write it, tied to the Model if that is there already (``{}``: it is not)."""
        owners = {"ownerReferences": [owner_of(model)]} if model else {}
        self._written = True  # also where the answer gets lost
        manifest = {**self._manifest, "metadata": {**self._manifest["metadata"], **owners}}
        self._created = self._cluster.write_secret(manifest)
        gone = map_at(self._before, "data").keys() - map_at(self._manifest, "data").keys()
        if gone:
            self._cluster.patch_secret(self.name, {"data": dict.fromkeys(sorted(gone))})

    def tie(self, model: Mapping[str, Any]) -> None:
        """Have it go with the Model that was just created."""
        self._cluster.patch_secret(self.name, {"metadata": {"ownerReferences": [owner_of(model)]}})

    def take_back(self) -> str:
        """Leave the Secret as it was before `write`; returns a sentence where that could not be done."""
        if not self._written:
            return ""
        try:
            if self._created or (self._before is None and self._before_known):
                with suppress(NotFoundError):
                    self._cluster.delete_secret(self.name)
            elif self._before is not None:
                self._cluster.patch_secret(self.name, _back_to(self._before, self._manifest))
            else:
                return f'The Secret "{self.name}" keeps the new values: those before may not be read here.'
        except ClusterError as error:
            return f'The Secret "{self.name}" keeps the new values: {error.message}'
        return ""


def owner_of(model: Mapping[str, Any]) -> dict[str, str]:
    """The owner reference by which an object goes with a Model."""
    return {"apiVersion": API_VERSION, "kind": "Model", "name": name_of(model), "uid": uid_of(model)}


def _back_to(before: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch from what was written to what was there."""
    added = map_at(written, "data").keys() - map_at(before, "data").keys()
    metadata = {key: map_at(before, "metadata").get(key) for key in ("labels", "ownerReferences")}
    return {"metadata": metadata, "data": {**map_at(before, "data"), **dict.fromkeys(added)}}


def sweep(cluster: Cluster, young_seconds: float = YOUNG_SECONDS) -> None:
    """Delete orphaned Secrets: their Model was never created, and the request that takes them back got lost.

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
