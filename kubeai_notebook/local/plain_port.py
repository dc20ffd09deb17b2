"""The gateway without TLS, for the user's other programs: an openai client, requests, curl."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from kubeai_notebook.loopback.doors import answering
from kubeai_notebook.loopback.programs import own_programs_only

from .gateway import refusal

if TYPE_CHECKING:
    from .gateway import Gateway

_WANTED = (
    "this gateway answers the programs of the user who started it; any other needs the token that "
    '"kubeai-local token" prints, as api_key or in the header "Authorization: Bearer <token>"'
)


def plain_app(gateway: Gateway, token: str) -> web.Application:
    """Build the app of the plain port."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await gateway.answer(request, request.path)

    app = web.Application(middlewares=[answering, own_programs_only(token, wanted=_WANTED, refusal=refusal)])
    app.router.add_route("*", "/{path:.*}", answer)
    return app
