"""The service proxy: the one Service here is the gateway's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.kubernetes.kinds import SERVICES, Ref
from kubeai_notebook.core.kubernetes.refusals import StatusError
from kubeai_notebook.local.gateway import onward, passed

if TYPE_CHECKING:
    import aiohttp
    from aiohttp import web

    from .store import Store

SERVICE = re.compile(r"/api/v1/namespaces/([^/]+)/services/(?:(?P<scheme>https?):)?([^/:]+)(?::([^/]*))?/proxy(/.*)?")
_PORTS = (None, "", "80", "http")
_SERVES = ("default", "kubeai")


class ServiceProxy:
    """Passes requests on to ``gateway`` (its origin, without a path), without the API's own credentials."""

    def __init__(self, store: Store, client: aiohttp.ClientSession, gateway: str) -> None:
        self._store = store
        self._client = client
        self._gateway = gateway

    async def answer(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        """Answer as the Service would. StatusError 404 or 503."""
        namespace, _, name, port, path = match.groups()
        self._store.get(Ref(SERVICES, namespace, name))
        if port not in _PORTS or match["scheme"] == "https":
            raise StatusError(503, "ServiceUnavailable", f'no service port {port} found for service "{name}"')
        if (namespace, name) != _SERVES:
            raise StatusError(503, "ServiceUnavailable", f'no endpoints available for service "{name}"')
        query = f"?{request.query_string}" if request.query_string else ""
        url, body = f"{self._gateway}{path or '/'}{query}", request.content if request.can_read_body else None
        async with self._client.request(request.method, url, data=body, headers=onward(request.headers)) as upstream:
            return await passed(request, upstream)
