"""KubeAI's OpenAI gateway: finds the Model in the body, wakes it, waits for it, and passes everything through."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

from kubeai_notebook.core.kubeai.labels import ADAPTER_LABEL
from kubeai_notebook.core.objects import created_at, name_of
from kubeai_notebook.core.phase import is_ready
from kubeai_notebook.local.emulation import balancing
from kubeai_notebook.local.emulation.gateway_requests import (
    ROUTES,
    GatewayRequest,
    UnreadableError,
    adapters_in,
    is_form,
    listed,
    read,
)
from kubeai_notebook.local.emulation.kinds import MODELS, PODS, Object, Ref, ref_of
from kubeai_notebook.local.emulation.multipart import FormError, read_form
from kubeai_notebook.local.emulation.refusals import StatusError
from kubeai_notebook.local.emulation.selectors import selector_of
from kubeai_notebook.loopback.bodies import Body, BodyError, receive, worked_on

from .operator.system import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from kubeai_notebook.local.emulation.multipart import Form

    from .api.store import Store
    from .operator.runtime import EngineEndpoint

PREFIX = "/openai"
ATTEMPTS = 4
_RETRIED = (500, 502, 503, 504)
MAX_BODY_BYTES = 32 << 20
MAX_AUDIO_BYTES = 256 << 20
_AUDIO = ("/v1/audio/transcriptions",)
_MARK = {"X-Proxy": "lingo"}
"""How KubeAI's gateway is recognised."""
# Those of one connection only (RFC 9110), and what the upstream's answer or our request carries anew.
_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
_ANEW = _HOP | {"host", "authorization"}
# Add no default headers: engines read a body without Content-Type as JSON.
_SILENT = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


@asynccontextmanager
async def connections() -> AsyncIterator[aiohttp.ClientSession]:
    """What requests are passed on with: no limit, no time-out once connected, nothing unpacked."""
    forever, connector = aiohttp.ClientTimeout(total=None, sock_connect=5), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, timeout=forever, auto_decompress=False, skip_auto_headers=_SILENT
    ) as client:
        yield client


class RefusedError(Exception):
    """What the gateway answers itself; the status and KubeAI's words for it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def refusal(status: int, message: str) -> web.Response:
    """KubeAI's own errors are strings in JSON sent as text."""
    text = json.dumps({"error": message}, separators=(",", ":")) + "\n"
    return web.Response(status=status, text=text, headers=_MARK)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request's body as it came, and what it asks for."""

    asked: GatewayRequest
    body: Body
    form: Form | None = None

    async def onward(self, endpoint: EngineEndpoint, route: str) -> tuple[bytes | AsyncIterator[bytes], int]:
        """What an engine is sent, and its size. RefusedError 400."""
        if self.form:
            return self.body.pieces(self.form.kept), self.form.size
        try:
            text = await worked_on(self.body.size, _encoded, self.asked, endpoint=endpoint, route=route)
        except (RecursionError, ValueError) as error:
            raise RefusedError(400, f"bad request: reading model from body: encoding: {error}") from error
        return text, len(text)


