"""A loopback port that speaks plain ``/openai/v1`` to a gateway: for snippets and other programs.

The gateway of a cluster is reached with a Kubernetes login. A program that gets the login itself has it in a cell, a
shell's history or a file, and sends it wherever its base url points. So the login stays in this process: requests come
to a port here, and leave by the HTTP client that all calls use (`http`), which puts the login on for the gateway's own
address only and follows no redirect.

Whoever can ask the port uses that login, so what passes is listed. Paths are routes below ``/openai/v1`` without dots
that lead elsewhere: through the Kubernetes API a path is all that tells the gateway from a Secret. Headers are those
that mean something to a gateway: another one could name whom to impersonate. Whose program asks, how many connections
and how large a body there may be is the rule of the daemon's plain port (`loopback`).
"""

from __future__ import annotations

import logging
import re
import secrets
import socket
import tempfile
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.foreign import origin_of
from kubeai_notebook.core.snippets import NO_KEY
from kubeai_notebook.errors import KubeAIError, SessionClosedError, UsageError

from .errors import explained
from .http import async_http_client, library
from .patient import ERROR, MODEL, patient_async

if TYPE_CHECKING:
    from concurrent.futures import Future

    from aiohttp import web

    from kubeai_notebook.loopback.bodies import Body

    from .endpoint import Endpoint

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # a stack of what some program sent is nothing for a user's cell

PATH = "/openai/v1"
PLACES, BACKLOG = 512, 128
MOST_BYTES, MOST_FORM_BYTES = 32 << 20, 256 << 20
CLOSE_SECONDS = 3.0
_OPENING = "start() opens it, and so does: with model.forward() as port."
_WANTED = "this port answers the programs of the user who opened it; any other needs its api_key"
# A segment that begins with a letter or a digit is no "..", and nothing in it is encoded.
_ROUTE = re.compile(rf"{PATH}((?:/[A-Za-z0-9][\w.:-]*)+)", re.ASCII)
_METHODS = ("GET", "POST")
_SENT = frozenset(b"accept accept-encoding authorization content-type user-agent x-label-selector x-request-id".split())
# What belongs to one connection, is counted anew, or is between the gateway and us alone.
_KEPT_BACK = frozenset(("connection", "content-length", "keep-alive", "set-cookie", "te", "trailer", "upgrade"))
_KEPT_BACK |= {"proxy-authenticate", "transfer-encoding"}


