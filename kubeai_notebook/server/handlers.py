"""The routes, made of the table's rows: who may ask is Jupyter's to say, what is answered is the service's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jupyter_server.utils import url_path_join
from tornado import web

from kubeai_notebook import settings

from .base import KubeAIHandler, guarded
from .stream import ChangesHandler, StreamHandler
from .table import NAME, ROOT, VERBS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jupyter_server.serverapp import ServerApp

    from .table import Verb


def _method(verb: Verb) -> Callable[..., Any]:
    async def method(self: KubeAIHandler, name: str = "") -> None:
        from .requests import values_of

        values = values_of(verb, self.request.query_arguments, self.request.body)
        status, result = await self.service.answer(verb, name, values)
        self.answer(status, result.model_dump_json())

    return guarded(verb.action, method)


def _handler(verbs: Iterable[Verb]) -> type[KubeAIHandler]:
    """The handler of one path, with a method for each of its rows."""
    return type("VerbHandler", (KubeAIHandler,), {verb.method.lower(): _method(verb) for verb in verbs})


class DescriptionHandler(KubeAIHandler):
    """The OpenAPI description of all routes."""

    async def _get(self) -> None:
        from .openapi import description

        self.answer(200, json.dumps(description(self.base_url)))

    get = guarded("read", _get)


class LateHandler(KubeAIHandler):
    """How a request ended that took longer than an answer may."""

    async def _get(self) -> None:
        status, result = await self.service.late(self.get_query_argument("request_id", ""))
        self.answer(status, result.model_dump_json())

    get = guarded("read", _get)


class NoRouteHandler(KubeAIHandler):
    """What else is asked below our root: answered in our form, and not by Jupyter's page."""

    async def prepare(self) -> None:  # type: ignore[override]  # as Jupyter's own handlers have it
        """Whoever has logged in is told that there is no such route."""
        await super().prepare()
        raise web.HTTPError(404)


def routes() -> list[tuple[str, type[KubeAIHandler]]]:
    """Pattern below `ROOT`, and handler, of every route."""
    paths = dict.fromkeys(verb.path for verb in VERBS)
    made = [(path, _handler(verb for verb in VERBS if verb.path == path)) for path in paths]
    own: list[tuple[str, type[KubeAIHandler]]] = [
        ("stream", StreamHandler),
        ("changes", ChangesHandler),
        ("late", LateHandler),
        ("openapi.json", DescriptionHandler),
    ]
    every: list[tuple[str, type[KubeAIHandler]]] = [*made, *own, (".*", NoRouteHandler)]
    return [(path.replace("{name}", f"(?P<name>{NAME})"), handler) for path, handler in every]


def install(serverapp: ServerApp) -> None:
    """Add the routes to a Jupyter server, whose configuration may set ``c.KubeAI`` as a notebook does."""
    settings.install(settings.KubeAI(parent=serverapp))
    root = url_path_join(serverapp.web_app.settings["base_url"], ROOT)
    made = [(f"{root}/{path}", handler) for path, handler in routes()]
    serverapp.web_app.add_handlers(".*$", made)  # type: ignore[no-untyped-call]  # Jupyter's own has no types
