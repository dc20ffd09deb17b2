"""Verbs on Models, Secrets and what stands around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import ConflictError

from .api import CORE, MODELS, NAMES_ONLY
from .verbs import FIELD_MANAGER, Verbs

if TYPE_CHECKING:
    from collections.abc import Mapping

_STRICT = {"fieldValidation": "Strict", "fieldManager": FIELD_MANAGER}
_OURS = {"fieldManager": FIELD_MANAGER}
_DRY = {"dryRun": "All"}


class ObjectVerbs(Verbs):
    """What a Session writes and reads, but for Pods."""

    def create_model(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Create a Model; ``Strict``, so that a misspelt field is refused and not dropped."""
        return self.create(self.path(MODELS, "models"), manifest, query=_STRICT | (_DRY if dry_run else {}))

    def model(self, name: str) -> dict[str, Any]:
        """Read one Model."""
        return self.get(self.path(MODELS, "models", name))

    def models(self) -> list[dict[str, Any]]:
        """All Models of the namespace."""
        return self.listed(self.path(MODELS, "models"))

    def patch_model(self, name: str, patch: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Apply a JSON merge patch to a Model; one that names a ``resourceVersion`` applies to that version only."""
        return self.patch(self.path(MODELS, "models", name), patch, query=_STRICT | (_DRY if dry_run else {}))

    def scale_model(self, name: str, replicas: int) -> None:
        """Set ``replicas`` through the scale subresource."""
        self.patch(self.path(MODELS, "models", name) + "/scale", {"spec": {"replicas": replicas}}, query=_OURS)

    def delete_model(self, name: str) -> None:
        """Delete a Model; its Pods go with it."""
        self.delete(self.path(MODELS, "models", name), query={"propagationPolicy": "Background"})

    def secret(self, name: str) -> dict[str, Any]:
        """Read a Secret; its ``data`` is never to be shown."""
        return self.get(self.path(CORE, "secrets", name))

    def secret_names(self) -> tuple[str, ...]:
        """The names of the namespace's Secrets; their values do not even leave the server."""
        return _names(self.listed(self.path(CORE, "secrets"), accept=NAMES_ONLY))

    def write_secret(self, manifest: Mapping[str, Any]) -> bool:
        """Create a Secret, or change data, labels, annotations and owners of the one that is there; True: created."""
        path = self.path(CORE, "secrets")
        try:
            self.create(path, manifest, query=_OURS)
        except ConflictError:
            metadata = manifest["metadata"]
            kept = {key: metadata[key] for key in ("labels", "annotations", "ownerReferences") if key in metadata}
            patch = {"metadata": kept, **{key: manifest[key] for key in ("data", "stringData") if key in manifest}}
            self.patch_secret(metadata["name"], patch)
            return False
        return True

    def patch_secret(self, name: str, patch: Mapping[str, Any]) -> None:
        """Apply a JSON merge patch to a Secret."""
        self.patch(self.path(CORE, "secrets", name), patch, query=_OURS)

    def delete_secret(self, name: str) -> None:
        """Delete a Secret."""
        self.delete(self.path(CORE, "secrets", name))

    def config_map(self, name: str, namespace: str | None = None) -> dict[str, Any]:
        """Read a ConfigMap, by default of the Session's namespace."""
        return self.get(Verbs(self.api, namespace or self.namespace).path(CORE, "configmaps", name))

    def services(self) -> list[dict[str, Any]]:
        """All Services of the namespace."""
        return self.listed(self.path(CORE, "services"))

    def claims(self) -> list[dict[str, Any]]:
        """All PersistentVolumeClaims of the namespace."""
        return self.listed(self.path(CORE, "persistentvolumeclaims"))

    def priority_classes(self) -> tuple[str, ...]:
        """The names of the cluster's PriorityClasses."""
        return _names(self.listed("apis/scheduling.k8s.io/v1/priorityclasses", accept=NAMES_ONLY))

    def resource_quotas(self) -> list[dict[str, Any]]:
        """The namespace's ResourceQuotas, with what is used of them."""
        return self.listed(self.path(CORE, "resourcequotas"))


def _names(items: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted(item["metadata"]["name"] for item in items))
