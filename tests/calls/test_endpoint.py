"""Where the gateway is, and how requests get there: by its address, or through the Kubernetes API."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
import yaml

from kubeai_notebook import settings
from kubeai_notebook.calls.chat import complete
from kubeai_notebook.calls.embed_many import embed_many
from kubeai_notebook.calls.endpoint import Endpoint, access_of, base_url_of
from kubeai_notebook.calls.probe import Probe
from kubeai_notebook.calls.question import Target
from kubeai_notebook.cluster.connect import connect
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import CallError, SessionClosedError
from kubeai_notebook.session.session import Session
from tests.support.daemon import SMOL
from tests.support.faults import denied, silent
from tests.support.faulty_api import FaultyApi
from tests.support.http_server import HttpServer, json_answer
from tests.support.scripted_gateway import Exchange, scripted_gateway, whole
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


@pytest.mark.parametrize("scheme", ["", "http://", "http://http://", "https://http://"])
@pytest.mark.parametrize("path", ["", "/a", "/api/v1/proxy", "/v1/x"])
@pytest.mark.parametrize(
    "end", ["", "/", "/openai", "/openai/v1", "/v1/", "/openai/v1/openai/v1", "/openai/openai/v1/", "/openai/v1/v1"]
)
def test_completes_an_address(scheme: str, path: str, end: str) -> None:
    assert base_url_of(f"{scheme}k:80{path}{end}") == f"http://k:80{path}/openai/v1"


def test_calls_through_the_api_with_the_kubeconfigs_token(far, smol) -> None:
    cluster = connect()
    access = cluster.access()
    assert access.proxied_by_api
    assert "/api/v1/namespaces/default/services/http:kubeai:80/proxy/openai/v1" in access.base_url
    endpoint = Endpoint(access)
    assert complete(endpoint, smol, "The capital of France is", max_tokens=3, temperature=0)
    pieces = endpoint.client.chat.completions.create(
        model=smol, messages=[{"role": "user", "content": "Hi"}], stream=True, max_tokens=4
    )
    assert len(list(pieces)) > 1
    cluster.close()


def test_calls_through_the_api_in_a_coroutine(far, smol) -> None:
    cluster = connect()

    async def ask() -> str:
        async with Endpoint(cluster.access()).async_client as client:
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
        endpoint = Endpoint(cluster.access())
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
        endpoint = Endpoint(cluster.access())
        with pytest.raises(CallError) as raised:
            complete(endpoint, "m", "Hi", max_tokens=1)
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
    assert Endpoint(access).client.models.list().data == []
    assert ((("commonName", "me"),)) in server.received[0].certificate["subject"]


def test_keeps_the_order_of_texts() -> None:
    bodies = []

    def answer(exchange: Exchange) -> None:
        bodies.append(json.loads(exchange.body))
        data = [{"index": index, "embedding": [index]} for index in (2, 0, 1)]
        whole(json.dumps({"data": data}).encode())(exchange)

    with scripted_gateway(answer) as gateway, Endpoint(Access(base_url=gateway.url)) as endpoint:
        made = embed_many(endpoint, Target(name="m"), ["a", "b", "c"], options={"dimensions": 1})
        assert made.whole().tolist() == [[0.0], [1.0], [2.0]]
    assert bodies == [{"model": "m", "input": ["a", "b", "c"], "encoding_format": "base64", "dimensions": 1}]


def test_asks_with_one_client_for_all_models_and_closes_it() -> None:
    answer = whole(b'{"choices": [{"text": "x"}]}')
    with scripted_gateway(answer) as gateway:
        with Endpoint(Access(base_url=gateway.url)) as endpoint:
            assert [complete(endpoint, name, "Hi") for name in ("a", "b", "c")] == ["x"] * 3
            assert (gateway.requests, gateway.connections) == (3, 1)
            client = endpoint.client
        assert gateway.hung_up.wait(10)
        assert client.is_closed()
        with pytest.raises(SessionClosedError, match="This Session is closed"):
            complete(endpoint, "a", "Hi")


def test_goes_on_with_the_same_connections_where_the_gateway_has_moved() -> None:
    with scripted_gateway(whole(b'{"data": []}')) as gateway:
        moved = Access(base_url="http://127.0.0.1:9/openai/v1", own_url=gateway.url)
        places = [moved]
        access = Access(base_url="http://LOCALHOST:8/openai/v1", own_url=gateway.url, renewed=lambda: places[-1])
        places.append(access)
        with Endpoint(access) as endpoint:
            before = endpoint.client
            assert endpoint.client is before
            assert before.models.list().data == []
            places.append(moved)
            assert endpoint.base_url == "http://127.0.0.1:9/openai/v1"
            assert str(endpoint.client.base_url) == "http://127.0.0.1:9/openai/v1/"
            assert endpoint.client.models.list().data == before.models.list().data == []
            assert gateway.connections == 1


def test_gives_a_client_for_await_that_users_may_close_in_any_loop() -> None:
    with scripted_gateway(whole(b'{"data": []}')) as gateway, Endpoint(Access(base_url=gateway.url)) as endpoint:

        async def close() -> list[object]:
            async with endpoint.async_client as client:
                return (await client.models.list()).data

        async def leave_open() -> list[object]:
            return (await endpoint.async_client.models.list()).data

        assert [asyncio.run(close()), asyncio.run(close())] == [[], []]
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(leave_open()) == []
        endpoint.close()
        assert gateway.hung_up.wait(10)
        loop.close()


@pytest.mark.parametrize(
    ("answer", "kind", "retryable", "seconds"),
    [
        (whole(b'{"error": "model not found"}', 404), "gateway", False, None),
        (whole(b'{"error": {"message": "busy"}}', 429, Retry_After="7"), "engine", True, 7.0),
        (whole(b'{"detail": "no"}', 422), "engine", False, None),
        (whole(b'{"kind": "Status", "apiVersion": "v1", "message": "no"}', 503), "api-server", True, None),
        (whole(b"upstream connect error", 503, Content_Type="text/plain"), "proxy", True, None),
        (whole(b"<html><title>Bad Gateway</title>", 502, Content_Type="text/html"), "proxy", True, None),
        (whole(b"{}", 307, Location="http://else.where/"), "proxy", False, None),
        (whole(b"{}", 429, Retry_After="soon"), "engine", True, None),
        (whole(b"{}", 429, Retry_After="nan"), "engine", True, None),
        (
            whole(b"{}", 429, Date="Sat, 28 Nov 2026 01:00:00 GMT", Retry_After="Sat, 28 Nov 2026 01:01:00 GMT"),
            "engine",
            True,
            60.0,
        ),
    ],
)
def test_says_who_refused_and_whether_to_ask_again(answer, kind, retryable, seconds) -> None:
    with scripted_gateway(answer) as gateway, Endpoint(Access(base_url=gateway.url)) as endpoint:
        with pytest.raises(CallError) as raised:
            complete(endpoint, "m", "Hi")
        error = raised.value
        assert (error.kind, error.retryable, error.retry_after_seconds) == (kind, retryable, seconds)
        assert error.__cause__ is None  # it would quote the whole body


def test_keeps_the_cause_of_a_broken_network() -> None:
    with Endpoint(NEAR) as endpoint, pytest.raises(CallError, match=r"did not answer \(ConnectError\)") as raised:
        complete(endpoint, "m", "Hi")
    assert (raised.value.kind, raised.value.retryable) == ("network", True)
    assert "refused" in str(raised.value.__cause__)


def test_hides_a_cause_that_quotes_the_login() -> None:
    with scripted_gateway(whole(b"{}")) as gateway:
        access = Access(base_url=gateway.url, own_url=gateway.url, token=lambda: "Bearer hidden\n")
        with Endpoint(access) as endpoint, pytest.raises(CallError, match="LocalProtocolError") as raised:
            complete(endpoint, "m", "Hi")
    assert raised.value.__cause__ is None
    assert "hidden" not in "".join(traceback.format_exception(raised.value))


def test_probes_with_one_token(far, smol) -> None:
    cluster = connect()
    answer = Probe(Endpoint(cluster.access()), smol, ["TextGeneration"]).run()
    assert answer is not None
    assert answer.status == 200
    assert answer.seconds > 0
    cluster.close()


def test_tells_how_a_probe_was_refused(far, smol) -> None:
    cluster = connect()
    answer = Probe(Endpoint(cluster.access()), "not-there", ["TextEmbedding"]).run()
    assert answer is not None
    assert answer.status == 404
    assert "not-there" in answer.body
    assert Probe(Endpoint(cluster.access()), smol, ["SpeechToText"]).run() is None
    cluster.close()


def test_ends_a_probe_that_is_cancelled(daemon, tmp_path, monkeypatch) -> None:
    with FaultyApi(Path(daemon)) as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "far", gateway=False)))
        api.faults.append(silent(verb="create", resource="services/proxy"))
        cluster = connect()
        probe = Probe(Endpoint(cluster.access()), "m", ["TextGeneration"])
        thread = threading.Thread(target=probe.run)
        thread.start()
        until(lambda: api.count("create", "services/proxy"))
        probe.cancel()
        thread.join(30)
        assert not thread.is_alive()
        cluster.close()
