"""Where the gateway is, and how requests get there: by its address, or through the Kubernetes API."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
import yaml

from kubeai_notebook import settings
from kubeai_notebook.calls.chat import complete
from kubeai_notebook.calls.embed import embed
from kubeai_notebook.calls.endpoint import Endpoint, access_of, base_url_of
from kubeai_notebook.calls.probe import Probe
from kubeai_notebook.cluster.connect import connect
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import CallError
from kubeai_notebook.session.session import Session
from tests.support.daemon import SMOL
from tests.support.faults import denied, silent
from tests.support.faulty_api import FaultyApi
from tests.support.http_server import HttpServer, json_answer
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

NEAR = Access(base_url="http://127.0.0.1:1/openai/v1")
PROXY = Access(base_url="https://api/proxy/openai/v1", own_url="https://api/proxy/openai/v1", proxied_by_api=True)


@pytest.fixture(scope="module")
def smol(daemon: str) -> Iterator[str]:
    session = Session(context="local")
    yield session.serve(name="called", **SMOL).wait(120).name
    session.attach("called").delete()
    session.close()


@pytest.fixture
def far(daemon: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig of the daemon that says nothing of its gateway, as that of any other cluster."""
    config = yaml.safe_load(Path(daemon).read_text())
    del config["clusters"][0]["cluster"]["extensions"]
    path = tmp_path / "far"
    path.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


@pytest.mark.parametrize(
    ("stated", "variable", "near", "found"),
    [
        ("mine:8000", "theirs:80", NEAR, "http://mine:8000/openai/v1"),
        ("", "theirs:80", NEAR, NEAR.base_url),
        ("", "theirs:80", None, "http://theirs:80/openai/v1"),
        ("", "", None, PROXY.base_url),
        ("https://host/kubeai/openai/", "", None, "https://host/kubeai/openai/v1"),
    ],
)
def test_prefers_what_is_nearer(stated, variable, near, found, monkeypatch) -> None:
    monkeypatch.setenv("KUBEAI_ENDPOINT", variable)
    settings.install(settings.KubeAI(endpoint=stated))
    try:
        assert access_of(near, lambda: PROXY, "ns").base_url == found
    finally:
        settings.install(settings.KubeAI())


def test_takes_the_service_within_the_cluster(monkeypatch) -> None:
    monkeypatch.setattr(settings, "in_cluster", lambda: True)
    assert access_of(None, lambda: PROXY, "ai").base_url == "http://kubeai.ai/openai/v1"


@pytest.mark.parametrize("text", ["kubeai", "kubeai:80", "http://kubeai", "https://k/openai/v1", "http://k/v1/"])
def test_completes_an_address(text: str) -> None:
    assert base_url_of(text).endswith("/openai/v1")


def test_calls_through_the_api_with_the_kubeconfigs_token(far, smol) -> None:
    cluster = connect()
    access = cluster.access()
    assert access.proxied_by_api
    assert "/api/v1/namespaces/default/services/http:kubeai:80/proxy/openai/v1" in access.base_url
    endpoint = Endpoint(access, smol)
    assert complete(endpoint, "The capital of France is", {"max_tokens": 3, "temperature": 0})
    pieces = endpoint.client.chat.completions.create(
        model=smol, messages=[{"role": "user", "content": "Hi"}], stream=True, max_tokens=4
    )
    assert len(list(pieces)) > 1
    cluster.close()


def test_calls_through_the_api_in_a_coroutine(far, smol) -> None:
    cluster = connect()

    async def ask() -> str:
        async with Endpoint(cluster.access(), smol).async_client as client:
            answer = await client.completions.create(model=smol, prompt="Hi", max_tokens=1)
            return answer.choices[0].text

    assert isinstance(asyncio.run(ask()), str)
    cluster.close()


