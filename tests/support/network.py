"""Both ports of a daemon as bytes, and another user of this machine."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import subprocess
import sys
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.daemon import Daemon

NOBODY = 65534
CLIENT_SECONDS = 20
"""What an answer may take at most: whoever waits longer was shut out."""


def cluster_of(daemon: Daemon) -> dict[str, Any]:
    return daemon.kubeconfig["clusters"][0]["cluster"]


def token_of(daemon: Daemon) -> str:
    return daemon.kubeconfig["users"][0]["user"]["token"]


def gateway_of(daemon: Daemon) -> str:
    """The base url of the plain port."""
    return cluster_of(daemon)["extensions"][0]["extension"]["url"]


def ports_of(daemon: Daemon) -> dict[str, int]:
    return {"api": urlsplit(cluster_of(daemon)["server"]).port, "gateway": urlsplit(gateway_of(daemon)).port}


def trusted(daemon: Daemon) -> ssl.SSLContext:
    return ssl.create_default_context(
        cadata=base64.b64decode(cluster_of(daemon)["certificate-authority-data"]).decode()
    )


@contextmanager
def connected(daemon: Daemon, port: str, seconds: float = CLIENT_SECONDS) -> Iterator[socket.socket]:
    """A connection to the API's port, TLS included, or to the gateway's."""
    plain = socket.create_connection(("127.0.0.1", ports_of(daemon)[port]), seconds)
    wrapped = trusted(daemon).wrap_socket(plain, server_hostname="127.0.0.1") if port == "api" else plain
    with wrapped as connection:
        yield connection


def head(method: str, path: str, **headers: str) -> bytes:
    fields = {"Host": "127.0.0.1", **{key.replace("_", "-"): value for key, value in headers.items()}}
    return (
        f"{method} {path} HTTP/1.1\r\n" + "".join(f"{key}: {text}\r\n" for key, text in fields.items())
    ).encode() + (b"\r\n")


def answer(connection: socket.socket) -> bytes:
    """All bytes until the other side closes; of a silent one an error after the connection's own time."""
    found = b""
    while piece := connection.recv(1 << 16):
        found += piece
    return found


def exchanged(daemon: Daemon, port: str, request: bytes) -> bytes:
    """Send bytes; the answer's bytes. The request asks for ``Connection: close``."""
    with connected(daemon, port) as connection:
        connection.sendall(request)
        return answer(connection)


def another_user(*command: str) -> subprocess.Popen[str]:
    """A program of another user; the test is skipped, and says so, where none can be made."""
    if os.geteuid() != 0 or not Path("/proc/net/tcp").exists():
        pytest.skip("only root on Linux can run a program as another user")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    other = {} if command[0] == sys.executable else {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    return subprocess.Popen(command, cwd="/", **pipes, **other)


def python_of_another_user(code: str, *arguments: str) -> tuple[str, ...]:
    """The command of a Python program that becomes another user once it has begun: he may not read our Python."""
    imports = "import encodings.idna, os, resource, socket, sys, time"
    becoming = f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})"
    return (sys.executable, "-I", "-c", f"{imports}\n{becoming}\n{code}", *arguments)


def by_another_user(*command: str) -> str:
    """What a program of another user writes."""
    out, error = another_user(*command).communicate(timeout=60)
    assert not error, error
    return out


def crowd(port: int, sent: bytes, count: int) -> AbstractContextManager[None]:
    """Connections of another user, each of which has sent these bytes and keeps still."""
    return _there(_CROWD, str(port), sent.hex(), str(count))


def flood(port: int) -> AbstractContextManager[None]:
    """Another user who connects again and again, as fast as he can, and never waits for an answer."""
    return _there(_FLOOD, str(port))


@contextmanager
def _there(code: str, *arguments: str) -> Iterator[None]:
    """A Python program of another user, from when it says that it is there."""
    process = another_user(*python_of_another_user(code, *arguments))
    try:
        assert process.stdout.readline() == "there\n", process.stderr.read()
        yield
    finally:
        process.kill()
        process.communicate()


_FLOOD = """
print("there", flush=True)
until = time.monotonic() + 30
while time.monotonic() < until:
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(("127.0.0.1", int(sys.argv[1])))
    one.close()
"""
_CROWD = """
port, sent, count = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = []
for _ in range(count):
    try:
        held.append(socket.create_connection(("127.0.0.1", port), 1))
        held[-1].sendall(sent)
    except OSError:
        pass
print("there", flush=True)
sys.stdin.read()
"""


def network_options(folder: Path) -> list[str]:
    """Options of a daemon whose engine does what prompts say."""
    folder.mkdir(exist_ok=True)
    (folder / "empty.gguf").touch()
    engine = Path(__file__).with_name("network_engine.py")
    return ["--test-engine", str(engine), "--weights", f"ollama://scripted={folder / 'empty.gguf'}"]
