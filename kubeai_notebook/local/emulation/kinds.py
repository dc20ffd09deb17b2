"""The kinds of Kubernetes objects that KubeAI has to do with, and the addresses of their objects."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]
"""A Kubernetes object in the API's own spelling; never changed in place once it is stored."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind and where it is found."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """``v1`` or ``kubeai.org/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name that messages use: ``pods`` or ``models.kubeai.org``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


MODELS = Resource("models", "Model", "kubeai.org", subresources=("scale", "status"))
PODS = Resource("pods", "Pod", subresources=("log", "status"))
EVENTS = Resource("events", "Event")
CONFIG_MAPS = Resource("configmaps", "ConfigMap")
SECRETS = Resource("secrets", "Secret")
SERVICES = Resource("services", "Service")
NAMESPACES = Resource("namespaces", "Namespace", namespaced=False)
CLAIMS = Resource("persistentvolumeclaims", "PersistentVolumeClaim")
JOBS = Resource("jobs", "Job", "batch")

RESOURCES: Mapping[tuple[str, str, str], Resource] = {
    (resource.group, resource.version, resource.plural): resource
    for resource in (MODELS, PODS, EVENTS, CONFIG_MAPS, SECRETS, SERVICES, NAMESPACES, CLAIMS, JOBS)
}

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<subresource>[^/]+))?)?"
)


@dataclass(frozen=True, slots=True)
class Ref:
    """The address of one object, or of a collection (no name); perhaps of a subresource."""

    resource: Resource
    namespace: str
    name: str
    subresource: str = ""


def ref_of(resource: Resource, item: Object) -> Ref:
    """The address of an object that is at hand."""
    return Ref(resource, item["metadata"].get("namespace", ""), item["metadata"]["name"])


def address_of(path: str) -> Ref | None:
    """Read ``/api/v1/…`` or ``/apis/GROUP/VERSION/…``; None when it is no kind of ours.

    >>> address_of("/api/v1/namespaces/default/pods/a/log").subresource
    'log'
    """
    match = _PATH.fullmatch(path.rstrip("/"))
    resource = match and RESOURCES.get((match["group"] or "", match["version"], match["plural"]))
    if not match or not resource:
        return None
    ref = Ref(resource, match["namespace"] or "", match["name"] or "", match["subresource"] or "")
    placed = resource.namespaced if ref.namespace else not (ref.name and resource.namespaced)
    return ref if placed and ref.subresource in ("", *resource.subresources) else None
