"""OpenAI's own clients on a Model that is not ready, and the calls that only some Models take."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import openai
import pandas as pd
import pytest

from kubeai_notebook import settings
from kubeai_notebook.errors import CallError, UsageError
from kubeai_notebook.session.model import Model
from kubeai_notebook.session.session import Session
from tests.support.fake_api import MODELS, PODS, FakeApi, model, pod
from tests.support.http_server import Answer, HttpServer, Received, json_answer
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ASKED: Any = {"model": "smol", "prompt": "Hi"}


def answered(request: Received) -> Answer:
    """What engines answer on the routes that are asked here."""
    if request.path.endswith("/rerank"):
        return json_answer({"results": [{"index": 0, "relevance_score": 0.2}, {"index": 1, "relevance_score": 0.9}]})
    return json_answer({"choices": [{"text": "yes"}], "text": "hello", "data": []})


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi.empty().in_thread() as api:
        yield api


@pytest.fixture
def gateway() -> Iterator[HttpServer]:
    with HttpServer(answered) as server:
        yield server


@pytest.fixture
def away(api: FakeApi, gateway: HttpServer, kubeconfig: Callable[..., str]) -> Iterator[Session]:
    """A Session on a cluster of canned objects, whose gateway answers at once."""
    now = settings.Settings(kubeconfig=kubeconfig(api.url), context="a", endpoint=gateway.address)
    with Session(settings=now) as session:
        yield session


def loading() -> dict[str, Any]:
    waiting = {"waiting": {"reason": "ContainerCreating"}}
    status = {"name": "server", "ready": False, "restartCount": 0, "state": waiting, "lastState": {}}
    return pod("model-smol-a-1", "smol", ready=False, phase="Pending", containerStatuses=[status])


@pytest.mark.parametrize("way", ["client", "async client", "forward"])
def test_sends_a_request_when_the_model_is_ready(
    way: str, api: FakeApi, gateway: HttpServer, away: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    api.put(MODELS, model("smol"))
    api.put(PODS, loading())
    handle, texts = away.attach("smol"), []
    asking = threading.Thread(target=lambda: texts.append(ask_by(way, handle)))
    asking.start()
    until(lambda: away.publisher.view("smol").status.phase == "Pulling")
    assert gateway.received == []
    api.change(PODS, pod("model-smol-a-1", "smol"))
    asking.join(10)
    assert texts == ["yes"]
    assert [request.path for request in gateway.received] == ["/openai/v1/completions"]


def ask_by(way: str, handle: Any) -> str:
    if way == "client":
        return str(handle.client.completions.create(**ASKED).choices[0].text)
    if way == "forward":
        with handle.forward() as port, openai.OpenAI(base_url=port.base_url, api_key=port.api_key) as client:
            return str(client.completions.create(**ASKED).choices[0].text)

    async def ask() -> str:
        return str((await handle.async_client.completions.create(**ASKED)).choices[0].text)

    return asyncio.run(ask())


def ended() -> dict[str, Any]:
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    last = {"terminated": {"exitCode": 1, "reason": "Error"}}
    status = {"name": "server", "ready": False, "restartCount": 3, "state": state, "lastState": last}
    return pod("model-smol-a-1", "smol", ready=False, phase="Running", containerStatuses=[status])


HOPELESS: dict[str, tuple[dict[str, Any], list[dict[str, Any]], str]] = {
    "Blocked": (model("smol"), [], "smol is Blocked: "),
    "Failing": (model("smol"), [ended()], "smol is Failing: "),
    "Paused": (
        model("smol", replicas=0, minReplicas=0, autoscalingDisabled=True),
        [],
        "autoscaling is off, so a request would wait for ever",
    ),
}


@pytest.mark.parametrize("way", ["client", "async client", "forward"])
@pytest.mark.parametrize("phase", HOPELESS)
@pytest.mark.parametrize("seen", [True, False], ids=["seen", "a handle from elsewhere"])
def test_says_at_once_why_a_model_can_never_answer(
    seen: bool, phase: str, way: str, api: FakeApi, gateway: HttpServer, away: Session
) -> None:
    manifest, pods, sentence = HOPELESS[phase]
    api.put(MODELS, manifest)
    for one in pods:
        api.put(PODS, one)
    handle = away.attach("smol") if seen else Model(away, "smol")
    with pytest.raises(openai.InternalServerError, match=sentence) as raised:
        ask_by(way, handle)
    assert raised.value.status_code == 503
    assert gateway.received == []


@pytest.mark.parametrize("phase", HOPELESS)
@pytest.mark.parametrize("kind", ["python", "curl", "env"])
def test_code_says_that_nothing_answers_it_as_things_are(phase: str, kind: str, api: FakeApi, away: Session) -> None:
    manifest, pods, _ = HOPELESS[phase]
    api.put(MODELS, manifest)
    for one in pods:
        api.put(PODS, one)
    first, *lines = away.attach("smol").code(kind).splitlines()
    assert first.startswith(f"# smol is {phase}, so this waits until somebody acts: ")
    assert not any(line.startswith("#") for line in lines)


def test_code_of_a_model_that_sleeps_or_serves_says_nothing_more(api: FakeApi, away: Session) -> None:
    api.put(MODELS, model("smol", replicas=0, minReplicas=0))
    assert away.attach("smol").code("curl").startswith("curl ")


def test_ends_the_wait_of_a_program_that_hangs_up(api: FakeApi, gateway: HttpServer, away: Session) -> None:
    api.put(MODELS, model("smol"))
    api.put(PODS, loading())
    with away.attach("smol").forward() as port:
        client = openai.OpenAI(base_url=port.base_url, api_key=port.api_key, max_retries=0, timeout=0.5)
        with client, pytest.raises(openai.APITimeoutError):
            client.completions.create(**ASKED)
        api.change(PODS, pod("model-smol-a-1", "smol"))
        until(lambda: away.attach("smol").ready)
        with openai.OpenAI(base_url=port.base_url, api_key=port.api_key) as other:
            other.completions.create(**{**ASKED, "prompt": "second"})
    assert [request.json["prompt"] for request in gateway.received] == ["second"]


def test_asks_a_gateway_about_a_model_that_is_not_seen(api: FakeApi, gateway: HttpServer, away: Session) -> None:
    api.put(MODELS, model("smol"))
    api.put(PODS, pod("model-smol-a-1", "smol"))
    handle = away.attach("smol")
    handle.client.completions.create(**{**ASKED, "model": "other"})
    handle.client.completions.create(**{**ASKED, "model": "smol_adapter"})
    assert [request.json["model"] for request in gateway.received] == ["other", "smol_adapter"]


def ranker(api: FakeApi, feature: str, **spec: Any) -> None:
    api.put(MODELS, model("ranker", features=[feature], engine="Infinity", **spec))
    if not spec:
        api.put(PODS, pod("model-ranker-a-1", "ranker"))


@pytest.mark.parametrize("kind", [list, tuple, iter, np.array, pd.Series])
def test_ranks_texts_of_any_kind(kind: Any, api: FakeApi, away: Session) -> None:
    ranker(api, "Reranking")
    frame = away.attach("ranker").rerank("Which?", kind(["bananas", "Paris"]))
    assert frame.to_dict("list") == {"text": ["Paris", "bananas"], "score": [0.9, 0.2]}
    assert list(frame.index) == [1, 0]


def test_keeps_the_index_of_a_series(api: FakeApi, away: Session) -> None:
    ranker(api, "Reranking")
    frame = away.attach("ranker").rerank("Which?", pd.Series(["bananas", "Paris"], index=["x", "x"]), top_n=1)
    assert list(frame.index) == ["x"]
    assert list(frame["text"]) == ["Paris"]


def test_ranks_nothing_without_a_request(api: FakeApi, gateway: HttpServer, away: Session) -> None:
    ranker(api, "Reranking")
    assert list(away.attach("ranker").rerank("Which?", []).columns) == ["text", "score"]
    assert gateway.received == []


def test_writes_down_a_recording(api: FakeApi, away: Session) -> None:
    ranker(api, "SpeechToText")
    assert away.attach("ranker").transcribe(b"RIFF", language="en") == "hello"


@pytest.mark.parametrize(
    ("feature", "call"),
    [
        ("TextEmbedding", lambda handle: handle.embed(["a"], nonsense=1)),
        ("SpeechToText", lambda handle: handle.transcribe(b"RIFF", nonsense=1)),
    ],
)
def test_sends_nothing_with_a_field_that_it_does_not_know(
    feature: str, call: Callable[[Any], Any], api: FakeApi, gateway: HttpServer, away: Session
) -> None:
    ranker(api, feature)
    with pytest.raises(UsageError, match="takes no nonsense="):
        call(away.attach("ranker"))
    assert gateway.received == []


@pytest.mark.parametrize(("feature", "path"), [("Reranking", "/rerank"), ("SpeechToText", "/audio/transcriptions")])
def test_wakes_a_model_by_a_request_that_it_takes(
    feature: str, path: str, api: FakeApi, gateway: HttpServer, away: Session
) -> None:
    ranker(api, feature, replicas=0, minReplicas=0)
    handle = away.attach("ranker")
    until(lambda: handle.status.phase == "Asleep")
    if feature == "Reranking":
        handle.rerank("Which?", ["bananas", "Paris"])
    else:
        handle.transcribe(b"RIFF")
    assert {request.path for request in gateway.received} == {f"/openai/v1{path}"}
    assert len(gateway.received) == 2


WRONG_KIND: dict[str, Callable[[Any], Any]] = {
    "transcribe": lambda handle: handle.transcribe("no-such-file.wav"),
    "rerank": lambda handle: handle.rerank("", ["a"]),
    "map": lambda handle: handle.map(pd.DataFrame({"text": ["a"]}), "No {column}"),
    "mapper": lambda handle: handle.mapper("No {column}", like=pd.DataFrame({"text": ["a"]})),
    "embed": lambda handle: handle.embed(7),
    "embed nothing": lambda handle: handle.embed([]),
    "embed_column": lambda handle: handle.embed_column(pd.DataFrame(), "text"),
    "search": lambda handle: handle.search("q", ["a", None], k=1),
}


@pytest.mark.parametrize("call", WRONG_KIND)
def test_names_the_wrong_kind_of_model_before_anything_else(
    call: str, api: FakeApi, gateway: HttpServer, away: Session
) -> None:
    text = call in ("transcribe", "rerank") or "embed" in call or call == "search"
    feature = "TextGeneration" if text else "TextEmbedding"
    api.put(MODELS, model("other", features=[feature], engine="VLLM"))
    with pytest.raises(CallError, match='"other" (generates text|makes embeddings)'):
        WRONG_KIND[call](away.attach("other"))
    assert gateway.received == []


def test_names_the_models_that_were_served_for_it(api: FakeApi, away: Session) -> None:
    ranker(api, "Reranking")
    for name in ("mini", "bge"):
        api.put(MODELS, model(name, features=["TextEmbedding"], engine="Infinity", replicas=0))
    with pytest.raises(CallError, match=r'Ask it by rerank\(\)\. Here "bge" and "mini" can\.'):
        away.attach("ranker").embed("Hi")


def test_names_no_model_that_fails(api: FakeApi, away: Session) -> None:
    ranker(api, "Reranking")
    api.put(MODELS, model("bge", features=["TextEmbedding"], engine="Infinity", replicas=0))
    api.put(MODELS, model("lost", features=["TextEmbedding"], engine="Infinity", replicas=1))
    waiting = {"waiting": {"reason": "ImagePullBackOff"}}
    status = {"name": "server", "ready": False, "restartCount": 0, "state": waiting, "lastState": {}}
    api.put(PODS, pod("model-lost-a-1", "lost", ready=False, phase="Pending", containerStatuses=[status]))
    assert away.attach("lost").status.phase == "Failing"
    with pytest.raises(CallError, match=r'Here "bge" can\.'):
        away.attach("ranker").embed("Hi")


def test_says_what_a_ranking_model_is_asked_by(api: FakeApi, away: Session) -> None:
    ranker(api, "Reranking")
    with pytest.raises(CallError, match=r'"ranker" ranks texts; it does not generate text.*Ask it by rerank\(\)'):
        away.attach("ranker").complete("Hi")


WRONG_CALLS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda handle: handle.rerank("q"), r"rerank\(\) needs texts\."),
    (lambda handle: handle.forward(prt=4), r"forward\(\) takes no argument prt\. Did you mean port\?"),
    (lambda handle: handle.code(knd="curl"), r"code\(\) takes no argument knd\. Did you mean kind\?"),
    (lambda handle: handle.settings_for(), r"settings_for\(\) needs program\."),
    (lambda handle: handle.transcribe(), r"transcribe\(\) needs file\."),
    (lambda handle: handle.chat(), r"chat\(\) needs prompt\."),
    (lambda handle: handle.chat("a", "b"), r"chat\(\) was given more than it takes\."),
    (lambda handle: handle.map(pd.DataFrame()), r"map\(\) needs prompt\."),
    (lambda handle: handle.compare("x"), r"compare\(\) needs prompts\."),
    (lambda handle: handle.conversation().say(), r"say\(\) needs prompt\."),
    (lambda handle: handle.conversation()("a", "b"), r"say\(\) was given more than it takes\."),
    (lambda handle: handle.conversation().undo(2), r"undo\(\) was given more than it takes\."),
]


@pytest.mark.parametrize(("call", "sentence"), WRONG_CALLS)
def test_says_in_a_sentence_what_is_wrong_with_a_call(
    call: Callable[[Any], Any], sentence: str, api: FakeApi, gateway: HttpServer, away: Session
) -> None:
    api.put(MODELS, model("smol"))
    with pytest.raises(UsageError, match=sentence):
        call(away.attach("smol"))
    assert gateway.received == []


def test_opens_no_port_for_code_that_cannot_be(api: FakeApi, kubeconfig: Callable[..., str]) -> None:
    ranker(api, "Reranking")
    with Session(settings=settings.Settings(kubeconfig=kubeconfig(api.url), context="a")) as session:
        assert session.plain_address == ""
        with pytest.raises(UsageError, match='llm has no way to ask "ranker"'):
            session.attach("ranker").code("llm")
        assert "forward to ranker" not in session._parts