def test_calls_with_the_token_of_an_exec_plugin_and_renews_it(daemon, smol, tmp_path, monkeypatch) -> None:
    with FaultyApi(Path(daemon)) as api:
        said = tmp_path / "credential.json"
        kind = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
        api.accepted_token = "first"
        expired = {"token": "first", "expirationTimestamp": "2020-01-01T00:00:00Z"}
        said.write_text(json.dumps({**kind, "status": expired}))
        plugin = {"apiVersion": kind["apiVersion"], "command": "cat", "args": [str(said)], "interactiveMode": "Never"}
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "exec", gateway=False, exec=plugin)))
        cluster = connect()
        endpoint = Endpoint(cluster.access(), smol)
        assert endpoint.client.models.list().data
        said.write_text(json.dumps({**kind, "status": {**expired, "token": "second"}}))
        api.accepted_token = "second"
        assert endpoint.client.models.list().data
        cluster.close()


def test_names_the_right_that_the_way_through_the_api_needs(daemon, smol, tmp_path, monkeypatch) -> None:
    with FaultyApi(Path(daemon)) as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "far", gateway=False)))
        api.faults.append(denied("create", "services/proxy"))
        cluster = connect()
        endpoint = Endpoint(cluster.access(), smol)
        with pytest.raises(CallError) as raised:
            complete(endpoint, "Hi", {"max_tokens": 1})
        assert raised.value.status == 403
        assert 'resources: ["services/proxy"]' in raised.value.hint
        cluster.close()


@pytest.fixture
def demanding(tmp_path: Path) -> Iterator[tuple[HttpServer, list[str]]]:
    """A server that asks for a client certificate, and the files of certificate, key and CA."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.issue_cert("api.internal").configure_cert(context)
    own = authority.issue_cert("me@example.org", common_name="me")
    files = {"cert": own.cert_chain_pems[0], "key": own.private_key_pem, "ca": authority.cert_pem}
    for name, blob in files.items():
        blob.write_to_path(tmp_path / name)
    with HttpServer(lambda _request: json_answer({"object": "list", "data": []}), tls=context) as server:
        yield server, [str(tmp_path / name) for name in files]


def test_shows_a_client_certificate(demanding) -> None:
    server, (certificate, key, authority) = demanding
    address = f"{server.address}/openai/v1"
    access = Access(
        base_url=address,
        own_url=address,
        proxied_by_api=True,
        ca_file=authority,
        client_certificate=(certificate, key),
        server_name="api.internal",
    )
    assert Endpoint(access, "m").client.models.list().data == []
    assert ((("commonName", "me"),)) in server.received[0].certificate["subject"]


def test_keeps_the_order_of_texts() -> None:
    class Client:
        @property
        def embeddings(self) -> Client:
            return self

        with_raw_response = embeddings

        def create(self, **asked: object) -> Client:
            self.asked = asked
            self.content = json.dumps({"data": [{"index": index, "embedding": [index]} for index in (2, 0, 1)]})
            return self

    endpoint = Endpoint(NEAR, "m")
    endpoint.__dict__["client"] = client = Client()
    assert embed(endpoint, ["a", "b", "c"], {"dimensions": 1}) == [[0.0], [1.0], [2.0]]
    assert client.asked == {"model": "m", "input": ["a", "b", "c"], "encoding_format": "float", "dimensions": 1}
    assert embed(endpoint, [], {}) == []


def test_probes_with_one_token(far, smol) -> None:
    cluster = connect()
    answer = Probe(Endpoint(cluster.access(), smol), ["TextGeneration"]).run()
    assert answer is not None
    assert answer.status == 200
    assert answer.seconds > 0
    cluster.close()


def test_tells_how_a_probe_was_refused(far, smol) -> None:
    cluster = connect()
    answer = Probe(Endpoint(cluster.access(), "not-there"), ["TextEmbedding"]).run()
    assert answer is not None
    assert answer.status == 404
    assert "not-there" in answer.body
    assert Probe(Endpoint(cluster.access(), smol), ["SpeechToText"]).run() is None
    cluster.close()


def test_ends_a_probe_that_is_cancelled(daemon, tmp_path, monkeypatch) -> None:
    with FaultyApi(Path(daemon)) as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "far", gateway=False)))
        api.faults.append(silent(verb="create", resource="services/proxy"))
        cluster = connect()
        probe = Probe(Endpoint(cluster.access(), "m"), ["TextGeneration"])
        thread = threading.Thread(target=probe.run)
        thread.start()
        until(lambda: api.count("create", "services/proxy"), 10)
        probe.cancel()
        thread.join(2)
        assert not thread.is_alive()
        cluster.close()