class Gateway:
    """Answers ``/openai/v1``; ``folder`` is where large bodies lie meanwhile, ``token`` what is never for an engine."""

    def __init__(
        self,
        store: Store,
        endpoints: Mapping[str, EngineEndpoint],
        client: aiohttp.ClientSession,
        *,
        token: str,
        folder: Path,
    ) -> None:
        self._store = store
        self._token = token
        self._folder = folder
        self._endpoints = endpoints
        self._client = client
        self._active: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._at_work: Counter[str] = Counter()
        self._begun_at = store.now().replace(microsecond=0)  # (as a Model's time of creation has whole seconds)
        self._last_at: dict[str, datetime] = {}

    async def answer(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer a request as KubeAI does; ``path`` is what is asked for, whatever way the request came."""
        route = path.removeprefix(PREFIX)
        try:
            if path == f"{PREFIX}/v1/models":
                return await self._models(request)
            if path.startswith(PREFIX) and route in ROUTES:
                return await self._infer(request, route)
        except RefusedError as error:
            return refusal(error.status, str(error))
        except StatusError as error:  # A full disk, where a Model is to be woken.
            return refusal(error.code, str(error))
        return web.Response(status=404, text="404 page not found\n")

    def active_requests(self) -> Mapping[str, int]:
        """Requests in flight, waiting ones included, by the name they asked for (``model`` or ``model_adapter``)."""
        return dict(self._asked)

    def idle_seconds(self) -> dict[str, float]:
        """For how long each Model has had no request, by its name; 0 while one is at work.

        KubeAI keeps averages of samples only, which a request that is answered between two of them never reaches. A
        Model that had none, and is older than this daemon's life, is left out: the life before is not known.
        """
        now, idle = self._store.now(), {}
        for model in self._store.items(MODELS, NAMESPACE):
            name, created = name_of(model), created_at(model)
            known = [created] if created and created >= self._begun_at else []
            known += [self._last_at[name]] if name in self._last_at else []
            if self._at_work[name]:
                idle[name] = 0.0
            elif known:
                idle[name] = max((now - max(known)).total_seconds(), 0.0)
        return idle

    @contextmanager
    def _working(self, name: str) -> Iterator[None]:
        with _counted(self._at_work, name):
            try:
                yield
            finally:
                self._last_at[name] = self._store.now()

    async def _models(self, request: web.Request) -> web.Response:
        """The header replaces the filter by feature; of several only the last counts, as in KubeAI."""
        header = request.headers.getall("X-Label-Selector", [None])[-1]
        try:
            data = listed(self._store.items(MODELS, NAMESPACE), request.query.getall("feature", None), header)
        except ValueError as error:
            return web.json_response({"error": f"failed to parse label selector: {error}"}, status=400)
        return web.json_response({"object": "list", "data": data})

    async def _infer(self, request: web.Request, route: str) -> web.StreamResponse:
        with Body(self._folder) as body:
            try:
                await receive(request, body, limit=MAX_AUDIO_BYTES if route in _AUDIO else MAX_BODY_BYTES)
                sent = await _read(body, route, request.headers.get("Content-Type", ""))
            except BodyError as error:
                raise RefusedError(error.status, f"bad request: {error}") from error
            except UnreadableError as error:
                raise RefusedError(400, f"bad request: {error}") from error
            asked = sent.asked
            model = self._store.find(Ref(MODELS, NAMESPACE, asked.model))
            if model is None or not _addressed(model, asked.adapter, request.headers.getall("X-Label-Selector", [])):
                raise RefusedError(404, f'model not found: "{asked.requested}"')
            spec = model.get("spec") or {}
            with _counted(self._asked, asked.requested), self._working(asked.model):
                if not spec.get("autoscalingDisabled") and not spec.get("replicas"):
                    self._store.patch(ref_of(MODELS, model), {"spec": {"replicas": 1}})
                return await self._proxied(request, sent, route=route, balanced=spec.get("loadBalancing") or {})

    async def _proxied(self, request: web.Request, sent: _Sent, *, route: str, balanced: Object) -> web.StreamResponse:
        """Try up to four endpoints; what has been sent to the client is never tried again."""
        asked = sent.asked
        with ExitStack() as tries:  # A try that failed counts until the request ends: so the next goes to another Pod.
            for attempt in range(1, ATTEMPTS + 1):
                uid = await self._chosen(asked, balanced)
                endpoint = self._endpoints[uid]
                if refused := endpoint.wrong.get(route):
                    status, text = refused
                    return web.Response(status=status, text=text, content_type="application/json", headers=_MARK)
                headers, url = self._headers(request, endpoint), endpoint.address + route + _query(request)
                data, size = await sent.onward(endpoint, route)
                headers.append(("Content-Length", str(size)))
                tries.enter_context(_counted(self._active, uid))
                try:
                    # A redirect is passed on, as by KubeAI: where an engine points to is not ours to ask.
                    upstream = await self._client.request(
                        request.method, url, data=data, headers=headers, allow_redirects=False
                    )
                except aiohttp.ClientError:
                    continue
                async with upstream:
                    if upstream.status not in _RETRIED or attempt == ATTEMPTS:
                        renamed = _names(asked) if asked.adapter in endpoint.adapters else None
                        return await passed(request, upstream, renamed=renamed)
        raise RefusedError(502, "Bad Gateway")

    def _headers(self, request: web.Request, endpoint: EngineEndpoint) -> list[tuple[str, str]]:
        """What an engine is sent. One with a key of its own is asked by us alone; any other gets the client's."""
        given = f"Bearer {endpoint.key}" if endpoint.key else request.headers.get("Authorization")
        headers = onward(request.headers) + ([("Authorization", given)] if given else [])
        # The daemon's own token is for nobody else, in whichever header and spelling a client sends it.
        return [(key, value) for key, value in headers if self._token not in value]

    async def _chosen(self, asked: GatewayRequest, balanced: Object) -> str:
        """Wait, without limit as KubeAI does, for a ready Pod (that has the adapter)."""
        key = asked.adapter + asked.prefix(balanced.get("prefixHash", {}).get("prefixCharLength", 0))
        wanted = {"model": asked.model}.items()
        while True:
            version, ready, able = self._store.version, list[str](), list[str]()
            for pod in self._store.items(PODS, NAMESPACE):
                labels, uid = pod["metadata"].get("labels", {}), pod["metadata"]["uid"]
                if wanted <= labels.items() and is_ready(pod) and uid in self._endpoints:
                    ready.append(uid)
                    if not asked.adapter or ADAPTER_LABEL + asked.adapter in labels:
                        able.append(uid)
            if able:
                turn = secrets.randbelow(len(able))
                return balancing.chosen(ready, self._active, able=able, strategy=balanced, key=key, turn=turn)
            await self._store.changed(version)


async def _read(body: Body, route: str, content_type: str) -> _Sent:
    """Read what a body asks for. UnreadableError when KubeAI would not."""
    if not is_form(content_type):
        return _Sent(await worked_on(body.size, read, route, body.whole()), body)
    try:
        form = await worked_on(body.size, read_form, body.read, body.size, content_type=content_type)
    except FormError as error:
        raise UnreadableError(f"reading multipart form data: {error}") from error
    return _Sent(GatewayRequest(form.model, None), body, form)


def _encoded(asked: GatewayRequest, *, endpoint: EngineEndpoint, route: str) -> bytes:
    """JSON for an engine. Some adapters llama.cpp wants by number; other engines go by the name."""
    fields = {**endpoint.defaults.get(route, {}), **asked.body()}
    if endpoint.adapters:
        # llama.cpp would go on from what it read of the same text with another adapter.
        fields["cache_prompt"] = False
    if asked.adapter in endpoint.adapters:
        fields["lora"] = [{"id": endpoint.adapters.index(asked.adapter), "scale": 1.0}]
    return json.dumps(fields, allow_nan=False).encode()


def _query(request: web.Request) -> str:
    query = request.rel_url.raw_query_string
    return f"?{query}" if query else ""


def _names(asked: GatewayRequest) -> tuple[bytes, bytes]:
    """What llama.cpp calls itself in an answer, and what vLLM would: the adapter's bare name."""
    return f'"model":{json.dumps(asked.model)}'.encode(), f'"model":{json.dumps(asked.adapter)}'.encode()


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
        selected = [selector_of(text) for text in selectors]  # each is read, also where one before selects nothing
    except ValueError as error:
        raise RefusedError(500, "Internal Server Error") from error
    return all(matches(model) for matches in selected) and (not adapter or adapter in adapters_in(model))


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
