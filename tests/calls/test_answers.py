"""What comes in place of an answer (``tests/golden/answers.yaml``), as a call and as the test request tell it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubeai_notebook.calls.chat import complete
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.probe import Probe
from kubeai_notebook.core.access import Access
from kubeai_notebook.core.diagnosis import diagnose
from kubeai_notebook.core.observation import Observation
from kubeai_notebook.errors import CallError
from kubeai_notebook.session.model import Model
from tests.support.fake_api import CLAIMS, EVENTS, JOBS, MODELS, PODS, FakeApi, model, pod
from tests.support.http_server import Answer, HttpServer
from tests.support.talking import session_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[1] / "golden" / "answers.yaml").read_text(encoding="utf-8")
)
URLS = {"VLLM": "hf://a/b", "OLlama": "ollama://smollm2:135m", "Infinity": "hf://a/b", "FasterWhisper": "hf://a/b"}
ONE_FEATURE = {
    "emb": ("Infinity", "TextEmbedding"),
    "text": ("VLLM", "TextGeneration"),
    "speech": ("FasterWhisper", "SpeechToText"),
    "asks-ollama": ("OLlama", "TextGeneration"),
}
FEATURES = ["TextGeneration", "TextEmbedding"]
BETWEEN = ("proxy", "mesh", "login", "api-server")


def rows(*wanted: str) -> Any:
    """The rows that have these keys, each with its id."""
    return pytest.mark.parametrize(
        "row", [pytest.param(row, id=row["id"]) for row in ROWS if all(key in row for key in wanted)]
    )


def name_of(row: dict[str, Any]) -> str:
    return row.get("engine", "VLLM").lower()


def sent(row: dict[str, Any]) -> Answer:
    body = row["body"].encode()
    return Answer(body, row["status"], row.get("headers", {}), cut_after_bytes=row.get("cut"))


@pytest.fixture(scope="module")
def gateway() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


@pytest.fixture(scope="module")
def models(gateway: HttpServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Model]]:
    """A Model of each engine on a cluster whose gateway is the test's."""
    folder = tmp_path_factory.mktemp("kubeconfig")
    with FakeApi().in_thread() as api, pytest.MonkeyPatch.context() as patch:
        for path in (MODELS, PODS, EVENTS, JOBS, CLAIMS, "apis/kubeai.org/v1/models"):
            api.objects[path] = {}
        for engine, url in URLS.items():
            api.put(MODELS, model(engine.lower(), engine=engine, url=url, features=FEATURES))
            api.put(PODS, pod(f"model-{engine.lower()}-1", engine.lower()))
        for name, (engine, feature) in ONE_FEATURE.items():
            api.put(MODELS, model(name, engine=engine, features=[feature]))
            api.put(PODS, pod(f"model-{name}-1", name))
        api.put(MODELS, model("keyed", env={"MY_TOKEN": "abc-17-xyz"}))
        api.put(PODS, pod("model-keyed-1", "keyed"))
        names = [*map(str.lower, URLS), *ONE_FEATURE, "keyed"]
        with session_of(folder, patch, api=api.url, gateway=gateway.address) as session:
            yield {name: Model(session, name) for name in names}


def asked(one: Model, how: str) -> CallError:
    ask = {"chat": one.chat, "embed": one.embed, "complete": one.complete}[how]
    with pytest.raises(CallError) as raised:
        ask("Hi")
    return raised.value


@rows()
def test_tells_who_refused_a_call_and_what_helps(
    row: dict[str, Any], models: dict[str, Model], gateway: HttpServer
) -> None:
    gateway.answer = lambda _request: sent(row)
    error = asked(models[name_of(row)], row.get("ask", "chat"))
    assert (error.kind, error.status) == (row["who"], row.get("error_status", row["status"])), str(error)
    assert [words for words in row["says"] if words not in str(error)] == [], str(error)
    assert error.retry_after_seconds == row.get("retry_after")
    assert error.hint
    assert [words for words in row.get("advises_not", ()) if words in str(error)] == []


@rows()
def test_tells_it_in_plain_words(row: dict[str, Any], models: dict[str, Model], gateway: HttpServer) -> None:
    gateway.answer = lambda _request: sent(row)
    error = asked(models[name_of(row)], row.get("ask", "chat"))
    foreign = ["</", "<html", "<title", '{"', "[{", "{'", "Traceback", "\n", *row.get("hides", ())]
    assert [words for words in foreign if words in error.message] == [], str(error)
    assert error.message.endswith(".")
    assert ".." not in error.message
    assert len(str(error)) < 900
    assert "Pod; KubeAI makes a new" not in str(error)


