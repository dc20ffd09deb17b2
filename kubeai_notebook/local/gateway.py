"""KubeAI's OpenAI gateway: finds the Model in the body, wakes it, waits for it, and passes everything through."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from .api.resources import MODELS, PODS, Object, Ref, ref_of
from .operator.pods import is_ready
from .operator.preload import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from .api.store import Store
    from .operator.kubelet import Endpoint

PREFIX = "/openai"
ATTEMPTS = 4
_ROUTES = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")
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

    async def __aenter__(self) -> Self:
        forever = aiohttp.ClientTimeout(total=None, sock_connect=5)
        connector = aiohttp.TCPConnector(limit=0)
        self._client = aiohttp.ClientSession(connector=connector, timeout=forever, auto_decompress=False)
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._client.close()

    def app(self) -> web.Application:
        """Build the web application."""
        app = web.Application(middlewares=[_loopback_only], client_max_size=1 << 30)
        app.router.add_route("*", f"{PREFIX}/v1/models", self._models)
        for route in _ROUTES:
            app.router.add_route("*", PREFIX + route, self._infer)
        app.router.add_route("*", "/{path:.*}", _page_not_found)
        return app

    async def _models(self, request: web.Request) -> web.Response:
        wanted = request.query.getall("feature", ["TextGeneration"])
        data = []
        for model in self._store.items(MODELS, NAMESPACE):
            labels = model["metadata"].get("labels") or {}
            if any(labels.get(f"features.kubeai.org/{feature}") == "true" for feature in wanted):
                data += _entries(model)
        return web.json_response({"object": "list", "data": data})

    async def _infer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        asked = _model_in(body)
        name, _, adapter = asked.partition("_")
        model = self._store.find(Ref(MODELS, NAMESPACE, name))
        adapters = {item["name"] for item in model["spec"].get("adapters", ())} if model else set()
        if model is None or (adapter and adapter not in adapters):
            raise _refusal(web.HTTPNotFound, f'model not found: "{asked}"')
        if adapter:
            body = json.dumps(json.loads(body) | {"model": adapter}).encode()
        if not model["spec"].get("autoscalingDisabled") and not model["spec"].get("replicas"):
            self._store.patch(ref_of(MODELS, model), {"spec": {"replicas": 1}})
        return await self._proxied(request, body, name=name, adapter=adapter)

    async def _proxied(self, request: web.Request, body: bytes, *, name: str, adapter: str) -> web.StreamResponse:
        """Try up to four endpoints; what has been sent to the client is never tried again."""
        for attempt in range(1, ATTEMPTS + 1):
            uid, endpoint = await self._ready_endpoint(name, adapter)
            headers = [(key, value) for key, value in request.headers.items() if key.lower() not in _ANEW]
            headers.append(("Authorization", f"Bearer {endpoint.key}"))
            url = endpoint.address + request.path_qs.removeprefix(PREFIX)
            self._active[uid] += 1
            try:
                try:
                    upstream = await self._client.request(request.method, url, data=body, headers=headers)
                except aiohttp.ClientConnectionError:
                    continue
                async with upstream:
                    if upstream.status not in _RETRIED or attempt == ATTEMPTS:
                        return await _passed(request, upstream)
            finally:
                self._active[uid] -= 1
        raise _refusal(web.HTTPBadGateway, "Bad Gateway")

    async def _ready_endpoint(self, name: str, adapter: str) -> tuple[str, Endpoint]:
        """Wait, without limit as KubeAI does, for a ready Pod (that has the adapter); the one with fewest requests."""
        while True:
            version = self._store.version
            uids = [
                pod["metadata"]["uid"]
                for pod in self._store.items(PODS, NAMESPACE)
                if is_ready(pod) and _serves(pod["metadata"].get("labels", {}), name, adapter)
            ]
            found = [uid for uid in uids if uid in self._endpoints]
            if found:
                uid = min(found, key=lambda uid: self._active[uid])
                return uid, self._endpoints[uid]
            await self._store.changed(version)


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


async def _passed(request: web.Request, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
    """Pass an answer on piece by piece, as it comes."""
    response = web.StreamResponse(status=upstream.status, reason=upstream.reason)
    for key, value in upstream.headers.items():
        if key.lower() not in _HOP:
            response.headers.add(key, value)
    response.headers.update(_MARK)
    if upstream.content_length is not None:
        response.content_length = upstream.content_length
    await response.prepare(request)
    async for piece in upstream.content.iter_any():
        await response.write(piece)
    await response.write_eof()
    return response


def _model_in(body: bytes) -> str:
    """The body's ``model``; 400 for what KubeAI cannot decode."""
    try:
        fields: Any = json.loads(body)
    except ValueError as error:
        raise _unreadable(f"decoding: {error}") from error
    if not isinstance(fields, dict):
        raise _unreadable("decoding: json: cannot unmarshal JSON into Go struct")
    if isinstance(fields.get("stop"), str):
        raise _unreadable('decoding: json: cannot unmarshal JSON string into Go []string within "/stop"')
    if not isinstance(fields.get("model"), str) or not fields["model"]:
        raise _unreadable("missing 'model' field")
    return str(fields["model"])


def _unreadable(why: str) -> web.HTTPException:
    return _refusal(web.HTTPBadRequest, f"bad request: reading model from body: {why}")


def _refusal(kind: type[web.HTTPException], message: str) -> web.HTTPException:
    """KubeAI's own errors are strings in JSON sent as text."""
    return kind(text=json.dumps({"error": message}, separators=(",", ":")) + "\n", headers=_MARK)


def _entries(model: Object) -> list[Object]:
    """One item for the Model, and one for each adapter."""
    metadata, spec = model["metadata"], model["spec"]
    names = [metadata["name"], *(f"{metadata['name']}_{item['name']}" for item in spec.get("adapters", ()))]
    created = int(datetime.fromisoformat(metadata["creationTimestamp"]).timestamp())
    common = {"created": created, "object": "model", "owned_by": spec.get("owner", ""), "features": spec["features"]}
    return [{"id": name, **common} for name in names]


async def _page_not_found(_request: web.Request) -> web.Response:
    return web.Response(status=404, text="404 page not found\n")
