"""The KubeAI installation: where it is, its version, its configuration, as far as these may be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.objects import map_at, maps_at, text_at
from kubeai_notebook.core.observation import Operator
from kubeai_notebook.core.yaml_text import UnreadableYamlError, read_mapping
from kubeai_notebook.errors import ClusterError, UnreachableError

from .api import CORE

if TYPE_CHECKING:
    from .api import Api

SERVICE, DEPLOYMENT, CONFIG_MAP, CONFIG_KEY = "kubeai", "kubeai", "kubeai-config", "system.yaml"
_VERSION = re.compile(r"v?\d+\.\d+\.\d+\S*")
_LABEL = "app.kubernetes.io/version"

Object = Mapping[str, Any]


def operator_of(api: Api, namespace: str) -> Operator:
    """What may be known; ``namespace`` is looked at first.

    Raises:
        UnreachableError: the API does not answer; a missing right is no error.
    """
    service = service_of(api, namespace)
    if service is None:
        # Without a right to see Services, the configuration tells as well where KubeAI is.
        configured = _config_map(api, namespace)
        return _known(api, namespace, service=None, configured=configured) if configured else Operator()
    where = str(service["metadata"]["namespace"])
    return _known(api, where, service=service, configured=_config_map(api, where))


def service_of(api: Api, namespace: str) -> Object | None:
    """Service ``kubeai`` of this namespace, or the only one of the cluster; ``None`` where that is not known."""
    own = _or_none(lambda: api.request("GET", f"{CORE}/namespaces/{namespace}/services/{SERVICE}"))
    if own is not None:
        return {**own, "metadata": {"namespace": namespace, **map_at(own, "metadata")}}
    query = {"fieldSelector": f"metadata.name={SERVICE}"}
    everywhere = maps_at(_or_none(lambda: api.request("GET", f"{CORE}/services", query=query)), "items")
    named = [service for service in everywhere if text_at(service, "metadata", "name") == SERVICE]
    return named[0] if len(named) == 1 and text_at(named[0], "metadata", "namespace") else None


def _known(api: Api, namespace: str, *, service: Object | None, configured: Object | None) -> Operator:
    path = f"apis/apps/v1/namespaces/{namespace}/deployments/{DEPLOYMENT}"
    deployment = _or_none(lambda: api.request("GET", path))
    labelled = (_label_of(one) for one in (deployment, service, configured) if one)
    version = _image_version(deployment) or next((label for label in labelled if label), None)
    return Operator(namespace=namespace, version=version, config=_config_of(configured))


def _config_map(api: Api, namespace: str) -> Object | None:
    """The operator's ConfigMap: by the chart's name, or by its label where somebody renamed the release."""
    path = f"{CORE}/namespaces/{namespace}/configmaps"
    named: Object | None = _or_none(lambda: api.request("GET", f"{path}/{CONFIG_MAP}"))
    if named is not None:
        return named
    labelled = _or_none(lambda: api.request("GET", path, query={"labelSelector": "app.kubernetes.io/name=kubeai"}))
    return next((item for item in maps_at(labelled, "items") if text_at(item, "data", CONFIG_KEY)), None)


def _config_of(configured: Object | None) -> Object | None:
    text = text_at(configured, "data", CONFIG_KEY)
    try:
        return read_mapping(text) if text else None
    except UnreadableYamlError:
        return None


def _image_version(deployment: Object | None) -> str | None:
    """The tag of the operator's image; a digest alone says nothing."""
    containers = maps_at(deployment, "spec", "template", "spec", "containers")
    images = [text_at(container, "image") for container in containers]
    tags = [image.partition("@")[0].rpartition("/")[2].partition(":")[2] for image in images]
    return next((tag.removeprefix("v") for tag in tags if _VERSION.fullmatch(tag)), None)


def _label_of(item: Object) -> str | None:
    label = text_at(item, "metadata", "labels", _LABEL)
    return label.removeprefix("v") if _VERSION.fullmatch(label) else None


def _or_none(ask: Callable[[], Any]) -> Any:
    """The answer; ``None`` where the object is not there or may not be read."""
    try:
        return ask()
    except UnreachableError:
        raise
    except ClusterError:
        return None
