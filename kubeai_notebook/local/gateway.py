"""KubeAI's OpenAI gateway: finds the Model in the body, wakes it, waits for it, and passes everything through."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from . import balancing, inference
from .api.errors import StatusError
from .api.resources import MODELS, PODS, Object, Ref, ref_of
from .api.selectors import selector_of
from .operator.pods import is_ready
from .operator.system import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from types import TracebackType

    from .api.store import Store
    from .operator.runtime import Endpoint

PREFIX = "/openai"
ATTEMPTS = 4
_RETRIED = (500, 502, 503, 504)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MARK = {"X-Proxy": "lingo"}
"""How KubeAI's gateway is recognised."""
# Those of one connection only (RFC 9110), and what the upstream's answer or our request carries anew.
_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
_ANEW = _HOP | {"host", "authorization"}


class Gateway:
    """Answers ``/openai/v1``; use it as an async context manager, which holds the connections to the engines."""

    def __init__(self, store: Store, endpoints: Mapping[str, Endpoint]) -> None:
        self._store = store
        self._endpoints = endpoints
        self._active: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()

    def active_requests(self) -> Mapping[str, int]:
        """Requests in flight, waiting ones included, by the name they asked for (``model`` or ``model_adapter``)."""
        return dict(self._asked)

    async def __aenter__(self) -> Self:
        forever = aiohttp.ClientTimeout(total=None, sock_connect=5)
        connector = aiohttp.TCPConnector(limit=0)
        # What the client does not say is not said for it: engines read a body without Content-Type as JSON.
        silent = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
        self._client = aiohttp.ClientSession(
            connector=connector, timeout=forever, auto_decompress=False, skip_auto_headers=silent
        )
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._client.close()

    def app(self) -> web.Application:
        """Build the web application."""
        app = web.Application(middlewares=[_loopback_only], client_max_size=1 << 30)
        app.router.add_route("*", f"{PREFIX}/v1/models", self._models)
        for route in inference.ROUTES:
            app.router.add_route("*", PREFIX + route, self._infer)
        app.router.add_route("*", "/{path:.*}", _page_not_found)
        return app

    async def _models(self, request: web.Request) -> web.Response:
        """The header replaces the filter by feature; of several only the last counts, as in KubeAI."""
        wanted = [f"features.kubeai.org/{name}" for name in request.query.getall("feature", ["TextGeneration"])]
        try:
            selectors = [selector_of(MODELS, text, "") for text in request.headers.getall("X-Label-Selector", [])[-1:]]
        except StatusError as error:
            message = {"error": f"failed to parse label selector: {error}"}
            return web.json_response(message, status=400)
        data = []
        for model in self._store.items(MODELS, NAMESPACE):
            labels = model["metadata"].get("labels") or {}
            featured = any(labels.get(label) == "true" for label in wanted)
            if all(selected(model) for selected in selectors) if selectors else featured:
                data += _entries(model)
        return web.json_response({"object": "list", "data": data})

    async def _infer(self, request: web.Request) -> web.StreamResponse:
        route = request.path.removeprefix(PREFIX)
        try:
            asked = inference.read(route, await request.read(), content_type=request.headers.get("Content-Type", ""))
        except inference.UnreadableError as error:
            raise _refusal(web.HTTPBadRequest, f"bad request: {error}") from error
        model = self._store.find(Ref(MODELS, NAMESPACE, asked.model))
        if model is None or not _addressed(model, asked.adapter, request.headers.getall("X-Label-Selector", [])):
            raise _refusal(web.HTTPNotFound, f'model not found: "{asked.requested}"')
        spec = model.get("spec") or {}
        with _counted(self._asked, asked.requested):
            if not spec.get("autoscalingDisabled") and not spec.get("replicas"):
                self._store.patch(ref_of(MODELS, model), {"spec": {"replicas": 1}})
            return await self._proxied(request, asked, balanced=spec.get("loadBalancing") or {})

    async def _proxied(self, request: web.Request, asked: inference.Asked, *, balanced: Object) -> web.StreamResponse:
        """Try up to four endpoints; what has been sent to the client is never tried again."""
        key = asked.adapter + asked.prefix(balanced.get("prefixHash", {}).get("prefixCharLength", 0))
        for attempt in range(1, ATTEMPTS + 1):
            uid = balancing.chosen(await self._ready(asked), self._active, strategy=balanced, key=key)
            endpoint = self._endpoints[uid]
            if refused := endpoint.wrong.get(request.path.removeprefix(PREFIX)):
                return web.Response(status=refused[0], text=refused[1], content_type="application/json", headers=_MARK)
            headers = onward(request.headers)
            # An engine with a key of its own is asked by us alone; any other gets what the client sent.
            given = f"Bearer {endpoint.key}" if endpoint.key else request.headers.get("Authorization")
            headers += [("Authorization", given)] if given else []
            url = endpoint.address + request.path_qs.removeprefix(PREFIX)
            with _counted(self._active, uid):
                body = asked.body(endpoint.adapters)
                try:
                    upstream = await self._client.request(request.method, url, data=body, headers=headers)
                except aiohttp.ClientConnectionError:
                    continue
                async with upstream:
                    if upstream.status not in _RETRIED or attempt == ATTEMPTS:
                        return await passed(request, upstream, renamed=asked.renamed(endpoint.adapters))
        raise _refusal(web.HTTPBadGateway, "Bad Gateway")

    async def _ready(self, asked: inference.Asked) -> list[str]:
        """Wait, without limit as KubeAI does, for ready Pods (that have the adapter)."""
        while True:
            version = self._store.version
            uids = [
                pod["metadata"]["uid"]
                for pod in self._store.items(PODS, NAMESPACE)
                if is_ready(pod) and _serves(pod["metadata"].get("labels", {}), asked.model, asked.adapter)
            ]
            if found := [uid for uid in uids if uid in self._endpoints]:
                return found
            await self._store.changed(version)


