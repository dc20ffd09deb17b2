"""The API's requests: who may ask, which object is meant, which verb."""

from __future__ import annotations

import asyncio
import hmac
import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web

from kubeai_notebook.core.catalog.machine import AGENT, KEY
from kubeai_notebook.local.catalog import WHERE
from kubeai_notebook.local.emulation import refusals
from kubeai_notebook.local.emulation.admission import admitted
from kubeai_notebook.local.emulation.discovery import documents
from kubeai_notebook.local.emulation.kinds import MODELS, Object, Ref, address_of
from kubeai_notebook.local.emulation.requests import (
    deletion_policy,
    is_dry,
    placed,
    updated,
    warning_header,
    warnings_of,
)
from kubeai_notebook.local.emulation.reviews import REVIEWS, reviewed
from kubeai_notebook.local.emulation.scale import scale_of
from kubeai_notebook.local.gateway import PREFIX
from kubeai_notebook.loopback.doors import answering, from_another_site

from .logs import pod_log
from .proxy import SERVICE, ServiceProxy
from .reads import read
from .store import timestamp, with_generated_name
from .writes import parsed, patched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from kubeai_notebook.local.catalog import LocalCatalog
    from kubeai_notebook.local.gateway import Gateway

    from .store import Store

log = logging.getLogger("kubeai-local")

MAX_BODY_BYTES = 3 * 1024 * 1024
"""etcd's and so the API server's limit is about this."""
BODY_SECONDS = 10.0
"""For a body to arrive; clients are on this machine."""
_BEGUN = "begun"


def api_app(store: Store, *, token: str, logs: Path, gateway: Gateway, catalog: LocalCatalog) -> web.Application:
    """Build the API, and under ``/openai`` the gateway; every request must carry the bearer token."""
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, expected):
                raise refusals.StatusError(401, "Unauthorized", "Unauthorized")
            if from_another_site(request):
                raise refusals.StatusError(403, "Forbidden", "forbidden: no web page may ask this API")
            return await handler(request)
        except web.HTTPRequestEntityTooLarge:
            error = refusals.StatusError(
                413, "RequestEntityTooLarge", f"Request entity too large: limit is {MAX_BODY_BYTES}"
            )
        except refusals.StatusError as failure:
            error = failure
        except (web.HTTPException, ConnectionError):
            raise
        except Exception as failure:  # (outermost frame of a request: its client is told)
            log.exception("a request failed: %s %s", request.method, request.path)
            if _BEGUN in request:
                # Half an answer is out; a second one in the same stream would be read as a part of it.
                raise ConnectionAbortedError from failure
            error = refusals.StatusError(500, "InternalError", f"Internal error occurred: {failure}")
        return web.json_response(error.body, status=error.code)

    async def begun(request: web.Request, _response: web.StreamResponse) -> None:
        request[_BEGUN] = True

    app = web.Application(middlewares=[answering, guard], client_max_size=MAX_BODY_BYTES)
    app.on_response_prepare.append(begun)
    app.router.add_route("*", "/{path:.*}", _Api(store, logs=logs, gateway=gateway, catalog=catalog).answer)
    return app


