"""HTTP to one Kubernetes API: plain requests, plain dicts, a time-out and a bound on every answer."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject

from kubeai_notebook.core.foreign import MOST_ERROR_BYTES, page_of
from kubeai_notebook.errors import ClusterError, KubeAIError, KubeconfigError, NotInstalledError, UnauthorizedError

from .abortable_connections import WHOLE, Connections
from .answer import MOST_BYTES, NoApiError, no_api, object_of, read_whole
from .connection_errors import error_of_connection
from .credentials import Credentials, Login, place_of
from .errors import BrokenHandshakeError, BusyError, LostAnswerError, error_of
from .warnings import hear

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.whereabouts import Whereabouts

MODELS = "apis/kubeai.org/v1"
CORE = "api/v1"
BATCH = "apis/batch/v1"
VERSION = "version"

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
TRIES = 3
HANDSHAKE_PAUSE_SECONDS = 0.2
JSON = "application/json"
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Asks for the metadata of objects only; servers that cannot do that send the whole."""

# Whether a request is repeated is decided here, by what it does, and not in urllib3.
_NO_RETRY = urllib3.Retry(0)
BROKEN = (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError)
"""What may come of an answer that is cut or garbled, while it is read."""

Query = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long the other side is waited for, and how much is taken from it."""

    read_seconds: float = READ_SECONDS
    """The longest silence in an answer; it may take `WHOLE` times as long as a whole."""
    busy_seconds: float = 30.0
    """A server that asks for more than this before the next try is not waited for; the user is told."""
    list_seconds: float = 300.0
    """The longest for all pages of a list."""
    page_objects: int = 500
    """How many objects a page of a list has."""
    pages: int = 10_000


def allow_silence(answer: urllib3.BaseHTTPResponse, seconds: float, *, whole_seconds: float = math.inf) -> None:
    """Set the read timeout of a response that is already streaming, and how long it may go on."""
    connection: Any = getattr(answer, "connection", None)
    if connection is not None and hasattr(connection, "limits"):
        connection.limits.silence_seconds = seconds
        connection.limits.until = time.monotonic() + whole_seconds
    elif connection is not None and connection.sock is not None:
        connection.sock.settimeout(seconds)


def cut(answer: urllib3.BaseHTTPResponse) -> None:
    """End this answer at once, whoever waits in it."""
    connection: Any = answer.connection
    if hasattr(connection, "cut"):
        connection.cut()
    elif (end := getattr(connection, "sock", None)) is not None:
        # Gone already, or being closed by its own thread.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(end, socket.SHUT_RDWR)


class Api:
    """HTTP to one API server, with the credentials of one configuration.

    The generated classes of ``kubernetes`` are left out on purpose: they drop the body of
    answers they do not expect and have no default time-out. ``login`` may be renewed; a bare
    ``configuration`` is for ever.
    """

    def __init__(
        self, configuration: Configuration | None = None, *, login: Login | None = None, bounds: Bounds | None = None
    ) -> None:
        self.login = login or Login(configuration or Configuration())
        self.bounds = bounds or Bounds()
        self._closed = threading.Event()
        self._connections = Connections()
        self._moving = threading.Lock()
        self._place = place_of(self.configuration)
        self._pool = self._pool_of(self.configuration)

    def _pool_of(self, configuration: Configuration) -> urllib3.PoolManager:
        try:
            pool: urllib3.PoolManager = RESTClientObject(configuration).pool_manager
        except ImportError as error:  # urllib3 brings no SOCKS of its own
            message = "The way to the Kubernetes API leads through a SOCKS proxy, for which PySocks is not installed."
            raise KubeconfigError(message, "Run pip install pysocks, and start this kernel or server again.") from error
        # Up to version 35 the client names certifi's authorities where the kubeconfig names none.
        pool.connection_pool_kw["ca_certs"] = configuration.ssl_ca_cert
        self._connections.track(pool)
        return pool

    def _pool_to(self, login: Credentials) -> urllib3.PoolManager:
        """The connections to this place; what is in flight on those to another goes on to its end."""
        with self._moving:
            if login.place != self._place:
                old, self._pool = self._pool, self._pool_of(login.configuration)
                self._place = login.place
                old.clear()
            return self._pool

    @property
    def configuration(self) -> Configuration:
        """The configuration in force."""
        return self.login.configuration

    @property
    def host(self) -> str:
        """Base url of the API server."""
        return str(self.configuration.host).rstrip("/")

    @property
    def where(self) -> Whereabouts:
        """What this API is called, and how it was found."""
        return replace(self.login.where, server=self.host)

    def apart(self) -> Api:
        """The same API by connections of their own, which may be closed alone."""
        return Api(login=self.login, bounds=self.bounds)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        read_seconds: float | None = None,
        accept: str = JSON,
        patient: bool = True,
    ) -> dict[str, Any]:
        """Send one request and return the JSON object that it is answered with.

        What the server was too busy for (429) is sent again after the time it asked for, what it hung up on before
        anything was sent (as one that is being replaced does) a moment later, and a read or a dry run also when
        its connection broke; a write whose answer was lost is never repeated here. ``patient=False`` repeats nothing.

        Raises:
            ClusterError: of the kind that the answer means, or that no Kubernetes API gave it.
            LostAnswerError: the request was sent, and no answer came, or none that ends in time.
            UnreachableError: it could not be sent.
        """
        harmless = method == "GET" or "dryRun" in (query or {})
        options: dict[str, Any] = {"query": query, "body": body, "read_seconds": read_seconds, "accept": accept}
        for tries in range(1, TRIES + 1):
            try:
                return self._decoded(self.open(method, path, **options), read_seconds)
            except BusyError as error:
                pause, longest = error.retry_after_seconds, self.bounds.busy_seconds
                if not patient or tries == TRIES or pause > longest or self._closed.wait(pause):
                    raise
            except BrokenHandshakeError:
                if not patient or tries == TRIES or self._closed.wait(HANDSHAKE_PAUSE_SECONDS):
                    raise
            except LostAnswerError as error:
                if not patient or tries == TRIES or not harmless or error.timed_out or self._closed.is_set():
                    raise
        raise AssertionError

    def pages(
        self, path: str, *, query: Query, accept: str = JSON, patient: bool = True
    ) -> Iterator[Mapping[str, Any]]:
        """The pages of a list, as many objects each as `Bounds` says.

        Raises:
            ClusterError: as `request`, or the pages have no end.
        """
        until, token = time.monotonic() + self.bounds.list_seconds, ""
        for _ in range(self.bounds.pages):
            place: Query = {"continue": token} if token else {}
            asked = {**query, "limit": self.bounds.page_objects, **place}
            page = self.request("GET", path, query=asked, accept=accept, patient=patient)
            metadata = page.get("metadata")
            before, token = token, str((metadata.get("continue") if isinstance(metadata, dict) else "") or "")
            yield page
            if not token:
                return
            if token == before:
                break
            if time.monotonic() > until:
                raise LostAnswerError(f"{self.where.api} gives a list that does not end.", timed_out=True)
        raise no_api(self.where.address, "its list has no end")

    def _decoded(self, answer: urllib3.BaseHTTPResponse, read_seconds: float | None) -> dict[str, Any]:
        data, more = self.read(answer, most=MOST_BYTES, read_seconds=read_seconds)
        if more:
            step = "Look what answers at that address: no page of a Kubernetes API's list is that large."
            raise ClusterError(f"{self.where.api} answers with more than {MOST_BYTES >> 20} MiB.", step)
        document = object_of(data, self.where.address)
        if document.get("kind") == "Status" and document.get("status") == "Failure":
            code = document.get("code")
            raise error_of(code if isinstance(code, int) else 500, data, where=self.where)
        return document

    def read(
        self, answer: urllib3.BaseHTTPResponse, *, most: int, read_seconds: float | None = None
    ) -> tuple[bytes, bool]:
        """Read an answer to its end, or as far as ``most`` bytes: then the second part is True.

        Raises:
            LostAnswerError: it broke off, or does not end in time.
        """
        seconds = WHOLE * (read_seconds or self.bounds.read_seconds)
        whole = False
        try:
            data, more = read_whole(answer, most=most, seconds=seconds)
            whole = not more
        except BROKEN as error:
            raise self.failure(error) from error
        finally:
            # What was not read to its end is no connection for the next request.
            answer.release_conn() if whole else answer.close()
        return data, more

    def open(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        read_seconds: float | None = None,
        silence_seconds: float | None = None,
        accept: str = JSON,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request and return the answer unread: the caller reads or closes it.

        ``silence_seconds`` makes it a stream, which may pause so long once it began, and has no end.
        """
        answer = self._send_authenticated(
            method, path, query=query, body=body, read_seconds=read_seconds, accept=accept
        )
        if silence_seconds is not None:
            allow_silence(answer, silence_seconds)
        return answer

    def _send_authenticated(self, method: str, path: str, **send: Any) -> urllib3.BaseHTTPResponse:
        self.login.look()
        login = self.login.credentials()
        try:
            return self._open(method, path, login=login, **send)
        except UnauthorizedError:
            # Nothing was done; an expired login is renewed once, as kubectl does.
            if not self.login.renewed(login):
                raise
        return self._open(method, path, login=self.login.credentials(), **send)

    def _open(
        self,
        method: str,
        path: str,
        *,
        login: Credentials,
        query: Query | None,
        body: Any,
        read_seconds: float | None,
        accept: str,
    ) -> urllib3.BaseHTTPResponse:
        headers = {**login.headers, "Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else JSON
        read_seconds = read_seconds or self.bounds.read_seconds
        try:
            answer = self._pool_to(login).request(
                method,
                f"{login.host}/{path}{'?' + urlencode(query) if query else ''}",
                body=None if body is None else json.dumps(body),
                headers=headers,
                preload_content=False,
                redirect=False,
                retries=_NO_RETRY,
                # Whoever asks whether the server lives waits no longer for its handshake than for its answer.
                timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, read_seconds), read=read_seconds),
            )
        except BROKEN as error:
            raise self.failure(error) from error
        page = answer.headers.get("Content-Type", "").startswith("text/html")
        if not 200 <= answer.status < 300 or page:
            raise self._refusal(answer, method, path, read_seconds=read_seconds)
        hear(answer.headers.getlist("Warning"))
        return answer

    def _refusal(self, answer: urllib3.BaseHTTPResponse, method: str, path: str, *, read_seconds: float) -> KubeAIError:
        data, _ = self.read(answer, most=MOST_ERROR_BYTES, read_seconds=read_seconds)
        if 200 <= answer.status < 300:
            return no_api(self.where.address, f"it sends {page_of(data)}")
        error = error_of(answer.status, data, where=self.where, headers=answer.headers, reads=method == "GET")
        if isinstance(error, NotInstalledError) and path != VERSION and not self._is_kubernetes(read_seconds):
            return no_api(self.where.address, "it does not say which version of Kubernetes it is")
        return error

    def _is_kubernetes(self, read_seconds: float) -> bool:
        """Whether a server that knows no group of ours is a Kubernetes at all: those say so, or refuse in a Status."""
        try:
            version = self.request("GET", VERSION, read_seconds=read_seconds, patient=False)
        except (NotInstalledError, NoApiError):
            return False
        except KubeAIError:
            return True
        return "gitVersion" in version

    def close(self) -> None:
        """End all connections at once, whoever waits in them."""
        self._closed.set()
        self._connections.cut()
        self._pool.clear()

    def failure(self, error: Exception) -> KubeAIError:
        """What an error of the connection means."""
        return error_of_connection(error, self.where, proxy=self.configuration.proxy)