@contextmanager
def _counted(counter: Counter[str], name: str) -> Iterator[None]:
    counter[name] += 1
    try:
        yield
    finally:
        counter[name] -= 1
        if not counter[name]:
            del counter[name]


def _addressed(model: Object, adapter: str, selectors: list[str]) -> bool:
    """Whether the Model has the adapter and all of the selectors' labels; 500 for a selector that is none."""
    try:
        matches = all(selector_of(MODELS, text, "")(model) for text in selectors)
    except StatusError as error:
        raise _refusal(web.HTTPInternalServerError, "Internal Server Error") from error
    return matches and (not adapter or adapter in _adapters_in(model))


def _serves(labels: Mapping[str, str], name: str, adapter: str) -> bool:
    return labels.get("model") == name and (not adapter or f"adapter.kubeai.org/{adapter}" in labels)


@web.middleware
async def _loopback_only(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse web pages: a foreign Host is DNS rebinding, and only browsers send an Origin."""
    if urlsplit(f"//{request.host}").hostname not in _LOOPBACK or "Origin" in request.headers:
        raise _refusal(web.HTTPForbidden, "only programs on this machine may ask this gateway")
    return await handler(request)


def onward(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """A request's headers without those of its connection, its Host and its Authorization."""
    return [(key, value) for key, value in headers.items() if key.lower() not in _ANEW]


async def passed(
    request: web.Request, upstream: aiohttp.ClientResponse, *, renamed: tuple[bytes, bytes] | None = None
) -> web.StreamResponse:
    """Pass an answer on piece by piece, as it comes; llama.cpp's with the adapter's name instead of its own."""
    response = web.StreamResponse(status=upstream.status, reason=upstream.reason)
    for key, value in upstream.headers.items():
        if key.lower() not in _HOP:
            response.headers.add(key, value)
    response.headers.update(_MARK)
    if upstream.content_length is not None and not renamed:
        response.content_length = upstream.content_length
    await response.prepare(request)
    async for piece in upstream.content.iter_any():
        await response.write(piece.replace(*renamed) if renamed else piece)
    await response.write_eof()
    return response


def _refusal(kind: type[web.HTTPException], message: str) -> web.HTTPException:
    """KubeAI's own errors are strings in JSON sent as text."""
    return kind(text=json.dumps({"error": message}, separators=(",", ":")) + "\n", headers=_MARK)


def _adapters_in(model: Object) -> list[str]:
    return [item["name"] for item in (model.get("spec") or {}).get("adapters") or ()]


def _entries(model: Object) -> list[Object]:
    """One item for the Model, and one for each adapter."""
    metadata, spec = model["metadata"], model.get("spec") or {}
    names = [metadata["name"], *(f"{metadata['name']}_{adapter}" for adapter in _adapters_in(model))]
    created = int(datetime.fromisoformat(metadata["creationTimestamp"]).timestamp())
    common = {"created": created, "object": "model", "owned_by": spec.get("owner", "")}
    common |= {"features": spec["features"]} if spec.get("features") else {}
    return [{"id": name, **common} for name in names]


async def _page_not_found(_request: web.Request) -> web.Response:
    return web.Response(status=404, text="404 page not found\n")
