import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

from kubeai_notebook import settings
from kubeai_notebook.cluster.connect import connect
from kubeai_notebook.errors import (
    NotInstalledError,
    UnauthorizedError,
    UnreachableError,
)

UNAUTHORIZED = b'{"kind": "Status", "message": "Unauthorized", "reason": "Unauthorized", "code": 401}'


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Call it with a server's address: from then on that is the user's current context."""

    def write(server: str, namespace: str = "team") -> Path:
        path = tmp_path / "config"
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": {"server": server}}],
                    "users": [{"name": "u", "user": {"token": "t"}}],
                    "contexts": [{"name": "work", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
                    "current-context": "work",
                }
            )
        )
        monkeypatch.setenv("KUBECONFIG", str(path))
        return path

    return write


@pytest.fixture
def api() -> Iterator[type[http.server.BaseHTTPRequestHandler]]:
    """An HTTP server that answers every GET with ``status`` and ``body`` of its handler class."""

    class Handler(http.server.BaseHTTPRequestHandler):
        status, body, address = 404, b"404 page not found\n", ""

        def do_GET(self) -> None:
            self.send_response(self.status)
            self.send_header("Content-Length", str(len(self.body)))
            self.end_headers()
            self.wfile.write(self.body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Handler
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_takes_this_machine_silently_where_nothing_is_configured(daemon, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    cluster = connect()
    assert cluster.notes == ()
    assert cluster.namespace == "default"
    access = cluster.access()
    assert access is not None
    assert access.base_url.endswith("/openai/v1")


def test_takes_this_machine_by_name_whatever_is_configured(daemon, kubeconfig) -> None:
    kubeconfig("http://127.0.0.1:9")
    assert connect("local").access() is not None


def test_says_that_it_passed_over_a_cluster_that_is_not_there(daemon, kubeconfig) -> None:
    address = f"http://127.0.0.1:{closed_port()}"
    kubeconfig(address)
    assert connect().notes == (f"The cluster at {address} is not there. Serving on this machine instead.",)


def test_says_that_it_passed_over_a_cluster_without_kubeai(daemon, kubeconfig, api) -> None:
    kubeconfig(api.address)
    assert connect().notes == (f"The cluster at {api.address} has no KubeAI. Serving on this machine instead.",)


def test_takes_the_contexts_cluster_and_namespace(kubeconfig, api) -> None:
    api.status, api.body = 200, b"{}"
    kubeconfig(api.address)
    cluster = connect()
    assert (cluster.api.host, cluster.namespace, cluster.notes) == (api.address, "team", ())
    assert connect(namespace="other").namespace == "other"


def test_does_not_leave_a_cluster_that_refuses_the_login(kubeconfig, api) -> None:
    api.status, api.body = 401, UNAUTHORIZED
    kubeconfig(api.address)
    with pytest.raises(UnauthorizedError, match="Log in to the cluster again"):
        connect()


def test_does_not_leave_a_cluster_that_times_out(kubeconfig, silent, monkeypatch) -> None:
    monkeypatch.setattr("kubeai_notebook.cluster.connect.PROBE_SECONDS", 0.2)
    kubeconfig(silent)
    with pytest.raises(UnreachableError, match=f"The Kubernetes API at {silent} does not answer"):
        connect()


def test_does_not_replace_a_context_that_was_named(kubeconfig) -> None:
    kubeconfig(f"http://127.0.0.1:{closed_port()}")
    assert "127.0.0.1" in connect("work").api.host


def test_names_a_context_that_does_not_exist(kubeconfig) -> None:
    kubeconfig("http://127.0.0.1:9")
    with pytest.raises(NotInstalledError, match="missing"):
        connect("missing")


def test_prefers_an_argument_to_the_settings(daemon, kubeconfig) -> None:
    path = kubeconfig("http://127.0.0.1:9")
    settings.install(settings.KubeAI(kubeconfig=str(path), namespace="set"))
    try:
        assert connect("work").namespace == "set"
        assert connect("work", "argued").namespace == "argued"
    finally:
        settings.install(settings.KubeAI())


SERVICE = {"metadata": {"name": "kubeai", "namespace": "ai"}}


@pytest.fixture
def services(api) -> Iterator[type[http.server.BaseHTTPRequestHandler]]:
    """An API whose list of Services is ``items``, and that has no other object."""

    class Answers:
        items: ClassVar[list[dict]] = [SERVICE]

    def do_get(handler) -> None:
        path = handler.path.partition("?")[0]
        if path == "/apis/kubeai.org/v1":
            answer(handler, 200, {})
        elif path == "/api/v1/services":
            answer(handler, 200, {"items": Answers.items})
        else:
            answer(handler, 404, {"kind": "Status", "code": 404, "reason": "NotFound", "details": {"kind": "services"}})

    api.do_GET = do_get
    api.answers = Answers
    return api


def answer(handler, status: int, body: dict) -> None:
    data = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def test_takes_the_namespace_that_holds_kubeai_and_says_so(kubeconfig, services) -> None:
    kubeconfig(services.address, namespace="")
    cluster = connect()
    assert cluster.namespace == "ai"
    assert cluster.notes == ('KubeAI looks after namespace "ai", so that one is used.',)


def test_keeps_the_contexts_namespace_though_kubeai_is_elsewhere(kubeconfig, services) -> None:
    kubeconfig(services.address, namespace="team")
    assert (connect().namespace, connect().notes) == ("team", ())


def test_does_not_choose_among_several_namespaces(kubeconfig, services) -> None:
    services.answers.items = [SERVICE, {"metadata": {"name": "kubeai", "namespace": "other"}}]
    kubeconfig(services.address, namespace="")
    assert connect().namespace == "default"


def test_takes_the_gateways_service_where_kubeai_is(kubeconfig, services) -> None:
    kubeconfig(services.address, namespace="")
    access = connect().access()
    assert access.base_url == (f"{services.address}/api/v1/namespaces/ai/services/http:kubeai:80/proxy/openai/v1")
    assert access.token is not None
    assert access.token() == "Bearer t"
