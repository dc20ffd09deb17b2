"""A proxy that tunnels (CONNECT), and knows hosts that no DNS knows."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import ClassVar


class Tunnel:
    """Serves on loopback while it is entered; ``hosts`` are names and the addresses they lead to."""

    def __init__(self, hosts: dict[str, str]) -> None:
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"hosts": hosts}))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Tunnel:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(socketserver.StreamRequestHandler):
    hosts: ClassVar[dict[str, str]]

    def handle(self) -> None:
        host, _, port = self.rfile.readline().split()[1].decode().rpartition(":")
        while self.rfile.readline().strip():
            pass
        if host not in self.hosts:
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection((self.hosts[host], int(port))) as far:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_pass, args=(far, self.connection))
            back.start()
            _pass(self.connection, far)
            back.join()


def _pass(source: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            to.sendall(data)
    with contextlib.suppress(OSError):
        to.shutdown(socket.SHUT_WR)