class _Api:
    def __init__(self, store: Store, *, logs: Path, gateway: Gateway, catalog: LocalCatalog) -> None:
        self._store = store
        self._logs = logs
        self._catalog = catalog
        self._gateway = gateway
        self._proxy = ServiceProxy(store, gateway)
        self._documents = documents()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith(f"{PREFIX}/"):
            return await self._gateway.answer(request, request.path)
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
            ("GET", False): lambda request, target: read(request, self._store, target),
            ("POST", False): self._create,
        }
        verb = verbs.get((request.method, bool(target.name)))
        if verb is None or (target.subresource and request.method == "DELETE"):
            raise refusals.method_not_allowed()
        return await verb(request, target)

    async def _discovered(self, request: web.Request) -> web.Response:
        """Everything that is no object; plain ``404 page not found`` for what does not exist."""
        path = request.path.rstrip("/")
        if kind := REVIEWS.get(path):
            sent = await _sent(request) if request.can_read_body else {}
            now = timestamp(self._store.now())
            return web.json_response(reviewed(kind, sent, method=request.method, now=now), status=201)
        if path == "/openapi/v2":  # Empty, it is a valid protobuf; kubectl 1.27 wants no more.
            return web.Response(content_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        if path not in self._documents and path.startswith("/api/"):
            raise refusals.StatusError(404, "NotFound", "the server could not find the requested resource", details={})
        if path not in self._documents:
            return web.Response(status=404, text="404 page not found\n")
        if request.method != "GET":
            raise refusals.method_not_allowed()
        return web.json_response(self._documents[path])

    async def _get(self, request: web.Request, target: Ref) -> web.StreamResponse:
        if target.subresource == "log":
            return await pod_log(request, self._store, ref=target, folder=self._logs)
        item = self._store.get(target)
        if target == WHERE:
            item = {**item, "data": {KEY: self._catalog.text()}}
        return web.json_response(scale_of(item) if target.subresource == "scale" else item)

    async def _create(self, request: web.Request, target: Ref) -> web.StreamResponse:
        item = await _sent(request)
        if bool(target.namespace) != target.resource.namespaced:
            raise refusals.method_not_allowed()
        item = with_generated_name(placed(item, target))
        item, unknown = admitted(target.resource, item, strict=_strict(request))
        created = self._store.create(target.resource, item, dry_run=is_dry(request.query))
        headers = [*warnings_of(request.query, unknown), *await self._refusals(target, created)]
        return web.json_response(created, status=201, headers=headers)

    async def _update(self, request: web.Request, target: Ref) -> web.StreamResponse:
        """PUT and PATCH; the body is read first, so that nothing is written between reading and writing the object."""
        text = await _body(request)
        current, resource, scale = self._store.get(target), target.resource, target.subresource == "scale"
        replacing, shown = request.method == "PUT", scale_of(current, absent=0) if scale else current
        changed = parsed(text) if replacing else patched(shown, text, request.content_type, custom=resource is MODELS)
        changed, status = updated(current, changed, target, replacing=replacing), target.subresource == "status"
        changed, unknown = admitted(resource, changed, old=current, strict=_strict(request), status=status)
        stored = self._store.replace(target, changed, dry_run=is_dry(request.query))
        headers = [*warnings_of(request.query, unknown), *await self._refusals(target, stored, current)]
        return web.json_response(scale_of(stored) if scale else stored, headers=headers)

    async def _refusals(self, target: Ref, stored: Object, before: Object | None = None) -> list[tuple[str, str]]:
        """The headers that say why a Model surely cannot run here; it is stored all the same, as in a cluster."""
        if target.resource is not MODELS:
            return []
        return [warning_header(text, AGENT) for text in await self._catalog.refusals(stored, before)]

    async def _delete(self, request: web.Request, target: Ref) -> web.StreamResponse:
        options = await _sent(request) if request.can_read_body else {}
        item = self._store.get(target)
        policy, dry_run = deletion_policy(item, target, options, query=request.query), is_dry(request.query, options)
        if policy == "Orphan" and not dry_run:
            self._store.orphan(item["metadata"]["uid"])
        item = self._store.delete(target, foreground=policy == "Foreground", dry_run=dry_run)
        if "deletionTimestamp" in item["metadata"]:
            return web.json_response(item)
        details = refusals.details_of(target) | {"uid": item["metadata"]["uid"]}
        return web.json_response({**refusals.status_body("Success"), "details": details})


def _strict(request: web.Request) -> bool:
    return request.query.get("fieldValidation") == "Strict"


async def _body(request: web.Request) -> bytes:
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise refusals.unsupported_media("application/json")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        message = "Timeout: request did not complete within requested timeout"
        raise refusals.StatusError(504, "Timeout", message) from None
    except web.RequestPayloadError as error:
        raise refusals.bad_request(f"the body cannot be read: {error}") from error


async def _sent(request: web.Request) -> dict[str, Any]:
    """The object in the body. StatusError 400, 415 or 504."""
    if request.content_type not in ("application/json", "application/octet-stream"):
        raise refusals.unsupported_media("application/json")
    body = parsed(await _body(request))
    if not isinstance(body, dict):
        raise refusals.bad_request("the object provided is unrecognized (must be of type object)")
    return body
