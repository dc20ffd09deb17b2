"""A gateway in this process that answers as a test says, and tells when its client has hung up."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIECE = b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n'
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """A piece of what follows `CHUNKED`, as engines send it; an empty one is the end."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def whole(body: bytes, status: int = 200, **headers: str) -> Callable[[Exchange], None]:
    """An answer in one piece."""
    fields = {"Content_Type": "application/json", "Content_Length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return lambda exchange: exchange.say(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body)


def streamed(*pieces: bytes) -> Callable[[Exchange], None]:
    """A stream of these pieces, whose connection then ends."""

    def answer(exchange: Exchange) -> None:
        exchange.say(STREAM + b"".join(pieces))
        exchange.end()

    return answer


class Exchange:
    """One request, as the answer's function sees it."""

    def __init__(self, handler: socketserver.StreamRequestHandler, body: bytes) -> None:
        self._handler, self.body = handler, body

    def say(self, data: bytes) -> None:
        self._handler.wfile.write(data)

    def end(self) -> None:
        self._handler.connection.shutdown(socket.SHUT_RDWR)

    def read_until_hung_up(self) -> None:
        """Return when the client has closed the connection."""
        with suppress(OSError):
            while self._handler.connection.recv(1000):
                pass


class Gateway:
    """Its address, how many requests came, and events for what happened to them."""

    def __init__(self) -> None:
        self.url = ""
        self.requests = 0
        self.connections = 0
        self.asked, self.hung_up = threading.Event(), threading.Event()


@contextmanager
def scripted_gateway(answer: Callable[[Exchange], None]) -> Iterator[Gateway]:
    """Serve beside the test; ``answer`` writes the whole answer to each request."""
    gateway = Gateway()

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            gateway.connections += 1

        def handle(self) -> None:
            while self.rfile.readline():
                length = 0
                while line := self.rfile.readline().strip().lower():
                    length = int(line.split(b":")[1]) if line.startswith(b"content-length:") else length
                body = self.rfile.read(length)
                gateway.requests += 1
                gateway.asked.set()
                with suppress(OSError):
                    answer(Exchange(self, body))
            gateway.hung_up.set()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            gateway.hung_up.set()

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        gateway.url = f"http://127.0.0.1:{server.server_address[1]}/openai/v1"
        try:
            yield gateway
        finally:
            server.shutdown()
            thread.join()
