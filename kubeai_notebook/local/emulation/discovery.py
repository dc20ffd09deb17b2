"""What a client asks before it asks for objects: versions, groups, kinds, schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.rules.schema import MODEL
from kubeai_notebook.local.emulation.kinds import RESOURCES, Object, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
# kubectl asks for a minor version it may talk to; the operator label says which KubeAI this copies.
_VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0+kubeai-local",
    "platform": "kubeai-local",
    # The official client refuses an answer without one of these.
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
}


def documents() -> dict[str, Object]:
    """Every fixed document, by path."""
    versions = sorted({(resource.group, resource.version) for resource in RESOURCES.values()})
    groups = {group: _group(group, version) for group, version in versions if group}
    roots = {f"apis/{group}/{version}" if group else f"api/{version}": group for group, version in versions}
    urls = {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in roots}
    return {
        "/version": _VERSION,
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": list(groups.values())},
        "/openapi/v3": {"paths": urls},
        **{f"/apis/{group}": {"kind": "APIGroup", "apiVersion": "v1", **body} for group, body in groups.items()},
        **{f"/{root}": _resource_list(group) for root, group in roots.items()},
        **{f"/openapi/v3/{root}": _schemas(root, group) for root, group in roots.items()},
    }


def _group(group: str, version: str) -> Object:
    entry = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [entry], "preferredVersion": entry}


def _of_group(group: str) -> Iterator[Resource]:
    return (resource for resource in RESOURCES.values() if resource.group == group)


def _resource_list(group: str) -> Object:
    listed: list[Object] = []
    for resource in _of_group(group):
        common = {"singularName": resource.kind.lower(), "namespaced": resource.namespaced, "kind": resource.kind}
        listed.append({"name": resource.plural, **common, "verbs": _VERBS})
        for subresource in resource.subresources:
            kind = {"kind": "Scale", "group": "autoscaling", "version": "v1"} if subresource == "scale" else {}
            verbs = ["get"] if subresource == "log" else ["get", "patch", "update"]
            listed.append(
                {"name": f"{resource.plural}/{subresource}", **common, "singularName": "", **kind, "verbs": verbs}
            )
    version = next(_of_group(group)).api_version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}


def _schemas(root: str, group: str) -> Object:
    """As much of OpenAPI v3 as kubectl reads before it applies: that ``fieldValidation`` is understood."""
    validation = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
    paths, schemas = {}, {}
    for resource in _of_group(group):
        kind = {"group": group, "version": resource.version, "kind": resource.kind}
        scope = "namespaces/{namespace}/" if resource.namespaced else ""
        verb = {"parameters": [validation], "x-kubernetes-group-version-kind": kind, "responses": {}}
        paths[f"/{root}/{scope}{resource.plural}/{{name}}"] = {"patch": verb}
        shape = MODEL if resource.kind == "Model" else {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        schemas[f"{group or 'core'}.{resource.kind}"] = {**shape, "x-kubernetes-group-version-kind": [kind]}
    info = {"title": "kubeai-local", "version": _VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}
