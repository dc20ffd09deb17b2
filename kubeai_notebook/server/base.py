"""What all routes have in common: Jupyter's checks before a request, and one form for every answer.

Each method passes Jupyter's own login (``web.authenticated``), its authorizer (``authorized``, with ``read`` or
``write`` on the resource ``kubeai``), its check of foreign origins, and its XSRF check of all that is no GET. Every
error has the one form `present.server_wire.Problem`, those of Jupyter itself included.

Only what Jupyter Server has loaded already is imported here; the service comes with the first request.
"""

from __future__ import annotations

import json
from functools import wraps
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from kubeai_notebook.errors import KubeAIError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .service import Service
    from .table import Action

RESOURCE = "kubeai"
"""What Jupyter's authorizer is asked about."""
UNTOLD = "KubeAI-Untold"
"""In each answer of a server that nobody has told where to work since it started: a mark of that server."""
_KEY = "kubeai_notebook_service"
_PROBLEMS = {
    403: ("NotAllowedByJupyter", "This Jupyter server does not let you do this.", "Log in to it again."),
    404: ("NoSuchRoute", "This Jupyter server does not answer such a request.", ""),
    405: ("NoSuchRoute", "This Jupyter server has no such verb at this address.", ""),
    500: ("Bug", "This failed by a mistake of kubeai_notebook.", "The Jupyter server's log has the traceback."),
}


class KubeAIHandler(APIHandler):
    """A handler of this server; its methods are made by `guarded`."""

    auth_resource = RESOURCE

    async def prepare(self) -> None:  # type: ignore[override]  # as Jupyter's own handlers have it
        """Let nobody in who has not logged in, by whatever method: tornado itself answers those that there are not."""
        await super().prepare()
        # A browser's preflight has no login yet, and is answered with headers only.
        if self.request.method != "OPTIONS" and not self.current_user:
            raise web.HTTPError(403)

    @property
    def service(self) -> Service:
        """That of this server, made with the first request."""
        there: Service | None = self.settings.get(_KEY)
        if there is None:
            from kubeai_notebook.session.session import default

            from .service import Service

            there = self.settings[_KEY] = Service(default)
        return there

    def say_if_untold(self) -> None:
        """Let a page whose settings name a place know that this server has not heard of it, as after a restart."""
        service: Service | None = self.settings.get(_KEY)
        if service is not None and service.untold:
            self.set_header(UNTOLD, service.untold)

    def answer(self, status: int, text: str) -> None:
        """End the request with JSON that no cache keeps."""
        self.set_status(status)
        self.say_if_untold()
        self.set_header("Cache-Control", "no-store")
        self.finish(text)

    def write_error(self, status_code: int, **_: Any) -> None:
        """An error of Jupyter's or tornado's, in the form of all others; what it says may repeat a request."""
        other = ("HttpError", f"The Jupyter server answered {status_code}.", "")
        code, message, step = _PROBLEMS.get(status_code, other)
        notice = {"code": code, "severity": "error", "field": "", "message": message, "remedy": step}
        self.answer(status_code, json.dumps({"notices": [notice], "note": "", "diff": []}))


def guarded(action: Action, method: Callable[..., Awaitable[None]]) -> Callable[..., Any]:
    """A method of a handler, behind Jupyter's login and its authorizer; errors of ours are answered as Notices."""

    @wraps(method)
    async def answering(self: KubeAIHandler, *arguments: Any, **named: Any) -> None:
        try:
            await method(self, *arguments, **named)
        except KubeAIError as error:
            from .problems import answer_to

            status, result = answer_to(error)
            self.answer(status, result.model_dump_json())

    return web.authenticated(authorized(action, RESOURCE)(answering))
