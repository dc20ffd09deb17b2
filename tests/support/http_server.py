"""The one HTTP server of the tests: a function says what each request is answered with.

As with httpx's MockTransport, what a test is about stands in that function: ``HttpServer(lambda request: Answer())``.
Two others have a shape of their own: `faulty_api` passes requests on to a genuine API, `garbage` answers below HTTP.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came; ``certificate`` is the client's, where the server asks for one."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    certificate: Mapping[str, Any] | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.method} {self.path}\n{self.headers}\n{self.body.decode(errors='replace')}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back: a body, or pieces of one that go out as they come and end with the connection."""

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after_bytes: int | None = None
    """After so many bytes of the body that was promised the connection ends."""


Answering = Callable[[Received], Answer | None]
"""``None``: hang up without a word."""


def json_answer(document: object, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(json.dumps(document).encode(), status, {"Content-Type": "application/json", **named})


class HttpServer:
    """Serves on loopback while it is entered, or from `start` to `stop`.

    ``received`` is every request so far; ``answer`` may be changed.
    """

    def __init__(self, answer: Answering = lambda _request: Answer(), *, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self.broken_handshakes = 0
        """How many of the next TLS connections are hung up on before they are made."""
        self.unread_handshakes = False
        """Whether they are so before anything is read of them, for which the system resets the connection."""
        self._server = _Server(("127.0.0.1", 0), type("Bound", (_Handler,), {"outer": self}))
        self._server.outer, self._server.tls = self, tls
        self.port = self._server.server_port
        self.address = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> HttpServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def serve_forever(self) -> None:
        """Serve in this thread, as a program of its own."""
        self._server.serve_forever()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    outer: HttpServer
    tls: ssl.SSLContext | None

    def get_request(self) -> Any:
        connection, address = super().get_request()
        if not self.tls:
            return connection, address
        if self.outer.broken_handshakes:
            self.outer.broken_handshakes -= 1
            with connection:
                connection.recv(1 << 16, socket.MSG_PEEK if self.outer.unread_handshakes else 0)
            raise ConnectionAbortedError
        return self.tls.wrap_socket(connection, server_side=True), address

    def handle_error(self, *_: object) -> None:
        """A client that is gone is no news."""


class _Handler(BaseHTTPRequestHandler):
    outer: ClassVar[HttpServer]
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # An answer is one segment, or Nagle's algorithm would wait 40 ms for the second.

    def parse_request(self) -> bool:
        # Here, and not in do_GET and its like: every method counts.
        if super().parse_request():
            self._answer()
        return False

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        certificate = getattr(self.connection, "getpeercert", lambda: None)()
        request = Received(self.command, self.path, self.headers, body, certificate)
        self.outer.received.append(request)
        answer = self.outer.answer(request)
        if answer is None:
            self.close_connection = True
            return
        whole = answer.body if isinstance(answer.body, bytes) else None
        ends = {"Connection": "close"} if whole is None else {"Content-Length": str(len(whole))}
        self.send_response(answer.status)
        for name, value in {**ends, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if whole is None:
            self._stream(answer.body)
        elif self.command != "HEAD":
            self.wfile.write(whole[: answer.cut_after_bytes])
        self.wfile.flush()
        self.close_connection = self.close_connection or whole is None or answer.cut_after_bytes is not None

    def _stream(self, pieces: Iterable[bytes]) -> None:
        with contextlib.ExitStack() as ending:
            if close := getattr(pieces, "close", None):
                ending.callback(close)
            for piece in pieces:
                self.wfile.write(piece)
                self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass
