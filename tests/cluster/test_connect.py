import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kubeai_notebook import settings
from kubeai_notebook.cluster.connect import connect
from kubeai_notebook.errors import (
    KubeconfigError,
    NotInstalledError,
    UnauthorizedError,
    UnreachableError,
)
from tests.support.http_server import Answer, HttpServer, Received, json_answer

UNAUTHORIZED = {"kind": "Status", "message": "Unauthorized", "reason": "Unauthorized", "code": 401}


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
def api() -> Iterator[HttpServer]:
    """A server that is no Kubernetes API, until a test says otherwise."""
    with HttpServer(lambda _request: Answer(b"404 page not found\n", 404)) as server:
        yield server


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


def test_never_takes_this_machine_in_place_of_a_cluster_that_is_down(kubeconfig) -> None:
    address = f"http://127.0.0.1:{closed_port()}"
    path = kubeconfig(address)
    with pytest.raises(UnreachableError) as raised:
        connect().models()
    chosen = f'{address} (context "work" of the kubeconfig {path})'
    assert raised.value.message == f"The Kubernetes API at {chosen} does not answer: connection refused."
    assert raised.value.hint.endswith('To work on this machine instead: kubeai_notebook.Session(context="local").')


def test_never_takes_this_machine_in_place_of_a_cluster_without_kubeai(kubeconfig, api) -> None:
    version = json_answer({"gitVersion": "v1.32.0"})
    api.answer = lambda request: version if request.path == "/version" else Answer(b"404 page not found\n", 404)
    kubeconfig(api.address)
    with pytest.raises(NotInstalledError, match=f'The Kubernetes API at {api.address} .context "work".* has no KubeAI'):
        connect().models()


def test_sends_nothing_to_find_out_where_the_api_is(kubeconfig, api) -> None:
    kubeconfig(api.address)
    assert connect().where.cluster == "work"
    assert api.received == []


def test_prefers_a_stated_kubeconfig_to_the_pods_own_account(kubeconfig, monkeypatch) -> None:
    kubeconfig("http://127.0.0.1:9")
    monkeypatch.setattr(settings, "in_cluster", lambda: True)
    assert connect().where.context == "work"


def test_takes_the_contexts_cluster_and_namespace(kubeconfig, api) -> None:
    api.answer = lambda _request: json_answer({})
    kubeconfig(api.address)
    cluster = connect()
    assert (cluster.api.host, cluster.namespace, cluster.notes) == (api.address, "team", ())
    assert connect(namespace="other").namespace == "other"


def test_does_not_leave_a_cluster_that_refuses_the_login(kubeconfig, api) -> None:
    api.answer = lambda _request: json_answer(UNAUTHORIZED, 401)
    kubeconfig(api.address)
    with pytest.raises(UnauthorizedError, match='context "work".* refused your credentials. Log in to it again'):
        connect().models()


def test_does_not_leave_a_cluster_that_times_out(kubeconfig, silent) -> None:
    kubeconfig(silent)
    with pytest.raises(UnreachableError, match=f"The Kubernetes API at {silent} .*there was no answer in time"):
        connect().api.request("GET", "version", read_seconds=0.2)


def test_does_not_replace_a_context_that_was_named(kubeconfig) -> None:
    kubeconfig(f"http://127.0.0.1:{closed_port()}")
    assert "127.0.0.1" in connect("work").api.host


def test_names_a_context_that_does_not_exist(kubeconfig) -> None:
    kubeconfig("http://127.0.0.1:9")
    with pytest.raises(KubeconfigError, match="missing"):
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
def services(api: HttpServer) -> list[dict]:
    """The Services of the cluster behind ``api``, which has no other object."""
    items = [SERVICE]

    def answer(request: Received) -> Answer:
        path = request.path.partition("?")[0]
        if path == "/apis/kubeai.org/v1":
            return json_answer({})
        if path == "/api/v1/services":
            return json_answer({"items": items})
        return json_answer({"kind": "Status", "code": 404, "reason": "NotFound", "details": {"kind": "services"}}, 404)

    api.answer = answer
    return items


def test_takes_the_namespace_that_holds_kubeai_and_says_so(kubeconfig, api, services) -> None:
    kubeconfig(api.address, namespace="")
    cluster = connect()
    assert cluster.namespace == "ai"
    assert cluster.notes == ('KubeAI looks after namespace "ai", so that one is used.',)


def test_keeps_the_contexts_namespace_though_kubeai_is_elsewhere(kubeconfig, api, services) -> None:
    kubeconfig(api.address, namespace="team")
    assert (connect().namespace, connect().notes) == ("team", ())


def test_does_not_choose_among_several_namespaces(kubeconfig, api, services) -> None:
    services.append({"metadata": {"name": "kubeai", "namespace": "other"}})
    kubeconfig(api.address, namespace="")
    assert connect().namespace == "default"


def test_takes_the_gateways_service_where_kubeai_is(kubeconfig, api, services) -> None:
    kubeconfig(api.address, namespace="")
    access = connect().access()
    assert access.base_url == (f"{api.address}/api/v1/namespaces/ai/services/http:kubeai:80/proxy/openai/v1")
    assert access.token is not None
    assert access.token() == "Bearer t"


def test_calls_kubectl_in_the_context_in_use(kubeconfig, monkeypatch, tmp_path) -> None:
    path = kubeconfig("http://127.0.0.1:9")
    work = ("--context", "work")
    assert connect().kubectl == ("kubectl", *work)  # a terminal here inherits $KUBECONFIG
    stated = settings.Settings(kubeconfig=str(path))
    assert connect(now=stated).kubectl == ("kubectl", *work)
    monkeypatch.setenv("KUBECONFIG", "another")
    assert connect(now=stated).kubectl == ("kubectl", "--kubeconfig", str(path), *work)
    assert connect("work", now=stated).kubectl == ("kubectl", "--kubeconfig", str(path), *work)
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    home = settings.Settings(kubeconfig="~/config")
    assert connect(now=home).kubectl == ("kubectl", "--kubeconfig", str(path), *work)
    joined = settings.Settings(kubeconfig=f"missing{os.pathsep}{path}")
    assert connect(now=joined).kubectl == (
        "env", f"KUBECONFIG={Path('missing').absolute()}{os.pathsep}{path}", "kubectl", *work,
    )  # fmt: skip
    (tmp_path / ".kube").mkdir()
    path.rename(tmp_path / ".kube" / "config")
    assert connect().kubectl == ("kubectl", *work)


def test_calls_kubectl_by_the_daemons_own_kubeconfig(daemon, kubeconfig) -> None:
    kubeconfig("http://127.0.0.1:9")
    assert connect("local").kubectl[:3] == ("kubectl", "--kubeconfig", daemon)
