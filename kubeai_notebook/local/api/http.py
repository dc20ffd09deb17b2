"""The API's requests: who may ask, which object is meant, which verb."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from . import discovery
from .errors import StatusError, bad_request, invalid, method_not_allowed, not_found, unauthorized, unsupported_media
from .logs import pod_log
from .patch import merge
from .resources import MODELS, RESOURCES, Object, Ref, Resource
from .schema import admitted
from .selectors import selector_of
from .watch import watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from .store import Store

_TEXTS = ("name", "generateName", "namespace", "resourceVersion")
MAX_BODY_BYTES = 3 * 1024 * 1024
"""etcd's and so the API server's limit is about this."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a path means: a collection (no name) or one object, and perhaps a subresource."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def ref(self) -> Ref:
        """The object's address."""
        return Ref(self.resource, self.namespace, self.name)


def api_app(store: Store, *, token: str, logs: Path) -> web.Application:
    """Build the API; every request must carry the bearer token."""
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
                raise unauthorized()
            return await handler(request)
        except StatusError as error:
            return web.json_response(error.body, status=error.code)

    app = web.Application(middlewares=[guard], client_max_size=MAX_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", _Api(store, logs).answer)
    return app


def target_of(path: str) -> Target | None:
    """Read ``/api/v1/…`` or ``/apis/GROUP/VERSION/…``; None when it is no kind of ours.

    >>> target_of("/api/v1/namespaces/default/pods/a/log").subresource
    'log'
    """
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        group, version, rest = "", parts[1] if len(parts) > 1 else "", parts[2:]
    elif parts[0] == "apis" and len(parts) > 2:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource = RESOURCES.get((group, version, rest[0])) if rest else None
    if resource is None or len(rest) > 3 or bool(namespace) > resource.namespaced:
        return None
    name, subresource = [*rest[1:], "", ""][:2]
    if name and resource.namespaced and not namespace:
        return None
    if subresource and subresource not in resource.subresources:
        return None
    return Target(resource, namespace, name, subresource)


class _Api:
    def __init__(self, store: Store, logs: Path) -> None:
        self._store = store
        self._logs = logs

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.content_type == "application/vnd.kubernetes.protobuf":
            raise unsupported_media()
        target = target_of(request.path)
        if target is None:
            return await discovery.answer(request)
        verbs = {
            ("GET", True): self._get,
            ("PATCH", True): self._patch,
            ("DELETE", True): self._delete,
            ("GET", False): self._list,
            ("POST", False): self._create,
        }
        verb = verbs.get((request.method, bool(target.name)))
        if verb is None:
            raise method_not_allowed()
        return await verb(request, target)

    async def _get(self, request: web.Request, target: Target) -> web.StreamResponse:
        if target.subresource == "log":
            return await pod_log(request, self._store, ref=target.ref, folder=self._logs)
        return _shown(self._store.get(target.ref), target)

    async def _list(self, request: web.Request, target: Target) -> web.StreamResponse:
        query = request.query
        selected = selector_of(query.get("labelSelector", ""), query.get("fieldSelector", ""))
        resource, namespace = target.resource, target.namespace
        if query.get("watch") in ("1", "true"):
            return await watch(request, self._store, resource=resource, namespace=namespace, selected=selected)
        items = [item for item in self._store.items(resource, namespace) if selected(item)]
        metadata = {"resourceVersion": str(self._store.version)}
        body = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata}
        return web.json_response({**body, "items": items})

    async def _create(self, request: web.Request, target: Target) -> web.StreamResponse:
        item = await _body(request)
        metadata = item.get("metadata") or {}
        if target.resource.namespaced:
            if not target.namespace:
                raise method_not_allowed()
            if metadata.get("namespace", target.namespace) != target.namespace:
                message = "the namespace of the provided object does not match the namespace sent on the request"
                raise bad_request(message)
            metadata = {**metadata, "namespace": target.namespace}
        item = {key: value for key, value in item.items() if key != "status" or target.resource is not MODELS}
        item = admitted(target.resource, {**item, "metadata": metadata}, strict=_strict(request))
        created = self._store.create(target.resource, item, dry_run=_dry(request))
        return web.json_response(created, status=201)

    async def _patch(self, request: web.Request, target: Target) -> web.StreamResponse:
        if request.content_type not in ("application/merge-patch+json", "application/json"):
            raise unsupported_media()
        patch = await _body(request)
        current = self._store.get(target.ref)
        if target.subresource == "scale":
            replicas = patch.get("spec", {}).get("replicas")
            if type(replicas) is not int or replicas < 0:
                text = f"Invalid value: {json.dumps(replicas)}: should be a non-negative integer"
                cause = {"reason": "FieldValueInvalid", "message": text, "field": "spec.replicas"}
                raise invalid(target.resource, target.name, [cause])
            patch = {"spec": {"replicas": replicas}, "metadata": patch.get("metadata", {})}
        elif target.subresource == "status":
            patch = {"status": patch.get("status", {})}
        elif target.resource is MODELS:
            patch = {key: value for key, value in patch.items() if key != "status"}
        changed = merge(current, patch)
        if not target.subresource:
            changed = admitted(target.resource, changed, strict=_strict(request))
        return _shown(self._store.replace(target.ref, changed, dry_run=_dry(request)), target)

    async def _delete(self, request: web.Request, target: Target) -> web.StreamResponse:
        item = self._store.get(target.ref)
        options = await _body(request) if request.can_read_body else {}
        if "All" not in options.get("dryRun", ()) and not _dry(request):
            item = self._store.delete(target.ref)
        if self._store.find(target.ref) is not None:
            return web.json_response(item)
        details = not_found(target.ref).body["details"] | {"uid": item["metadata"]["uid"]}
        return web.json_response(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        )


def _shown(item: Object, target: Target) -> web.Response:
    if target.subresource != "scale":
        return web.json_response(item)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    metadata = {key: item["metadata"][key] for key in kept}
    ready = item.get("status", {}).get("replicas", {}).get("all", 0)
    body = {"spec": {"replicas": item["spec"].get("replicas", 0)}, "status": {"replicas": ready}}
    return web.json_response({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, **body})


def _strict(request: web.Request) -> bool:
    return request.query.get("fieldValidation") == "Strict"


def _dry(request: web.Request) -> bool:
    return request.query.get("dryRun") == "All"


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body: dict[str, Any] = json.loads(await request.read())
    except ValueError as error:
        raise bad_request(f"the object provided is unrecognized: {error}") from error
    metadata = body.get("metadata", {}) if isinstance(body, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(metadata.get(key, ""), str) for key in _TEXTS):
        raise bad_request("the object provided is unrecognized (must be of type object)")
    return body
