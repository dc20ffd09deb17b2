"""What a KubeAI installation has before the first Model."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from kubeai_notebook.local.api.resources import CONFIG_MAPS, NAMESPACES, SERVICES, Object

if TYPE_CHECKING:
    from kubeai_notebook.local.api.store import Store

NAMESPACE = "default"
"""The operator's own; like KubeAI it ignores Models of any other."""
KUBEAI_VERSION = "0.22.1"
_LABELS = {"app.kubernetes.io/name": "kubeai", "app.kubernetes.io/version": KUBEAI_VERSION}


def preload(store: Store) -> None:
    """Create Namespace, Service and the operator's configuration."""
    system = files(__package__).joinpath("system.yaml").read_text()
    store.create(NAMESPACES, {"metadata": {"name": NAMESPACE}, "status": {"phase": "Active"}})
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    spec = {"type": "ClusterIP", "ports": ports, "selector": {"app.kubernetes.io/name": "kubeai"}}
    store.create(SERVICES, {"metadata": _metadata("kubeai"), "spec": spec})
    store.create(CONFIG_MAPS, {"metadata": _metadata("kubeai-config"), "data": {"system.yaml": system}})


def _metadata(name: str) -> Object:
    return {"name": name, "namespace": NAMESPACE, "labels": dict(_LABELS)}
