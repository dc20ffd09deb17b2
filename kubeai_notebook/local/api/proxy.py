"""The service proxy: the one Service here is the gateway's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import aiohttp

from kubeai_notebook.local.gateway import onward, passed

from .errors import StatusError
from .resources import SERVICES, Ref

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from .store import Store

SERVICE = re.compile(r"/api/v1/namespaces/([^/]+)/services/(?:(?P<scheme>https?):)?([^/:]+)(?::([^/]*))?/proxy(/.*)?")
_PORTS = (None, "", "80", "http")


class ServiceProxy:
    """Passes requests on to ``gateway`` (its origin, without a path), without the API's own credentials."""

    _serves = ("default", "kubeai")

    def __init__(self, store: Store, gateway: str) -> None:
        self._store = store
        self._gateway = gateway

    async def connected(self, _app: web.Application) -> AsyncIterator[None]:
        """Hold the connections for as long as the application runs."""
        forever = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=forever, auto_decompress=False
        ) as self._client:
            yield

    async def answer(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        """Answer as the Service would. StatusError 404 or 503."""
        namespace, _, name, port, path = match.groups()
        self._store.get(Ref(SERVICES, namespace, name))
        if port not in _PORTS or match["scheme"] == "https":
            message = f'no service port {port} found for service "{name}"'
            raise StatusError(503, "ServiceUnavailable", message)
        if (namespace, name) != self._serves:
            raise StatusError(503, "ServiceUnavailable", f'no endpoints available for service "{name}"')
        query = f"?{request.query_string}" if request.query_string else ""
        body = request.content if request.can_read_body else None
        async with self._client.request(
            request.method, f"{self._gateway}{path or '/'}{query}", data=body, headers=onward(request.headers)
        ) as upstream:
            return await passed(request, upstream)
