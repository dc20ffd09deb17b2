"""A server that moves, and a login that is renewed, while several threads send requests."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import urllib3
import yaml
from kubernetes.client import Configuration

from kubeai_notebook.cluster.api import Api
from kubeai_notebook.cluster.credentials import Login
from kubeai_notebook.cluster.kubeconfig import GATEWAY_EXTENSION, Kubeconfig
from kubeai_notebook.errors import KubeAIError
from tests.support.http_server import Answer, HttpServer, Received, json_answer
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def configuration(host: str, certificate: str | None = None) -> Configuration:
    found = Configuration(host=host)
    found.cert_file = found.key_file = certificate
    return found


def innermost(thread: threading.Thread) -> str:
    """The function that a thread is in."""
    frame = sys._current_frames().get(thread.ident or 0)
    return frame.f_code.co_name if frame else ""


def together(count: int, work: Any) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)


@pytest.fixture
def refusing_three() -> Iterator[str]:
    """A server that refuses the first three requests, once all three are there, and no other."""
    meet, left = threading.Barrier(3), iter(range(3))

    def answer(_request: Received) -> Answer:
        if next(left, None) is None:
            return json_answer({})
        meet.wait(10)
        return json_answer({}, 401)

    with HttpServer(answer) as server:
        yield server.address


def test_lets_all_threads_in_with_a_renewed_certificate(refusing_three: str) -> None:
    loaded: list[str] = []

    def load() -> Configuration:
        loaded.append("new")
        return configuration(refusing_three, "new")

    api = Api(login=Login(configuration(refusing_three, "old"), load))
    answers: list[Any] = []
    together(3, lambda: answers.append(api.request("GET", "x")))
    api.close()
    assert answers == [{}, {}, {}]
    assert loaded == ["new"]


def test_asks_no_address_by_the_connections_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str]] = []
    making, go = threading.Event(), threading.Event()
    moved = [False]

    class Pool:
        pool_classes_by_scheme = urllib3.PoolManager().pool_classes_by_scheme
        connection_pool_kw: ClassVar[dict[str, Any]] = {}

        def __init__(self, host: str) -> None:
            self.host = host

        def request(self, _method: str, url: str, **_: Any) -> Any:
            sent.append((self.host, url))
            raise urllib3.exceptions.HTTPError

        def clear(self) -> None:
            pass

    def connections(of: Configuration) -> SimpleNamespace:
        if moved[0]:
            making.set()
            go.wait(10)
        return SimpleNamespace(pool_manager=Pool(of.host))

    def ask() -> None:
        with pytest.raises(KubeAIError):
            api.request("GET", "x", patient=False)

    monkeypatch.setattr("kubeai_notebook.cluster.api.RESTClientObject", connections)
    login = Login(configuration("http://old"), lambda: configuration("http://new"), moved=lambda: moved[0])
    api = Api(login=login)
    moved[0] = True
    threads = [threading.Thread(target=ask) for _ in range(2)]
    threads[0].start()
    assert making.wait(10)
    threads[1].start()
    # It has to wait for the first; where it does not, it ends at once.
    until(lambda: not threads[1].is_alive() or innermost(threads[1]) == "_pool_to")
    go.set()
    for thread in threads:
        thread.join(10)
    assert sent == [("http://new", "http://new/x")] * 2


def document(port: int) -> dict[str, Any]:
    extension = {"name": GATEWAY_EXTENSION, "extension": {"url": f"http://127.0.0.1:{port}/openai/v1"}}
    cluster = {"server": f"http://127.0.0.1:{port}", "extensions": [extension]}
    return {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c", "namespace": f"ns-{port}"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "c", "user": {"token": "t"}}],
    }


@pytest.mark.parametrize(
    "half",
    [
        yaml.safe_dump(document(2))[:-40],
        yaml.safe_dump(document(2) | {"users": []}),
        yaml.safe_dump(document(2) | {"clusters": [{"name": "c", "cluster": {"insecure-skip-tls-verify": True}}]}),
    ],
)
def test_keeps_what_it_knew_and_looks_again_after_a_half_written_kubeconfig(tmp_path: Path, half: str) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(document(1)))
    kubeconfig = Kubeconfig(str(path))
    kubeconfig.load()
    before = (kubeconfig.namespace, kubeconfig.gateway)
    path.write_text(half)
    assert kubeconfig.moved()
    with pytest.raises(KubeAIError):
        kubeconfig.load()
    assert (kubeconfig.namespace, kubeconfig.gateway) == before
    assert kubeconfig.moved()
    path.write_text(yaml.safe_dump(document(3)))
    assert kubeconfig.load().host == "http://127.0.0.1:3"
    assert kubeconfig.namespace == "ns-3"
    assert not kubeconfig.moved()
