"""The gateway without TLS, for the user's other programs: an openai client, requests, curl.

It asks no password of the owner's programs, which the kernel knows (`peers`); of all others it wants the daemon's
token. A web page in the owner's browser would count as his program, so whatever a browser marks is refused.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING

from aiohttp import web

from .doors import answering, from_another_site, guest_of
from .gateway import refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .gateway import Gateway

_PORT = r"(?::[0-9]{1,5})?"
_HOST = re.compile(rf"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]){_PORT}")
_LOOPBACK = re.compile(rf"(?:127\.0\.0\.1|localhost|\[::1\]){_PORT}", re.IGNORECASE)
_WANTED = (
    "this gateway answers the programs of the user who started it; any other needs the token that "
    '"kubeai-local token" prints, as api_key or in the header "Authorization: Bearer <token>"'
)


def plain_app(gateway: Gateway, token: str) -> web.Application:
    """Build the app of the plain port."""
    login = f"Bearer {token}".encode()

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        hosts = request.headers.getall("Host", [])
        if len(hosts) > 1 or (hosts and not _HOST.fullmatch(hosts[0])):
            return refusal(400, "malformed Host header")
        if not hosts or not _LOOPBACK.fullmatch(hosts[0]) or of_a_page(request):
            return refusal(403, "only programs on this machine may ask this gateway")
        guest = guest_of(request)
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not (guest and guest.ours) and not hmac.compare_digest(given, login):
            return refusal(401, _WANTED)
        return await handler(request)

    app = web.Application(middlewares=[answering, guard])
    app.router.add_route("*", "/{path:.*}", lambda request: gateway.answer(request, request.path))
    return app


def of_a_page(request: web.Request) -> bool:
    """Whether a browser says that a web page asks: only browsers send an Origin, or where a request comes from."""
    return "Origin" in request.headers or from_another_site(request)
