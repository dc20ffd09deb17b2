"""Start, find and stop the daemon's process; ask it as any client would."""

from __future__ import annotations

import json
import os
import select
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import LocalError

from .environment import import_path
from .log_file import whole

if TYPE_CHECKING:
    from .home import Home

START_SECONDS = 30.0
READY = b"\x06"
"""What a daemon that answers writes into the pipe of whoever started it; no text begins with it."""
STOP_SECONDS = 15.0
ENDING_SECONDS = 1.0
"""One that is killed hangs up before its lock is free."""
_PACKAGES = ("aiohttp", "psutil", "trustme", "xllamacpp")
_START = "Start it with: kubeai-local start"
_STOPPED: dict[str, Any] = {
    "running": False,
    "pid": None,
    "kubeconfig": None,
    "api": None,
    "gateway": None,
    "models": [],
}
_INSTALL = 'Install it with: pip install "kubeai-notebook[local]"'


def check_installed() -> None:
    """LocalError when the ``[local]`` extra is missing."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        which = "which is" if len(missing) == 1 else "which are"
        raise LocalError(f"Serving on this machine needs {' and '.join(missing)}, {which} not installed.", _INSTALL)


def start(home: Home, arguments: list[str], environment: dict[str, str]) -> bool:
    """Make sure that one daemon runs and answers; False when it ran already. LocalError when it cannot start.

    ``arguments`` are those of ``run``. The daemon says at the other end of a pipe that it is ready, or why it is not:
    on a full disk its log says nothing.
    """
    check_installed()
    with home.starting():
        if (pid := home.pid()) is not None:
            if home.access() is None:
                raise _unknown(home, pid)
            if not _is_ending(home):
                return False
        readable, writable = os.pipe()
        with home.log.open("ab") as log:
            command = [sys.executable, "-P", "-m", __package__, *arguments, "--ready-fd", str(writable)]
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=import_path(environment, environment.get("PYTHONPATH", "")),
                pass_fds=(writable,),
                start_new_session=True,
            )
        os.close(writable)
        try:
            answer = os.read(readable, 1 << 16) if select.select([readable], [], [], START_SECONDS)[0] else b""
        finally:
            os.close(readable)
        if answer.startswith(READY):
            # It belongs to nobody from here on; without this the interpreter would warn of a child left behind.
            process.returncode = 0
            return True
        process.kill()
        process.wait()
        why = answer.decode(errors="replace").strip() or _last_words(home)
        raise LocalError(f"kubeai-local did not start: {why}", f"See {home.log}.")


def _last_words(home: Home) -> str:
    """The last line of the log, unless it is a part of a stack that a full disk has cut."""
    with suppress(OSError):
        lines = home.log.read_text(errors="replace").strip().splitlines()
        if lines and not lines[-1].startswith((" ", "File ")):
            return lines[-1]
    return "it said nothing"


def stop(home: Home) -> bool:
    """End the daemon and its engines and wait for that; False when none ran."""
    with home.starting():
        pid = home.pid()
        if pid is None:
            return False
        for sent in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.kill(pid, sent)
            if _gone(home, STOP_SECONDS):
                break
        return True


def status(home: Home) -> dict[str, Any]:
    """What runs, and where it is reached."""
    pid, access = home.pid(), home.access()
    if pid is None:
        return dict(_STOPPED)
    if access is None:
        raise _unknown(home, pid)
    try:
        models = json.loads(ask(home, "/apis/kubeai.org/v1/models"))["items"]
    except LocalError:
        if _gone(home, ENDING_SECONDS):
            return dict(_STOPPED)
        raise
    where = {"kubeconfig": str(home.kubeconfig), "api": access.api, "gateway": access.gateway}
    where |= {"moved_from": access.moved_from} if access.moved_from else {}
    models = [_summary(model) for model in models]
    return {"running": True, "pid": pid, **where, "models": models, "notes": home.notes()}


def token(home: Home) -> str:
    """The token that other programs need, as an OpenAI client's ``api_key``. LocalError before the first start."""
    access = home.access()
    if access is None:
        raise LocalError("kubeai-local has no token yet.", _START)
    return access.token


def _unknown(home: Home, pid: int) -> LocalError:
    message = f"kubeai-local runs (process {pid}), but its {home.kubeconfig} is damaged."
    return LocalError(message, "Make it anew: kubeai-local stop, then kubeai-local start.")


def logs(home: Home, model: str | None) -> str:
    """The daemon's own log, or that of a Model's Pods."""
    if model is None:
        return whole(home.log)
    pods = json.loads(ask(home, f"/api/v1/pods?labelSelector=model%3D{model}"))["items"]
    if not pods:
        raise LocalError(f'No Pod of a Model "{model}" runs here.', "See: kubeai-local status")
    texts = []
    for pod in pods:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/log"
        texts.append(f"==> {metadata['name']}\n{ask(home, path).decode(errors='replace')}")
    return "\n".join(texts)


def ask(home: Home, path: str) -> bytes:
    """GET from the running daemon's API. LocalError when it does not answer."""
    pid, access = home.pid(), home.access()
    if pid is None:
        raise LocalError("kubeai-local does not run.", _START)
    if access is None:
        raise _unknown(home, pid)
    trusted = ssl.create_default_context(cadata=access.authority)
    request = urllib.request.Request(  # noqa: S310  (the scheme is ours: https)
        access.api + path, headers={"Authorization": f"Bearer {access.token}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted))
    try:
        with opener.open(request, timeout=10) as response:
            return bytes(response.read())
    except (OSError, HTTPException) as error:
        raise LocalError(f"kubeai-local does not answer: {error}.", f"See {home.log}.") from error


def _is_ending(home: Home) -> bool:
    """Whether the daemon that has the lock answers no more, and is gone in a moment."""
    try:
        ask(home, "/version")
    except LocalError:
        return _gone(home, ENDING_SECONDS)
    return False


def _gone(home: Home, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if home.pid() is None:
            return True
        time.sleep(0.02)
    return False


def _summary(model: dict[str, Any]) -> dict[str, Any]:
    replicas = model.get("status", {}).get("replicas", {})
    name, desired = model["metadata"]["name"], model.get("spec", {}).get("replicas", 0)
    return {"name": name, "replicas": desired, "ready": replicas.get("ready", 0)}
