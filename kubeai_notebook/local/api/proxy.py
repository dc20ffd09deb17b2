"""The service proxy: the one Service here is the gateway's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from kubeai_notebook.local.emulation.kinds import SERVICES, Ref
from kubeai_notebook.local.emulation.refusals import StatusError

if TYPE_CHECKING:
    from aiohttp import web

    from kubeai_notebook.local.gateway import Gateway

    from .store import Store

SERVICE = re.compile(r"/api/v1/namespaces/([^/]+)/services/(?:(?P<scheme>https?):)?([^/:]+)(?::([^/]*))?/proxy(/.*)?")
_PORTS = (None, "", "80", "http")
_SERVES = ("default", "kubeai")


class ServiceProxy:
    """Hands requests to the gateway of this very process; its answers are its own, not the API's."""

    def __init__(self, store: Store, gateway: Gateway) -> None:
        self._store = store
        self._gateway = gateway

    async def answer(self, request: web.Request, match: re.Match[str]) -> web.StreamResponse:
        """Answer as the Service would. StatusError 404 or 503."""
        namespace, _, name, port, path = match.groups()
        self._store.get(Ref(SERVICES, namespace, name))
        if port not in _PORTS or match["scheme"] == "https":
            raise StatusError(503, "ServiceUnavailable", f'no service port {port} found for service "{name}"')
        if (namespace, name) != _SERVES:
            raise StatusError(503, "ServiceUnavailable", f'no endpoints available for service "{name}"')
        return await self._gateway.answer(request, unquote(path or "/"))
