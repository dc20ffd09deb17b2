"""A real daemon by its home, and a small client for it that shares no code with ours."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import yaml

from kubeai_notebook.core.served import LAST_SERVED, SERVED_BY
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.session.session import Session

SMOL = {"engine": "OLlama", "url": "ollama://smollm2:135m"}
"""The fields of the smallest real Model."""
MODELS = "/apis/kubeai.org/v1/namespaces/default/models"
PODS = "/api/v1/namespaces/default/pods"
EVENTS = "/api/v1/namespaces/default/events"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SCRIPTED = "ollama://scripted"
"""The url that the scripted engine answers for."""
READY_SECONDS = 120
"""The first Model of a machine also fetches its weights."""


def give(session: Session, name: str, user: str | None) -> None:
    """Have it be somebody else's Model; ``None``: one that nobody served with this package."""
    annotations = {SERVED_BY: user, **({} if user else {LAST_SERVED: None})}
    session.cluster.patch_model(name, {"metadata": {"annotations": annotations}})


class Daemon:
    """One ``kubeai-local`` by its home; every method is a request or a command."""

    def __init__(self, home: Path, *options: str, **environment: str) -> None:
        self.home = home
        self._options = options
        self._environment = {**os.environ, "KUBEAI_LOCAL_HOME": str(home), **environment}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kubeai_notebook.local", *arguments]
        return subprocess.run(
            command,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def start(self) -> Path:
        done = self.command("start", *self._options)
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.splitlines()[-1])

    def stop(self) -> None:
        done = self.command("stop")
        assert done.returncode == 0, done.stderr

    def status(self) -> dict[str, Any]:
        return json.loads(self.command("status", "--json").stdout)

    @property
    def kubeconfig(self) -> dict[str, Any]:
        return yaml.safe_load((self.home / "kubeconfig").read_text())

    @contextmanager
    def request(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> Iterator[http.client.HTTPResponse]:
        config = self.kubeconfig
        cluster = config["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        trusted = ssl.create_default_context(cadata=authority)
        connection = http.client.HTTPSConnection(urlsplit(cluster["server"]).netloc, context=trusted, timeout=30)
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        sent = {"Authorization": f"Bearer {config['users'][0]['user']['token']}", "Content-Type": kind}
        sent |= {key.replace("_", "-"): value for key, value in headers.items()}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            yield connection.getresponse()
        finally:
            connection.close()

    def api(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        with self.request(method, path, body, **headers) as response:
            text = response.read().decode()
            is_json = response.headers.get_content_type() == "application/json"
            return response.status, json.loads(text) if is_json else text

    def ask(self, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        """A request to the gateway."""
        with self.gateway_request(path, body, **headers) as response:
            return response.status, response.read().decode()

    @contextmanager
    def gateway_request(self, path: str, body: object = None, **headers: str) -> Iterator[http.client.HTTPResponse]:
        url = urlsplit(self.kubeconfig["clusters"][0]["cluster"]["extensions"][0]["extension"]["url"])
        connection = http.client.HTTPConnection(url.netloc, timeout=60)
        try:
            text = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", url.path + path, text, headers)
            yield connection.getresponse()
        finally:
            connection.close()

    def create(self, name: str, **spec: object) -> dict[str, Any]:
        status, model = self.api("POST", MODELS, model_of(name, **spec))
        assert status == 201, model
        return model

    def pods(self, name: str) -> list[dict[str, Any]]:
        return self.api("GET", f"{PODS}?labelSelector=model={name}")[1]["items"]

    def events(self, pod: dict[str, Any]) -> dict[str, str]:
        """Message by reason of one Pod's Events."""
        path = f"{EVENTS}?fieldSelector=involvedObject.uid={pod['metadata']['uid']}"
        return {event["reason"]: event["message"] for event in self.api("GET", path)[1]["items"]}

    def ready_pod(self, name: str) -> dict[str, Any]:
        def ready() -> dict[str, Any] | None:
            return next((pod for pod in self.pods(name) if is_ready(pod)), None)

        return until(ready, READY_SECONDS)

    def crashed_pod(self, name: str) -> dict[str, Any]:
        def crashed() -> dict[str, Any] | None:
            return next((pod for pod in self.pods(name) if waiting_reason(pod) == "CrashLoopBackOff"), None)

        return until(crashed, READY_SECONDS)

    def log(self, pod: dict[str, Any], query: str = "") -> str:
        status, text = self.api("GET", f"{PODS}/{pod['metadata']['name']}/log{query}")
        assert status == 200, text
        return text

    def delete(self, name: str) -> None:
        self.api("DELETE", f"{MODELS}/{name}")
        until(lambda: not self.pods(name), 20)


def model_of(name: str, **spec: object) -> dict[str, Any]:
    full = {
        "url": "ollama://smollm2:135m",
        "engine": "OLlama",
        "features": ["TextGeneration"],
        "resourceProfile": "cpu:1",
        "minReplicas": 1,
    }
    metadata = {"name": name}
    return {"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": metadata, "spec": full | spec}


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def waiting_reason(pod: dict[str, Any]) -> str | None:
    statuses = pod["status"].get("containerStatuses") or [{}]
    return statuses[0].get("state", {}).get("waiting", {}).get("reason")


def scripted_options(folder: Path, **autoscaling: str) -> list[str]:
    """Options of a daemon with the scripted engine, a profile of its own and, if asked for, a quick autoscaler."""
    (folder / "empty.gguf").touch()
    system = {
        "resourceProfiles": {"1xa100": {"imageName": "cpu", "requests": {"cpu": "500m"}}},
        "cacheProfiles": {"disk": {"sharedFilesystem": {"storageClassName": "local"}}},
        "modelAutoscaling": autoscaling,
    }
    (folder / "system.yaml").write_text(yaml.safe_dump(system))
    engine = Path(__file__).with_name("scripted_engine.py")
    options = ["--test-engine", str(engine), "--weights", f"{SCRIPTED}={folder / 'empty.gguf'}"]
    return [*options, "--config", str(folder / "system.yaml")]


def processes_of(home: Path) -> list[int]:
    """The daemon of this home and everything it started, by their command lines and parents."""
    listed = psutil.process_iter(["pid", "ppid", "status", "cmdline"])
    alive = [process.info for process in listed if process.info["status"] != psutil.STATUS_ZOMBIE]
    lines = {info["pid"]: " ".join(info["cmdline"] or ()) for info in alive}
    daemons = {pid for pid, line in lines.items() if "kubeai_notebook.local run" in line and str(home) in line}
    return sorted(daemons | {info["pid"] for info in alive if info["ppid"] in daemons})


def is_alive(pid: int) -> bool:
    """Whether this process runs; one that nobody has waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kubeai_local(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the daemon's command line."""
    return subprocess.run(
        [sys.executable, "-m", "kubeai_notebook.local", *words], capture_output=True, text=True, check=False
    )
