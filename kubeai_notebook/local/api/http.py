"""The API's requests: who may ask, which object is meant, which verb."""

from __future__ import annotations

import asyncio
import hmac
import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web

from kubeai_notebook.core.rules.cause import INVALID, NOT_SUPPORTED, Cause, cause

from .admission import admitted
from .discovery import documents
from .errors import (
    StatusError,
    bad_request,
    conflict,
    details_of,
    invalid,
    method_not_allowed,
    status_of,
    unsupported_media,
)
from .logs import pod_log
from .page import page_of
from .patch import parsed, patched
from .proxy import SERVICE, ServiceProxy
from .resources import MODELS, NAMESPACES, Object, Ref, Resource, address_of
from .scale import rescaled, scale_of
from .selectors import selector_of
from .store import named
from .watch import watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from .store import Store

log = logging.getLogger("kubeai-local")

MAX_BODY_BYTES = 3 * 1024 * 1024
"""etcd's and so the API server's limit is about this."""
BODY_SECONDS = 10.0
"""For a body to arrive; clients are on this machine."""
_PRECONDITIONS = (
    ("uid", "UID", "deleted and then recreated"),
    ("resourceVersion", "ResourceVersion", "modified"),
)
_OPTIONS = Resource("deleteoptions", "DeleteOptions", "meta.k8s.io")
_POLICIES = ("Foreground", "Background", "Orphan")
_POLICY_TEXT = '"Foreground", "Background", "Orphan", "nil"'
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def api_app(store: Store, *, token: str, logs: Path, gateway: str) -> web.Application:
    """Build the API; every request must carry the bearer token. ``gateway`` is the gateway's origin."""
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, expected):
                raise StatusError(401, "Unauthorized", "Unauthorized")
            return await handler(request)
        except web.HTTPRequestEntityTooLarge:
            error = StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MAX_BODY_BYTES}")
        except StatusError as failure:
            error = failure
        except (web.HTTPException, ConnectionError):
            raise
        except Exception as failure:  # (outermost frame of a request: its client is told)
            log.exception("a request failed: %s %s", request.method, request.path)
            error = StatusError(500, "InternalError", f"Internal error occurred: {failure}")
        return web.json_response(error.body, status=error.code)

    app = web.Application(middlewares=[guard], client_max_size=MAX_BODY_BYTES)
    proxy = ServiceProxy(store, gateway)
    app.cleanup_ctx.append(proxy.connected)
    app.router.add_route("*", "/{path:.*}", _Api(store, logs=logs, proxy=proxy).answer)
    return app


