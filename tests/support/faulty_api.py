"""A proxy in front of a Kubernetes API that makes faults by a script; to its client it speaks plain HTTP.

``FaultyApi(kubeconfig)`` passes everything on. A `Fault` says which requests it meets and what becomes of them.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import yaml

from kubeai_notebook.cluster.rights import RIGHTS
from tests.support.faults import Fault, Request, refuse

if TYPE_CHECKING:
    from pathlib import Path

_HOP = ("authorization", "connection", "transfer-encoding", "content-length", "keep-alive", "host", "accept-encoding")


class FaultyApi:
    """The proxy; a context manager."""

    def __init__(self, kubeconfig: Path, *, port: int = 0) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        self._config = config
        cluster = config["clusters"][0]["cluster"]
        data = cluster.get("certificate-authority-data")
        self.tls = ssl.create_default_context(
            cafile=cluster.get("certificate-authority"), cadata=base64.b64decode(data).decode() if data else None
        )
        self.tls.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        self.upstream = urlsplit(cluster["server"]).netloc
        self.token = config["users"][0]["user"]["token"]
        self.accepted_token: str | None = None
        """Where it is set, the only token that is let in; the API behind gets its own."""
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.stopped = threading.Event()
        self._exchanges: set[Exchange] = set()
        self._lock = threading.Lock()
        self._begin(port)

    def _begin(self, port: int) -> None:
        handler = type("Handler", (Exchange,), {"api": self})
        self._server = _Server(("127.0.0.1", port), handler)
        self.port = self._server.server_port
        self.stopped.clear()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def __enter__(self) -> FaultyApi:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Be gone: connections break, new ones are refused."""
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.cut()

    def start(self) -> None:
        """Be there again, at the same address."""
        self._begin(self.port)

    def cut(self) -> None:
        """Break every connection that is open."""
        with self._lock:
            exchanges = tuple(self._exchanges)
        for exchange in exchanges:
            exchange.cut()

    def kubeconfig(self, path: Path, *, gateway: bool = True, **user: Any) -> Path:
        """A kubeconfig that leads here; without ``gateway`` it does not know where the gateway is."""
        config = json.loads(json.dumps(self._config))
        cluster = {"server": f"http://127.0.0.1:{self.port}"}
        if gateway:
            cluster["extensions"] = config["clusters"][0]["cluster"].get("extensions", [])
        config["clusters"][0]["cluster"] = cluster
        if user:
            config["users"][0]["user"] = user
        path.write_text(yaml.safe_dump(config))
        return path

    def count(self, verb: str = "*", resource: str = "*") -> int:
        return len([one for one in self.requests if verb in ("*", one.verb) and resource in ("*", one.resource)])

    def fault_for(self, request: Request) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            return next((fault for fault in self.faults if fault.meets(request)), None)

    def entered(self, exchange: Exchange) -> None:
        with self._lock:
            self._exchanges.add(exchange)

    def left(self, exchange: Exchange) -> None:
        with self._lock:
            self._exchanges.discard(exchange)

    def denies(self, verb: str, resource: str) -> bool:
        """Whether a review of this right is answered with no."""
        return any(
            (fault.verb, fault.resource) == (verb, resource)
            for fault in self.faults
            if fault.act.__qualname__.startswith("refuse")
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A client that is gone is what this proxy is for."""


class Exchange(BaseHTTPRequestHandler):
    """One connection of a client."""

    api: ClassVar[FaultyApi]
    protocol_version = "HTTP/1.1"
    wbufsize = 0

    def setup(self) -> None:
        super().setup()
        self._behind: http.client.HTTPSConnection | None = None
        self.api.entered(self)

    def finish(self) -> None:
        self.api.left(self)
        with contextlib.suppress(OSError):
            super().finish()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked = Request(self.command, self.path, body)
        fault = self.api.fault_for(self.asked)
        accepted = self.api.accepted_token
        if accepted is not None and self.headers.get("Authorization") != f"Bearer {accepted}":
            refuse(401, "Unauthorized")(self)
        elif fault:
            fault.act(self)
        elif self.asked.resource == "selfsubjectrulesreviews":
            self._list_rules()
        elif self.asked.resource == "selfsubjectaccessreviews":
            self._review()
        else:
            self.pass_on()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _handle  # noqa: N815 - the names that http.server calls

    def _list_rules(self) -> None:
        """Rules only ever grant, so those that are left are listed one by one."""
        left = [right for right in RIGHTS if not self.api.denies(right.verb, right.resource)]
        if left == list(RIGHTS):
            self.pass_on()
            return
        rules = [{"verbs": [right.verb], "apiGroups": [right.group], "resources": [right.resource]} for right in left]
        status = {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}
        self.answer(201, {**json.loads(self.asked.body), "status": status})

    def _review(self) -> None:
        review = json.loads(self.asked.body)
        wanted = review["spec"]["resourceAttributes"]
        resource = "/".join(part for part in (wanted["resource"], wanted.get("subresource")) if part)
        if self.api.denies(wanted["verb"], resource):
            self.answer(201, {**review, "status": {"allowed": False}})
        else:
            self.pass_on()

    def answer(self, code: int, body: dict[str, Any], **headers: str) -> None:
        data = json.dumps(body).encode() + b"\n"
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def pass_on(self, at_most: int | None = None) -> None:
        """Ask the API behind and hand its answer on, as it comes; ``at_most`` bytes of its body, and then cut."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        headers["Authorization"] = f"Bearer {self.api.token}"
        self._behind = http.client.HTTPSConnection(self.api.upstream, context=self.api.tls, timeout=300)
        try:
            self._behind.request(self.asked.method, self.asked.path, self.asked.body or None, headers)
            answer = self._behind.getresponse()
            if at_most == 0:
                answer.read()
                self.cut()
                return
            self._relay(answer, at_most)
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            self.cut()
        finally:
            self._behind.close()

    def _relay(self, answer: http.client.HTTPResponse, at_most: int | None) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        sent = 0
        while data := answer.read1(65536):
            piece = data if at_most is None else data[: at_most - sent]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            sent += len(piece)
            if at_most is not None and sent >= at_most:
                self.cut()
                return
        self.wfile.write(b"0\r\n\r\n")

    def until_gone(self) -> None:
        """Say nothing for as long as somebody listens."""
        with contextlib.suppress(OSError):
            self.connection.recv(1)
        self.close_connection = True

    def cut(self) -> None:
        self.close_connection = True
        behind = self._behind.sock if self._behind else None
        for end in (self.connection, behind):
            if end is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(end, socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        pass