@rows("code")
def test_explains_the_same_answer_to_the_test_request(row: dict[str, Any], gateway: HttpServer) -> None:
    gateway.answer = lambda _request: sent(row)
    feature = "TextEmbedding" if row.get("ask") == "embed" else "TextGeneration"
    name = name_of(row)
    with Endpoint(Access(base_url=f"{gateway.address}/openai/v1")) as endpoint:
        answer = Probe(endpoint, name, [feature]).run()
    engine = row.get("engine", "VLLM")
    made = model(name, engine=engine, url=URLS[engine], features=[feature])
    ready = pod(f"model-{name}-1", name)
    findings = diagnose(Observation(model=made, pods=(ready,), answer=answer), now=datetime.now(UTC))
    assert [finding.code for finding in findings[:1]] == [row["code"]]
    if row["who"] in (*BETWEEN, "gateway"):
        commands = [remedy.command.line for remedy in findings[0].remedies if remedy.command]
        assert not any("delete pod" in command for command in commands)
    if row["who"] in BETWEEN:
        assert findings[0].who == "admin"
        assert not any("<" in evidence.text for evidence in findings[0].evidence if "<?xml" not in row["body"])


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in ROWS if row["status"] in (401, 403)])
def test_learns_nothing_of_a_model_that_it_may_not_ask(row: dict[str, Any], gateway: HttpServer) -> None:
    gateway.answer = lambda _request: sent(row)
    with Endpoint(Access(base_url=f"{gateway.address}/openai/v1")) as endpoint:
        answer = Probe(endpoint, "vllm", ["TextGeneration"]).run()
    assert (answer is None) == ("code" not in row)


@pytest.mark.parametrize(
    ("row", "said"),
    [(row, row["says"]) for row in ROWS if row["id"] in ("C06", "C16", "C17", "gateway-unknown", "C15")],
)
def test_tells_a_stream_alike(
    row: dict[str, Any], said: list[str], models: dict[str, Model], gateway: HttpServer
) -> None:
    gateway.answer = lambda _request: sent(row)
    with models[name_of(row)].stream("Hi") as deltas, pytest.raises(CallError) as raised:
        list(deltas)
    assert raised.value.kind == row["who"]
    assert all(words in str(raised.value) for words in said)


def test_names_this_machines_gateway(gateway: HttpServer) -> None:
    row = next(row for row in ROWS if row["id"] == "gateway-unknown")
    gateway.answer = lambda _request: sent(row)
    access = Access(base_url=f"{gateway.address}/openai/v1", this_machine=True)
    with Endpoint(access) as endpoint, pytest.raises(CallError, match="KubeAI's gateway on this machine knows no"):
        complete(endpoint, "vllm", "Hi")


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        ("emb", "chat", '"emb" makes embeddings; it does not generate text. Ask it by embed(). Here "asks-'),
        ("emb", "complete", '"emb" makes embeddings; it does not generate text.'),
        (
            "speech",
            "chat",
            '"speech" writes down speech; it does not generate text. Ask it by transcribe(). Here "asks-',
        ),
        ("text", "embed", '"text" generates text; it makes no embeddings. Ask it by chat() or complete().'),
    ],
)
def test_asks_nothing_of_a_model_that_was_served_for_something_else(
    name: str, how: str, said: str, models: dict[str, Model], gateway: HttpServer
) -> None:
    before = len(gateway.received)
    error = asked(models[name], how)
    assert str(error).startswith(said)
    assert (error.kind, len(gateway.received)) == ("", before)


def test_leaves_it_to_ollama_whether_a_text_model_makes_embeddings(
    models: dict[str, Model], gateway: HttpServer
) -> None:
    gateway.answer = lambda _request: Answer(b'{"data": [{"index": 0, "embedding": [1]}]}')
    assert models["asks-ollama"].embed("Hi") == [[1.0]]


@pytest.mark.parametrize("how", ["embed", "batch"])
def test_never_advises_a_model_that_only_embeds_of_its_answers(
    how: str, models: dict[str, Model], gateway: HttpServer
) -> None:
    row = next(row for row in ROWS if row["id"] == "llamacpp-too-long")
    gateway.answer = lambda _request: sent(row)
    with pytest.raises(CallError) as raised:
        models["emb"].embed("Hi" if how == "embed" else ["Hi"] * 200)
    assert 'longer than the 4096 tokens that "emb" reads at most' in str(raised.value)
    assert "max_tokens" not in str(raised.value)
    assert "ctx-size" not in str(raised.value)


def test_takes_a_long_vector_for_the_answer_of_a_model(gateway: HttpServer) -> None:
    vector = json.dumps({"data": [{"index": 0, "embedding": [0.123456789] * 9_000}]}).encode()
    gateway.answer = lambda _request: Answer(vector)
    with Endpoint(Access(base_url=f"{gateway.address}/openai/v1")) as endpoint:
        answer = Probe(endpoint, "emb", ["TextEmbedding"]).run()
    assert answer is not None
    assert (answer.status, answer.body) == (200, "")


def test_shows_no_secret_of_the_model_that_its_engine_repeats(models: dict[str, Model], gateway: HttpServer) -> None:
    gateway.answer = lambda _request: Answer(b'{"error": {"message": "cannot start with abc-17-xyz here"}}', 500)
    error = asked(models["keyed"], "chat")
    assert "cannot start with *** here" in error.message
