"""HTTP to one Kubernetes API: plain requests, plain dicts, a time-out on every call."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client.rest import RESTClientObject

from kubeai_notebook.errors import UnauthorizedError, UnreachableError

from .errors import BusyError, LostAnswerError, error_of
from .lines import Lines
from .login import Load, Login

if TYPE_CHECKING:
    from kubernetes.client import Configuration

MODELS = "apis/kubeai.org/v1"
CORE = "api/v1"
BATCH = "apis/batch/v1"

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
TRIES = 3
LONGEST_PATIENCE_SECONDS = 30.0
"""A server that asks for more than this is not waited for; the user is told."""
JSON = "application/json"
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Asks for the metadata of objects only; servers that cannot do that send the whole."""

# Whether a request is repeated is decided here, by what it does, and not in urllib3.
_NO_RETRY = urllib3.Retry(0)
_NEVER_SENT = (
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ProxyError,
    urllib3.exceptions.SSLError,
)

Query = Mapping[str, str | int | bool]


def allow_silence(answer: urllib3.BaseHTTPResponse, seconds: float) -> None:
    """How long this answer may pause from here on."""
    line = getattr(answer, "connection", None)
    if line is not None and line.sock is not None:
        line.sock.settimeout(seconds)


class Api:
    """HTTP to one API server, with the credentials of one configuration.

    The generated classes of ``kubernetes`` are left out on purpose: they drop the body of
    answers they do not expect and have no default time-out. ``load`` reads the configuration
    anew when the API refuses the login.
    """

    def __init__(self, configuration: Configuration, *, load: Load | None = None, login: Login | None = None) -> None:
        self.login = login or Login(configuration, load)
        self._closed = threading.Event()
        self._lines = Lines()
        self._pool = self._connect()

    def _connect(self) -> urllib3.PoolManager:
        pool: urllib3.PoolManager = RESTClientObject(self.configuration).pool_manager
        self._lines.track(pool)
        self._certificate = self.login.certificate()
        return pool

    @property
    def configuration(self) -> Configuration:
        """The configuration in force."""
        return self.login.configuration

    @property
    def host(self) -> str:
        """Base url of the API server."""
        return str(self.configuration.host).rstrip("/")

    def apart(self) -> Api:
        """The same API by connections of their own, which may be closed alone."""
        return Api(self.configuration, login=self.login)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        read_seconds: float = READ_SECONDS,
        accept: str = JSON,
        patient: bool = True,
    ) -> Any:
        """Send one request and return the decoded JSON answer.

        What the server was too busy for (429) is sent again after the time it asked for, and a
        read also when its connection broke; a write whose answer was lost is never repeated here.
        ``patient=False`` repeats nothing.

        Raises:
            ClusterError: of the kind that the answer means.
            LostAnswerError: the request was sent, and no answer came.
            UnreachableError: it could not be sent.
        """
        options: dict[str, Any] = {"query": query, "body": body, "read_seconds": read_seconds, "accept": accept}
        for tries in range(1, TRIES + 1):
            try:
                return self._decoded(self.open(method, path, **options))
            except BusyError as error:
                pause = error.retry_after_seconds
                if not patient or tries == TRIES or pause > LONGEST_PATIENCE_SECONDS or self._closed.wait(pause):
                    raise
            except LostAnswerError as error:
                if not patient or tries == TRIES or method != "GET" or error.timed_out or self._closed.is_set():
                    raise
        raise AssertionError

    def _decoded(self, answer: urllib3.BaseHTTPResponse) -> Any:
        try:
            data = answer.read()
        except urllib3.exceptions.HTTPError as error:
            raise self.failure(error) from error
        finally:
            answer.release_conn()
        return json.loads(data) if data else {}

    def open(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        read_seconds: float = READ_SECONDS,
        silence_seconds: float | None = None,
        accept: str = JSON,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request and return the answer unread: the caller reads or closes it.

        ``silence_seconds`` is how long the answer may pause once it began, by default ``read_seconds``.
        """
        answer = self._let_in(method, path, query=query, body=body, read_seconds=read_seconds, accept=accept)
        if silence_seconds is not None:
            allow_silence(answer, silence_seconds)
        return answer

    def _let_in(self, method: str, path: str, **send: Any) -> urllib3.BaseHTTPResponse:
        login = self.login.headers()
        try:
            return self._open(method, path, login=login, **send)
        except UnauthorizedError:
            # Nothing was done; an expired login is renewed once, as kubectl does.
            if not self.login.renewed(login):
                raise
        if self.login.certificate() != self._certificate:
            self._pool = self._connect()
        return self._open(method, path, login=self.login.headers(), **send)

    def _open(
        self,
        method: str,
        path: str,
        *,
        login: Mapping[str, str],
        query: Query | None,
        body: Any,
        read_seconds: float,
        accept: str,
    ) -> urllib3.BaseHTTPResponse:
        headers = {**login, "Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else JSON
        try:
            answer = self._pool.request(
                method,
                f"{self.host}/{path}{'?' + urlencode(query) if query else ''}",
                body=None if body is None else json.dumps(body),
                headers=headers,
                preload_content=False,
                redirect=False,
                retries=_NO_RETRY,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
            )
            if answer.status >= 400:
                raise error_of(answer.status, answer.read(), retry_after=answer.headers.get("Retry-After"))
        except urllib3.exceptions.HTTPError as error:
            raise self.failure(error) from error
        return answer

    def close(self) -> None:
        """End all connections at once, whoever waits in them."""
        self._closed.set()
        self._lines.cut()
        self._pool.clear()

    def failure(self, error: Exception) -> UnreachableError:
        """What an error of the connection means."""
        cause = getattr(error, "reason", None)
        cause = cause if isinstance(cause, Exception) else error
        message = f"The Kubernetes API at {self.host} does not answer ({type(cause).__name__})."
        hint = "Check the network and the kubeconfig's context."
        if isinstance(cause, _NEVER_SENT):
            return UnreachableError(message, hint)
        return LostAnswerError(message, hint, timed_out=isinstance(cause, urllib3.exceptions.TimeoutError))
