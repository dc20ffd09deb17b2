"""Which programs a port without TLS answers: those of the user who opened it.

It asks no password of the owner's programs, which the kernel knows (`peers`); of all others it wants a token. A web
page in the owner's browser would count as his program, so whatever a browser marks is refused, and so is a name that
a page's own DNS may have pointed here.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .doors import from_another_site, guest_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_PORT = r"(?::[0-9]{1,5})?"
_HOST = re.compile(rf"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]){_PORT}")
_LOOPBACK = re.compile(rf"(?:127\.0\.0\.1|localhost|\[::1\]){_PORT}", re.IGNORECASE)


def own_programs_only(token: str, *, wanted: str, refusal: Callable[[int, str], web.Response]) -> Any:
    """The middleware that lets the owner's programs through, and whoever has the token as a bearer.

    ``wanted`` says to the others what they need; ``refusal`` makes an answer of a status and a sentence.
    """
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
            return refusal(401, wanted)
        return await handler(request)

    return guard


def of_a_page(request: web.Request) -> bool:
    """Whether a browser says that a web page asks: only browsers send an Origin, or where a request comes from."""
    return "Origin" in request.headers or from_another_site(request)