class Forward:
    """The port, while it is open: from `start`, or the beginning of a ``with``, to `close` or the end of its Session.

    ``port=0`` takes one that is free. Give ``base_url`` and ``api_key`` to any OpenAI client; it asks for the Model by
    its name. On Linux the kernel says that a program is yours, and the key is a word without a meaning; elsewhere it
    is a token that holds for this port only.

    Raises:
        UsageError: the port is taken, or not a number of one.
        SessionClosedError: the Session is closed.
    """

    def __init__(self, endpoint: Endpoint, model: str, *, port: int = 0) -> None:
        if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 1 << 16:
            raise UsageError(f"A port is a number from 0 to 65535, not {port!r}.", "0 takes one that is free.")
        self.model = model
        """The id to ask for."""
        self.port = port
        self._endpoint, self._wanted = endpoint, port
        self._token = secrets.token_urlsafe(32)
        self._lock = threading.Lock()
        self._serving: Future[None] | None = None
        self._opened, self._closed = threading.Event(), threading.Event()

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as ``base_url``.

        Raises:
            UsageError: the port is not open, so nobody answers there.
        """
        if not self.is_open:
            raise UsageError(f"The port for {self.model} {self._closed_because}.", _OPENING)
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def api_key(self) -> str:
        """What an OpenAI client takes as ``api_key``."""
        from kubeai_notebook.loopback.peers import KNOWN

        return NO_KEY if KNOWN else self._token

    @property
    def is_open(self) -> bool:
        """Whether programs are answered."""
        return self._serving is not None and not self._serving.done()

    @property
    def _closed_because(self) -> str:
        return "is closed" if self._opened.is_set() else "is not open yet"

    def start(self) -> Forward:
        """Open the port; nothing where it is open."""
        with self._lock:
            if self.is_open:
                return self
            # Here and not in the loop, which others' streams run in: a library may have to be loaded.
            base_url = self._endpoint.base_url.rstrip("/")
            client = async_http_client(self._endpoint.access, kind=patient_async(self._endpoint.waiting))
            listening, self._opened, self._closed = _listening(self._wanted), threading.Event(), threading.Event()
            self.port = listening.getsockname()[1]
            try:
                self._serving = self._endpoint.loop.submit(self._serve(client, base_url, listening))
            except SessionClosedError:
                listening.close()
                raise
            # A task that is cancelled before it has begun would leave the port as it is.
            self._opened.wait(CLOSE_SECONDS)
        return self

    def close(self) -> None:
        """End every connection, and let the port go."""
        with self._lock:
            serving, self._serving = self._serving, None
        if serving is not None and serving.cancel():
            self._closed.wait(CLOSE_SECONDS)

    def __enter__(self) -> Forward:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if not self.is_open:
            return f"Forward({self.model!r}) {self._closed_because}. {_OPENING}"
        use = f"An OpenAI client takes its base_url and api_key, and model={self.model!r}"
        return f"Forward({self.model!r}) answers at {self.base_url}. {use}; close() ends it."

    async def _serve(self, client: Any, base_url: str, listening: socket.socket) -> None:
        from aiohttp import web

        from kubeai_notebook.loopback.doors import Places, answering, door
        from kubeai_notebook.loopback.programs import own_programs_only

        app = web.Application(middlewares=[answering, own_programs_only(self._token, wanted=_WANTED, refusal=_refusal)])
        app.router.add_route("*", "/{path:.*}", partial(self._answer, client, base_url))
        self._opened.set()
        try:
            async with client, door(app, listening, Places(PLACES), port="forward", logger=log) as accepting:
                await accepting
        finally:
            listening.close()
            self._closed.set()

    async def _answer(self, client: Any, base_url: str, request: web.Request) -> web.StreamResponse:
        """Answer one program's request with the gateway's answer to it."""
        from kubeai_notebook.loopback.bodies import Body, BodyError, receive

        path, mark, query = request.raw_path.partition("?")
        route = _ROUTE.fullmatch(path)
        if route is None:
            return _refusal(404, f"this port has the routes below {PATH} only")
        if request.method not in _METHODS:
            return _refusal(405, f"this port takes {' and '.join(_METHODS)}")
        limit = MOST_FORM_BYTES if _is_form(request) else MOST_BYTES
        with Body(tempfile.gettempdir()) as body:
            try:
                await receive(request, body, limit=limit)
                with explained(self.model, self._endpoint):
                    onward = self._onward(request, f"{base_url}{route[1]}{mark}{query}", body)
                    upstream = await client.send(onward, stream=True)
            except BodyError as error:
                return _refusal(error.status, str(error))
            except KubeAIError as error:
                return _refusal(502, str(error))
            try:
                return await _passed(request, upstream)
            finally:
                await upstream.aclose()

    def _onward(self, request: web.Request, url: str, body: Body) -> Any:
        """The request as it goes to the gateway; the key of this port is for nobody else."""
        token = self._token.encode()
        headers = [(name, value) for name, value in request.raw_headers if name.lower() in _SENT and token not in value]
        if body.size:
            headers.append((b"Content-Length", str(body.size).encode()))
        if not _is_form(request):
            return library().Request(request.method, url, headers=headers, content=body.whole())
        pieces, named = body.pieces([(0, body.size)]), {MODEL: self.model}
        return library().Request(request.method, url, headers=headers, content=pieces, extensions=named)


def _is_form(request: web.Request) -> bool:
    return request.content_type.lower() == "multipart/form-data"


async def _passed(request: web.Request, upstream: Any) -> web.StreamResponse:
    """Pass an answer on piece by piece, as it comes; where it breaks off, so does the program's."""
    from aiohttp import web

    if ERROR in upstream.extensions:
        return _refusal(503, str(upstream.extensions[ERROR]))
    if 300 <= upstream.status_code < 400:
        where = origin_of(upstream.headers.get("location"))
        return _refusal(502, f"the gateway redirects to {where}; it is not followed, it would take your prompt there")
    response = web.StreamResponse(status=upstream.status_code)
    for name, value in upstream.headers.multi_items():
        if name.lower() not in _KEPT_BACK:
            response.headers.add(name, value)
    await response.prepare(request)
    try:
        async for piece in upstream.aiter_raw():
            await response.write(piece)
        await response.write_eof()
    except (library().HTTPError, library().StreamError, KubeAIError):
        if request.transport is not None:
            request.transport.abort()
    return response


def _refusal(status: int, message: str) -> web.Response:
    """An error as OpenAI's clients read one; asking again mends none of these."""
    from aiohttp import web

    answer = {"error": {"message": message, "type": "kubeai_notebook", "param": None, "code": status}}
    return web.json_response(answer, status=status, headers={"x-should-retry": "false"})


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    except OSError as error:
        why = f"Port {port} of this machine cannot be opened: {error.strerror}."
        raise UsageError(why, "port=0 takes one that is free.") from None
