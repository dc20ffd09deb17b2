"""What a client asks before it asks for objects: versions, groups, kinds, its own rights."""

from __future__ import annotations

from aiohttp import web

from .errors import method_not_allowed
from .resources import RESOURCES, Object

_VERBS = ["create", "delete", "get", "list", "patch", "watch"]
_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
# kubectl asks for a minor version it may talk to; the operator label says which KubeAI this copies.
_VERSION = {"major": "1", "minor": "32", "gitVersion": "v1.32.0+kubeai-local", "platform": "kubeai-local"}


async def answer(request: web.Request) -> web.Response:
    """Answer everything that is no object; plain ``404 page not found`` for what does not exist."""
    path = request.path.rstrip("/")
    if path == _REVIEW:
        return await _review(request)
    body = _documents().get(path)
    if body is None:
        return web.Response(status=404, text="404 page not found\n")
    if request.method != "GET":
        raise method_not_allowed()
    return web.json_response(body)


async def _review(request: web.Request) -> web.Response:
    """The one user of this machine's API may do everything that it can do."""
    if request.method != "POST":
        raise method_not_allowed()
    review = await request.json()
    return web.json_response({**review, "status": {"allowed": True}}, status=201)


def _documents() -> dict[str, Object]:
    versions = sorted({(resource.group, resource.version) for resource in RESOURCES.values()})
    groups = {group: _group(group, version) for group, version in versions if group}
    return {
        "/version": _VERSION,
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": list(groups.values())},
        **{f"/apis/{group}": {"kind": "APIGroup", "apiVersion": "v1", **body} for group, body in groups.items()},
        **{
            f"/apis/{group}/{version}" if group else f"/api/{version}": _resource_list(group, version)
            for group, version in versions
        },
    }


def _group(group: str, version: str) -> Object:
    entry = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [entry], "preferredVersion": entry}


def _resource_list(group: str, version: str) -> Object:
    listed: list[Object] = []
    for resource in RESOURCES.values():
        if (resource.group, resource.version) != (group, version):
            continue
        common = {"singularName": resource.kind.lower(), "namespaced": resource.namespaced, "kind": resource.kind}
        listed.append({"name": resource.plural, **common, "verbs": _VERBS})
        for subresource in resource.subresources:
            kind = {"kind": "Scale", "group": "autoscaling", "version": "v1"} if subresource == "scale" else {}
            verbs = ["get"] if subresource == "log" else ["get", "patch"]
            listed.append({"name": f"{resource.plural}/{subresource}", **common, **kind, "verbs": verbs})
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}
