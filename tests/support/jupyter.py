"""A real Jupyter server with the server half, on loopback, and a small client for it."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
OTHERS = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook", "notebook_shim")
"""Extensions that take seconds to start and have no part in a test."""
BASE = "/user/alice"
"""A base url as JupyterHub gives each user one."""


class Jupyter:
    """One Jupyter server; ``variables`` are its environment's, ``config`` is laid over its own, by section."""

    def __init__(self, folder: Path, config: dict[str, Any] | None = None, **variables: str) -> None:
        folder.mkdir()
        self.token = secrets.token_hex(16)
        self.log = folder / "log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        enabled = json.loads((REPOSITORY / "jupyter-config" / "kubeai_notebook.json").read_text())
        server: dict[str, Any] = {
            "jpserver_extensions": {**dict.fromkeys(OTHERS, False), **enabled["ServerApp"]["jpserver_extensions"]},
            "ip": "127.0.0.1",
            "port": self.port,
            "port_retries": 0,
            "open_browser": False,
            "allow_root": True,
            "base_url": BASE,
            "root_dir": str(folder),
        }
        own = {"ServerApp": server, "IdentityProvider": {"token": self.token}, "KubeAI": {}}
        laid = {name: section | (config or {}).get(name, {}) for name, section in own.items()}
        (folder / "jupyter_server_config.json").write_text(json.dumps(laid))
        folders = {f"JUPYTER_{kind}_DIR": str(folder) for kind in ("CONFIG", "DATA", "RUNTIME")}
        path = os.pathsep.join(filter(None, [variables.pop("PYTHONPATH", ""), str(REPOSITORY)]))
        environment = {**os.environ, **folders, "PYTHONPATH": path, **variables}
        with self.log.open("w") as log:
            command = [sys.executable, "-m", "jupyter_server"]
            self.process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)

    def __enter__(self) -> Jupyter:
        until(self._is_up, 60)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.ask("GET", "openapi.json")[0] == 200
        except OSError:
            return False

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        login: bool = True,
        query: dict[str, Any] | None = None,
        **headers: str,
    ) -> tuple[int, Any]:
        """Status and JSON; ``login``: with the token, as a script sends it."""
        with self.opened(method, path, body, login=login, query=query, **headers) as answer:
            return answer.status, json.loads(answer.read() or b"null")

    def do(self, method: str, path: str, values: dict[str, Any] | None = None, **more: Any) -> tuple[int, Any]:
        """Ask for a verb with the mark of the place, as somebody who was shown it a moment ago."""
        given = {"where": self.ask("GET", "where")[1]["mark"], **(values or {})}
        return self.ask(
            method, path, given if method == "POST" else None, query=None if method == "POST" else given, **more
        )

    @contextmanager
    def opened(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        login: bool = True,
        query: dict[str, Any] | None = None,
        **headers: str,
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if login:
            sent["Authorization"] = f"token {self.token}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        target = f"{BASE}/kubeai/{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            connection.request(method, target, data, sent)
            yield connection.getresponse()
        finally:
            connection.close()

    @contextmanager
    def stream(self, last: str = "") -> Iterator[Iterator[tuple[str, str, Any]]]:
        """The events of a stream: kind, id and data."""
        with self.opened("GET", "stream", **({"Last_Event_ID": last} if last else {})) as answer:
            assert answer.status == 200, answer.read()
            yield _events(answer)


def _events(lines: http.client.HTTPResponse) -> Iterator[tuple[str, str, Any]]:
    fields: dict[str, str] = {}
    for raw in lines:
        name, _, value = raw.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield fields["event"], fields.get("id", ""), json.loads(fields["data"])
            fields = {}
        else:
            fields = {}
