"""A redirect takes neither a login nor a prompt anywhere, whoever answers with it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

import openai
import pytest
import trustme
import yaml

from kubeai_notebook.calls.chat import complete
from kubeai_notebook.calls.embed_many import embed_many
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.forward import Forward
from kubeai_notebook.calls.probe import Probe
from kubeai_notebook.calls.question import Target
from kubeai_notebook.calls.request import Request, send
from kubeai_notebook.calls.rerank import rerank
from kubeai_notebook.calls.stream import ChatStream
from kubeai_notebook.calls.transcribe import transcribe
from kubeai_notebook.cluster.connect import connect
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import CallError
from tests.support.attack import rounds
from tests.support.http_server import Answer, HttpServer, Received, json_answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROMPT, TOKEN = "the-secret-prompt", "KUBERNETES-ADMIN-TOKEN"
TURNS = [{"role": "user", "content": PROMPT}]
CODES = [301, 302, 303, 307, 308][:: rounds(1, 3)]


class Server(HttpServer):
    """Answers every request below ``/proxy/`` and ``/openai/`` with a redirect, and writes down what came."""

    def __init__(self, code: int = 0, where: str = "", *, tls: ssl.SSLContext | None = None) -> None:
        def answer(request: Received) -> Answer:
            redirects = code and "/openai/" in request.path
            return json_answer(
                {"metadata": {}}, code if redirects else 200, **({"Location": where} if redirects else {})
            )

        super().__init__(answer, tls=tls)


def invoked(endpoint: Endpoint) -> Any:
    return send(endpoint, "m", Request(method="POST", path="/completions", body={"model": "m", "prompt": PROMPT}))


def awaited(endpoint: Endpoint) -> Any:
    async def ask() -> Any:
        async with endpoint.async_client as client:
            return await client.completions.create(model="m", prompt=PROMPT)

    return asyncio.run(ask())


def forwarded(endpoint: Endpoint) -> Any:
    with Forward(endpoint, "m") as port, openai.OpenAI(base_url=port.base_url, api_key=port.api_key) as client:
        return client.completions.create(model="m", prompt=PROMPT)


WAYS = {
    "complete": lambda endpoint: complete(endpoint, "m", PROMPT),
    "stream": lambda endpoint: list(ChatStream(endpoint, "m", TURNS)),
    "chat": lambda endpoint: ChatStream(endpoint, "m", TURNS, temperature=0).whole(),
    "embed": lambda endpoint: embed_many(endpoint, Target(name="m"), [PROMPT]).whole(),
    "invoke": invoked,
    "models": lambda endpoint: send(endpoint, "m", Request(method="GET", path="/models")),
    "probe": lambda endpoint: Probe(endpoint, "m", ["TextGeneration"]).run(),
    "client": lambda endpoint: endpoint.client.chat.completions.create(model="m", messages=TURNS),
    "async": awaited,
    "forward": forwarded,
    "rerank": lambda endpoint: rerank(endpoint, "m", [PROMPT], query=PROMPT, top_n=None),
    "transcribe": lambda endpoint: transcribe(lambda: endpoint, "m", PROMPT.encode()),
}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def far(server: Server, folder: Path, authority: trustme.CA) -> Endpoint:
    """The way through a Kubernetes API, with its login."""
    authority.cert_pem.write_to_path(folder / "ca")
    content = {
        "clusters": [{"name": "c", "cluster": {"server": server.address, "certificate-authority": "ca"}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
        "current-context": "x",
    }
    (folder / "config").write_text(yaml.safe_dump(content))
    return Endpoint(connect().access())


@pytest.mark.finding("C2")
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("target", ["other port", "other host", "no tls"])
@pytest.mark.parametrize("way", ["through the API", "by its address"])
def test_follows_no_redirect(
    code: int, target: str, way: str, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with Server() as sink:
        host = "localhost" if target == "other host" else "127.0.0.1"
        where = f"http://{host}:{sink.address.rpartition(':')[2]}/openai/v1/stolen?token=QUERY"
        with Server(code, where, tls=tls if target == "no tls" and way == "through the API" else None) as server:
            near = Endpoint(Access(base_url=f"{server.address}/openai/v1"))
            reached = near if way == "by its address" else far(server, tmp_path, authority)
            for name, ask in WAYS.items():
                said = ""
                try:
                    ask(reached)
                except Exception as error:  # noqa: BLE001 - the raw clients raise openai's own
                    said = str(error) if isinstance(error, CallError) else ""
                assert sink.received == [], name
                assert len(server.received) > 0
                assert "QUERY" not in said
                if name in ("complete", "stream", "chat", "embed", "invoke", "models", "rerank", "transcribe"):
                    assert f"redirects the request to http://{host}:" in said
            assert any(PROMPT in str(one) for one in server.received)


@pytest.mark.finding("C2")
def test_takes_no_redirect_for_an_answer_of_the_test_request(tmp_path: Path) -> None:
    with Server() as sink, Server(307, f"{sink.address}/openai/v1/completions") as server:
        answer = Probe(Endpoint(Access(base_url=f"{server.address}/openai/v1")), "m", ["TextGeneration"]).run()
    assert answer is not None
    assert answer.status == 307


@pytest.mark.finding("C2")
def test_signs_nothing_that_goes_elsewhere(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody hands the client that carries the login another base url, or a whole address."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with Server() as sink, Server() as server:
        client = far(server, tmp_path, authority).client
        with contextlib.suppress(Exception):
            client.with_options(base_url=f"{sink.address}/openai/v1").models.list()
        with contextlib.suppress(Exception):
            client.get(f"{sink.address}/openai/v1/models", cast_to=object)
    assert not [one for one in sink.received if TOKEN in str(one)]


@pytest.fixture(params=["setting", "variable"])
def settings_of_the_endpoint(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from kubeai_notebook import settings

    if request.param == "variable":
        monkeypatch.setenv("KUBEAI_ENDPOINT", "127.0.0.1:9")
    settings.install(settings.KubeAI(endpoint="127.0.0.1:9" if request.param == "setting" else ""))
    yield
    settings.install(settings.KubeAI())


@pytest.mark.finding("A24")
def test_asks_for_no_service_where_the_address_is_known(
    settings_of_the_endpoint: None, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.session import Session

    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with Server() as server:
        far(server, tmp_path, authority)
        session = Session()
        server.received.clear()
        assert Model(session, "m").endpoint.base_url == "http://127.0.0.1:9/openai/v1"
        assert [one for one in server.received if "services" in one.path] == []
        session.close()
