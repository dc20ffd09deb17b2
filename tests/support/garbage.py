"""A server that answers with garbage, by a number in the address: ``http://…/17`` is the seventeenth answer."""

from __future__ import annotations

import contextlib
import gzip
import random
import socket
import socketserver
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "golden" / "garbage.yaml").read_text())
_MADE = {
    "BIG_NUMBER": b'{"metadata": {"name": ' + b"9" * 6000 + b"}}",
    "DEEP": b'{"metadata":' * 9_000,
    "LONG": b'{"kind": "Status", "message": "' + b"words " * 12_000 + b'"}',
    "BINARY": bytes(range(256)) * 4,
    "UTF16": '{"items": []}'.encode("utf-16"),
    "GZIP": gzip.compress(b" " * 1_000_000),
    "ZEROS": b"\x00" * 1000,
}


@dataclass(frozen=True)
class Garbage:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    way: str

    @property
    def is_slow(self) -> bool:
        return self.way in KINDS["slow_ways"]


def garbage_of(seed: int) -> Garbage:
    """The answer of this number, always the same; each twentieth is slow."""
    dice = random.Random(seed)
    body = dice.choice(list(KINDS["bodies"].values()))
    slow, ways = KINDS["slow_ways"], KINDS["ways"]
    way = slow[seed // 20 % len(slow)] if seed % 20 == 19 else dice.choice(ways)
    # Half of the answers claim to be a success: those are what a client might believe.
    status = dice.choice([200, 201]) if seed % 2 else dice.choice(KINDS["statuses"])
    return Garbage(status, dice.choice(KINDS["headers"]), _MADE.get(body) or body.encode(), way)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads, block_on_close, allow_reuse_address, request_queue_size = True, False, True, 256

    def handle_error(self, *_: object) -> None:
        """A client that is gone is no news."""


class Handler(socketserver.StreamRequestHandler):
    """One connection, one request, one answer."""

    stopped: threading.Event
    disable_nagle_algorithm = True

    def handle(self) -> None:
        head = self.rfile.readline().decode("latin-1")
        length = 0
        while (line := self.rfile.readline().strip().lower()) and line:
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.rfile.read(length)
        self.play(garbage_of(int(head.split(" ")[1].split("/")[1])))

    def play(self, garbage: Garbage) -> None:
        headers = "".join(f"{name}: {value}\r\n" for name, value in garbage.headers.items())
        status, body = f"HTTP/1.1 {garbage.status} Some Words\r\nConnection: close\r\n{headers}", garbage.body
        framed = f"{status}Content-Length: {len(body)}\r\n\r\n".encode()
        whole = {
            "whole": framed + body,
            "close_early": framed + body[: len(body) // 2],
            "wrong_length": f"{status}Content-Length: -7, x\r\n\r\n".encode() + body,
            "short_length": f"{status}Content-Length: 1\r\n\r\n".encode() + body,
            "chunked": b"%s%x\r\n%s\r\n0\r\n\r\n"
            % (f"{status}Transfer-Encoding: chunked\r\n\r\n".encode(), len(body), body),
            "bad_chunk": f"{status}Transfer-Encoding: chunked\r\n\r\nzz\r\n".encode() + body,
            "no_headers": body,
            "huge_header": f"{status}X: {'x' * 100_000}\r\n\r\n".encode() + body,
            "bad_status": b"HTTP/9.9 many words\r\n\r\n" + body,
            "continue_first": b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + framed + body,
        }
        if garbage.is_slow:
            self.drip(garbage.way, status, framed + body[:20])
        else:
            self.say(whole[garbage.way])

    def drip(self, way: str, status: str, framed: bytes) -> None:
        """Send a byte now and then for as long as somebody listens."""
        begins = {
            "trickle_body": framed.replace(b"Content-Length: ", b"Content-Length: 9"),
            "trickle_headers": f"{status}X-Slow: ".encode(),
            "trickle_chunks": f"{status}Transfer-Encoding: chunked\r\n\r\n1;".encode(),
            "trickle_status": b"HTTP/1.1 2",
            "silent": b"",
        }
        self.say(begins[way])
        while not self.stopped.wait(0.05):
            if way != "silent":
                self.say(b" " if way == "trickle_body" else b"x")
            elif self.gone():
                return

    def gone(self) -> bool:
        self.connection.setblocking(False)
        try:
            return not self.connection.recv(1)
        except BlockingIOError:
            return False

    def say(self, data: bytes) -> None:
        self.connection.sendall(data)


@contextlib.contextmanager
def serving(handler: type[Handler] = Handler) -> Iterator[str]:
    """Serve beside the test; gives the address."""
    stopped = threading.Event()
    server = _Server(("127.0.0.1", 0), type("Bound", (handler,), {"stopped": stopped}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


def within(seconds: float, act: Any) -> Any:
    """What it returns or raises; the word "hangs" where that takes longer."""
    found: list[Any] = ["hangs"]

    def run() -> None:
        try:
            found[:] = [act()]
        except BaseException as error:  # noqa: BLE001 - the thread's outermost frame: the test judges it
            found[:] = [error]

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0]


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
