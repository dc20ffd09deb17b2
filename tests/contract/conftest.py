"""One small client for two API servers: ``kubeai-local`` and, with ``-m cluster``, a genuine one."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"


class Server:
    """An API server by its kubeconfig; ``models`` is a collection that no operator looks after."""

    def __init__(self, kubeconfig: Path, *, local: bool) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        data = cluster.get("certificate-authority-data")
        self._tls = ssl.create_default_context(
            cafile=cluster.get("certificate-authority"), cadata=base64.b64decode(data).decode() if data else None
        )
        self._tls.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        self._netloc = urlsplit(cluster["server"]).netloc
        self._token = config["users"][0]["user"]["token"]
        self.local = local
        self.namespace = f"contract-{uuid.uuid4().hex[:8]}"
        assert self.post("/api/v1/namespaces", {"metadata": {"name": self.namespace}})[0] == 201
        self.core = f"/api/v1/namespaces/{self.namespace}"
        self.models = f"/apis/kubeai.org/v1/namespaces/{self.namespace}/models"

    def open(self, method: str, path: str, body: Any = None, *, kind: str = "application/json", **query: object) -> Any:
        connection = http.client.HTTPSConnection(self._netloc, context=self._tls, timeout=30)
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        where = f"{path}?{urlencode(query, quote_via=quote)}" if query else path
        connection.request(method, where, text, {"Authorization": f"Bearer {self._token}", "Content-Type": kind})
        return connection.getresponse()

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        with self.open(method, path, body, **options) as response:
            text = response.read().decode()
            is_json = response.headers.get_content_type() == "application/json"
            return response.status, json.loads(text) if is_json else text

    def get(self, path: str, **query: object) -> tuple[int, Any]:
        return self.ask("GET", path, **query)

    def post(self, path: str, body: Any, **query: object) -> tuple[int, Any]:
        return self.ask("POST", path, body, **query)

    def put(self, path: str, body: Any, **query: object) -> tuple[int, Any]:
        return self.ask("PUT", path, body, **query)

    def patch(self, path: str, body: Any, *, kind: str = MERGE, **query: object) -> tuple[int, Any]:
        return self.ask("PATCH", path, body, kind=kind, **query)

    def delete(self, path: str, body: Any = None, **query: object) -> tuple[int, Any]:
        return self.ask("DELETE", path, body, **query)

    def watch(self, path: str, count: int, **query: object) -> list[dict[str, Any]]:
        """The first events of a watch."""
        with self.open("GET", path, watch="true", timeoutSeconds=10, **query) as response:
            return [json.loads(response.readline()) for _ in range(count)]

    def model(self, **spec: object) -> dict[str, Any]:
        """Store a Model of a new name."""
        status, stored = self.post(self.models, model(f"m-{uuid.uuid4().hex[:8]}", **spec))
        assert status == 201, stored
        return stored

    def path(self, stored: dict[str, Any]) -> str:
        return f"{self.models}/{stored['metadata']['name']}"


def model(name: str, **spec: object) -> dict[str, Any]:
    full = {"url": "ollama://a", "engine": "OLlama", "features": ["TextGeneration"], "minReplicas": 0}
    return {"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": name}, "spec": full | spec}


@pytest.fixture(scope="session")
def local_kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("contract")
    command = [sys.executable, "-m", "kubeai_notebook.local"]
    options = ["--home", str(home)]
    subprocess.run([*command, "start", *options], check=True, capture_output=True, timeout=60)
    yield home / "kubeconfig"
    subprocess.run([*command, "stop", *options], check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="session", params=["local", pytest.param("cluster", marks=pytest.mark.cluster)])
def server(request: pytest.FixtureRequest) -> Server:
    """Every test runs against both; what only one of them can keep asks for ``local``."""
    if request.param == "local":
        return Server(request.getfixturevalue("local_kubeconfig"), local=True)
    named = os.environ.get("KUBEAI_TEST_KUBECONFIG")
    if not named:
        pytest.skip(
            "KUBEAI_TEST_KUBECONFIG names no kubeconfig of a genuine API server; .ci/run starts one where it can"
        )
    return Server(Path(named), local=False)


@pytest.fixture
def modern(server: Server) -> Server:
    """A server that knows CEL and ``fieldValidation`` (Kubernetes 1.25)."""
    minor = int(server.get("/version")[1]["minor"].rstrip("+"))
    if minor < 25:
        pytest.skip(f"Kubernetes 1.{minor} has neither CEL rules nor fieldValidation")
    return server


@pytest.fixture
def whole(server: Server) -> Server:
    """A server with its controllers and KubeAI's gateway beside it."""
    if not server.local:
        pytest.skip("this API server stands alone: no garbage collector, no Service kubeai")
    return server