class _Api:
    def __init__(self, store: Store, *, logs: Path, proxy: ServiceProxy) -> None:
        self._store = store
        self._logs = logs
        self._proxy = proxy
        self._documents = documents()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if service := SERVICE.fullmatch(request.rel_url.raw_path):
            return await self._proxy.answer(request, service)
        target = address_of(request.path)
        if target is None:
            return await self._discovered(request)
        verbs = {
            ("GET", True): self._get,
            ("PUT", True): self._update,
            ("PATCH", True): self._update,
            ("DELETE", True): self._delete,
            ("GET", False): self._list,
            ("POST", False): self._create,
        }
        verb = verbs.get((request.method, bool(target.name)))
        if verb is None or (target.subresource and request.method == "DELETE"):
            raise method_not_allowed()
        return await verb(request, target)

    async def _discovered(self, request: web.Request) -> web.Response:
        """Everything that is no object; plain ``404 page not found`` for what does not exist."""
        path = request.path.rstrip("/")
        if path == _REVIEWS and request.method == "POST":
            # The one user of this machine's API may do everything that it can do.
            review = await _sent(request)
            kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
            return web.json_response({**review, **kind, "status": {"allowed": True}}, status=201)
        if path == "/openapi/v2":  # Empty, it is a valid protobuf; kubectl 1.27 wants no more.
            return web.Response(content_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        if path not in self._documents and path.startswith("/api/"):
            raise StatusError(404, "NotFound", "the server could not find the requested resource", details={})
        if path not in self._documents:
            return web.Response(status=404, text="404 page not found\n")
        if request.method != "GET":
            raise method_not_allowed()
        return web.json_response(self._documents[path])

    async def _get(self, request: web.Request, target: Ref) -> web.StreamResponse:
        if target.subresource == "log":
            return await pod_log(request, self._store, ref=target, folder=self._logs)
        item = self._store.get(target)
        return web.json_response(scale_of(item) if target.subresource == "scale" else item)

    async def _list(self, request: web.Request, target: Ref) -> web.StreamResponse:
        query = request.query
        selected = selector_of(target.resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        if query.get("watch") in ("1", "true"):
            return await watch(request, self._store, target=target, selected=selected)
        return web.json_response(page_of(self._store, target, query=query, selected=selected))

    async def _create(self, request: web.Request, target: Ref) -> web.StreamResponse:
        item = await _sent(request)
        if bool(target.namespace) != target.resource.namespaced:
            raise method_not_allowed()
        if isinstance(metadata := item.get("metadata") or {}, dict):
            if target.namespace and metadata.get("namespace", target.namespace) != target.namespace:
                message = "the namespace of the provided object does not match the namespace sent on the request"
                raise bad_request(message)
            item = named({**item, "metadata": {**metadata, "namespace": target.namespace}})
        item, unknown = admitted(target.resource, item, strict=_strict(request))
        created = self._store.create(target.resource, item, dry_run=_dry(request))
        return web.json_response(created, status=201, headers=_warnings(request, unknown))

    async def _update(self, request: web.Request, target: Ref) -> web.StreamResponse:
        """PUT and PATCH; the body is read first, so that nothing is written between reading and writing the object."""
        text = await _body(request)
        current, resource, scale = self._store.get(target), target.resource, target.subresource == "scale"
        replacing = request.method == "PUT"
        shown = scale_of(current, absent=0) if scale else current
        changed = parsed(text) if replacing else patched(shown, text, request.content_type, custom=resource is MODELS)
        if not isinstance(changed, dict) or not isinstance(changed.get("metadata", {}), dict):
            raise bad_request("the object provided is unrecognized (must be of type object)")
        metadata = {"name": target.name, "namespace": target.namespace, **changed.get("metadata", {})}
        _check_place(metadata, target)
        version = metadata.get("resourceVersion")
        if replacing and not scale:
            _check_replacement(target, metadata, current)
        if scale:
            changed = rescaled(current, changed, status=400 if replacing else 422)
        elif target.subresource == "status":
            changed = {**current, "status": changed.get("status", {})}
        else:
            changed = {**changed, "metadata": metadata}
        if version:
            changed = {**changed, "metadata": {**changed["metadata"], "resourceVersion": version}}
        status = target.subresource == "status"
        changed, unknown = admitted(resource, changed, old=current, strict=_strict(request), status=status)
        stored = self._store.replace(target, changed, dry_run=_dry(request))
        return web.json_response(scale_of(stored) if scale else stored, headers=_warnings(request, unknown))

    async def _delete(self, request: web.Request, target: Ref) -> web.StreamResponse:
        options = await _sent(request) if request.can_read_body else {}
        item, wanted = self._store.get(target), options.get("preconditions") or {}
        for key, word, what in _PRECONDITIONS:
            present = item["metadata"][key]
            if wanted.get(key, present) != present:
                why = f"the {word} in the precondition ({wanted[key]}) does not match the {word} in record ({present})"
                raise conflict(target, f"{why}. The object might have been {what}", kind=target.resource.kind)
        if target == Ref(NAMESPACES, "", "default"):
            message = 'namespaces "default" is forbidden: this namespace may not be deleted'
            raise StatusError(403, "Forbidden", message, details=details_of(target))
        policy = options.get("propagationPolicy") or request.query.get("propagationPolicy") or "Background"
        if policy not in _POLICIES:
            refused = cause(NOT_SUPPORTED, "propagationPolicy", policy, detail=f"supported values: {_POLICY_TEXT}")
            raise invalid(_OPTIONS, "", [refused])
        dry_run = _dry(request, options)
        if policy == "Orphan" and not dry_run:
            self._store.orphan(item["metadata"]["uid"])
        item = self._store.delete(target, foreground=policy == "Foreground", dry_run=dry_run)
        if "deletionTimestamp" in item["metadata"]:
            return web.json_response(item)
        details = details_of(target) | {"uid": item["metadata"]["uid"]}
        return web.json_response({**status_of("Success"), "details": details})


def _check_place(metadata: Object, target: Ref) -> None:
    """An object may not be written to the address of another. StatusError 400."""
    for key, there, where in (("name", target.name, "URL"), ("namespace", target.namespace, "request")):
        if metadata[key] != there:
            message = f"the {key} of the object ({metadata[key]}) does not match the {key} on the {where} ({there})"
            raise bad_request(message)


def _check_replacement(ref: Ref, metadata: Object, current: Object) -> None:
    """What PUT asks for beyond PATCH. StatusError 409 or 422."""
    if ref.resource is MODELS and not metadata.get("resourceVersion"):
        missing = cause(INVALID, "metadata.resourceVersion", 0, detail="must be specified for an update")
        raise invalid(ref.resource, ref.name, [missing], kind=ref.resource.plural)
    uid = current["metadata"]["uid"]
    if metadata.get("uid", uid) != uid:
        why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {uid}"
        raise conflict(ref, why)


def _strict(request: web.Request) -> bool:
    return request.query.get("fieldValidation") == "Strict"


def _dry(request: web.Request, options: Object | None = None) -> bool:
    """Whether nothing is to be stored; StatusError 422 for a word that is not known, so that nothing is by mistake."""
    kind, given = "DeleteOptions" if options else "CreateOptions", (options or {}).get("dryRun") or []
    if text := request.query.get("dryRun"):
        given = [text]
    if given not in ([], ["All"]):
        texts = " ".join(f'"{text}"' for text in given)
        text = f'Unsupported value: []string{{{texts}}}: supported values: "All"'
        raise invalid(_OPTIONS, "", [Cause("dryRun", "FieldValueNotSupported", text)], kind=kind)
    return bool(given)


def _warnings(request: web.Request, unknown: tuple[str, ...]) -> list[tuple[str, str]]:
    if request.query.get("fieldValidation") == "Ignore":
        return []
    texts = (f'unknown field "{path}"'.replace('"', '\\"') for path in unknown if path.isprintable())
    return [("Warning", f'299 - "{text}"') for text in texts]


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        message = "Timeout: request did not complete within requested timeout"
        raise StatusError(504, "Timeout", message) from None


async def _sent(request: web.Request) -> dict[str, Any]:
    """The object in the body. StatusError 400, 415 or 504."""
    if request.content_type not in ("application/json", "application/octet-stream"):
        raise unsupported_media("application/json")
    body = parsed(await _body(request))
    if not isinstance(body, dict):
        raise bad_request("the object provided is unrecognized (must be of type object)")
    return body
