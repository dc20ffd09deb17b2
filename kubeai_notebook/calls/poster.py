"""The hot path: JSON to one route of the gateway and bytes back, by aiohttp.

The ``openai`` client costs 2 to 4 ms of a core for each answer and aiohttp 0.3 ms, so one kernel reaches some hundred
rows a second by the former, whatever the server can do. What the client's transport does for safety holds here as
well: the login goes to the Access's own address only, no redirect is followed, no answer is read without end, and only
a JSON object of status 200 counts as an answer.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from kubeai_notebook.core.answers import telling
from kubeai_notebook.core.foreign import MOST_ERROR_BYTES
from kubeai_notebook.core.observation import HttpAnswer
from kubeai_notebook.errors import CallError, KubeAIError

from .errors import PASSING, ErrorInAnswerError, late, not_connected, object_of, refused, retry_after_seconds
from .http import LOOPBACK, tls_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubeai_notebook.core.access import Access

    from .endpoint import Endpoint

CONNECT_SECONDS = 5.0
MOST_BYTES = 64 << 20
"""Of one answer."""
LOGIN_SECONDS = 5.0
"""How long a login and an address are used before they are asked for again: a plugin may take a second."""
BUSY = frozenset({429, 503, 529})
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}


class FailedTryError(Exception):
    """One request that brought no answer. The sentence about it is made only where it is the row's last."""

    def __init__(
        self,
        explain: Callable[[], CallError],
        *,
        busy: bool = False,
        retryable: bool = True,
        after_seconds: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__("a try has failed")
        self.explain = explain
        self.busy = busy
        """The server has too much to do: asking it less helps."""
        self.retryable = retryable
        self.status = status
        self.after_seconds = after_seconds
        """When the server wants to be asked again."""


class Poster:
    """Sends JSON to the gateway of an Endpoint; for one event loop.

    Raises, from `post`:
        FailedTryError: there was no answer, or none that is one.
    """

    def __init__(self, endpoint: Endpoint, model: str, *, timeout_seconds: float) -> None:
        self._endpoint, self._model = endpoint, model
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=CONNECT_SECONDS)
        self._sessions: list[aiohttp.ClientSession] = []  # the last one is in use
        self._way: tuple[Access, str, dict[str, Any]] | None = None
        self._renewed_at = 0.0
        self._renewing = asyncio.Lock()

    async def post(self, path: str, body: bytes) -> Mapping[str, Any]:
        """The JSON object that the gateway answers with."""
        access, base, options = await self._now()
        try:
            async with self._sessions[-1].post(base + path, data=body, **options) as response:
                data = await bounded(response.content, MOST_BYTES if response.status == 200 else MOST_ERROR_BYTES)
                if response.status != 200:
                    raise self._refused(response, data)
        except TimeoutError:
            raise FailedTryError(lambda: late(self._model)) from None
        except aiohttp.ClientError as error:
            name, refused_here = type(error).__name__, isinstance(error, aiohttp.ClientConnectorError)
            self._renewed_at = 0.0  # it may have moved
            raise FailedTryError(lambda: self._unreached(access, name, begun=not refused_here)) from None
        return self._object(data)

    async def close(self) -> None:
        """End all connections."""
        for session in self._sessions:
            await session.close()

    async def _now(self) -> tuple[Access, str, dict[str, Any]]:
        """The way to the gateway as it is now: a login may have been renewed, the daemon may have moved."""
        if self._way is not None and time.monotonic() - self._renewed_at < LOGIN_SECONDS:
            return self._way
        async with self._renewing:
            if self._way is not None and time.monotonic() - self._renewed_at < LOGIN_SECONDS:
                return self._way
            try:
                # An exec plugin may take seconds, a disk may be slow.
                access, token = await asyncio.to_thread(self._login)
            except KubeAIError as error:
                message, hint = error.message, error.hint
                raise FailedTryError(lambda: CallError(message, hint), retryable=False) from None
            if self._way is None or self._way[0] != access:
                self._sessions.append(self._session_to(access))  # answers from the old place still come
            self._way = access, (access.own_url or access.base_url).rstrip("/"), _options(access, token)
            self._renewed_at = time.monotonic()
            return self._way

    def _login(self) -> tuple[Access, str | None]:
        access = self._endpoint.access
        return access, access.token() if access.own_url and access.token else None

    def _session_to(self, access: Access) -> aiohttp.ClientSession:
        tls: Any = tls_of(access) if access.own_url.startswith("https:") else True
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=tls, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            timeout=self._timeout,
            auto_decompress=False,
        )

    def _refused(self, response: aiohttp.ClientResponse, data: bytes) -> FailedTryError:
        status, headers = response.status, dict(response.headers)
        lower = {name.lower(): value for name, value in headers.items()}
        answer = HttpAnswer(status=status, body=data.decode(errors="replace"), headers=telling(lower))
        return FailedTryError(
            lambda: refused(self._model, answer, self._endpoint, headers=lower),
            busy=status in BUSY,
            status=status,
            retryable=status in PASSING,
            after_seconds=retry_after_seconds(lower) if status in PASSING else None,
        )

    def _object(self, data: bytes) -> Mapping[str, Any]:
        try:
            return object_of(data, self._model)
        except ErrorInAnswerError as error:
            answer = error.answer
            raise FailedTryError(lambda: refused(self._model, answer, self._endpoint, headers={})) from None
        except CallError as error:
            shown = error
            raise FailedTryError(lambda: shown) from None

    def _unreached(self, access: Access, name: str, *, begun: bool) -> CallError:
        if not begun:
            return not_connected(access, name, is_refused=True)
        message = f"The answer of {self._model} broke off ({name})."
        return CallError(message, "Is KubeAI still running?", kind="network", retryable=True)


def _options(access: Access, token: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {"allow_redirects": False}
    if token:
        options["headers"] = {"Authorization": token}
    if proxy := access.proxy if access.own_url else proxy_to(access.base_url):
        options["proxy"] = proxy
    if access.own_url and access.server_name:
        options["server_hostname"] = access.server_name
    return options


def proxy_to(url: str) -> str | None:
    """The environment's proxy for this address.

    aiohttp would look for it, and for a login in ``~/.netrc``, in two new threads for each request.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in LOOPBACK or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)


async def bounded(content: aiohttp.StreamReader, most_bytes: int) -> bytes:
    """The body; what is longer is cut, so that it is no JSON."""
    first = await content.readany()
    if content.at_eof():
        return first[:most_bytes]
    pieces, length = [first], len(first)
    while length < most_bytes and (piece := await content.readany()):
        pieces.append(piece)
        length += len(piece)
    return b"".join(pieces)[:most_bytes]


def body_of(request: Mapping[str, Any]) -> bytes:
    """A request as it is sent, and as its digest is made of: the same fields give the same bytes."""
    return json.dumps(request, sort_keys=True, separators=(",", ":")).encode("ascii")
