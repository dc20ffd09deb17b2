"""The platform's guide and openai's own documentation, as they call a model: on real models, by every way to a gateway.

The ways: the plain port of this machine; the Kubernetes API's service proxy, as of a cluster whose gateway has no other
address; and a port of `Model.forward`, whose requests take that proxy too.
"""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openai
import pydantic
import pytest
import requests
import yaml

from kubeai_notebook.local.emulation.gateway_requests import ROUTES
from kubeai_notebook.session.session import Session
from kubeai_notebook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.session.model import Model
    from tests.support.daemon import Daemon

GOLDEN = Path(__file__).parents[1] / "golden"
TURNS: list[Any] = [{"role": "user", "content": "Name a city."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


class Mood(pydantic.BaseModel):
    mood: str
    score: int


MOOD = {
    "type": "object",
    "properties": {"mood": {"type": "string", "enum": ["good", "bad"]}, "score": {"type": "integer"}},
    "required": ["mood", "score"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def vectors(kubeai: Daemon) -> Iterator[str]:
    """MiniLM by its real name."""
    kubeai.create(
        "minilm", engine="Infinity", url="hf://sentence-transformers/all-MiniLM-L6-v2", features=["TextEmbedding"]
    )
    kubeai.ready_pod("minilm")
    yield "minilm"
    kubeai.delete("minilm")


@pytest.fixture(scope="module")
def caller(kubeai: Daemon) -> Iterator[str]:
    """SmolLM2 with a chat template that knows tools."""
    kubeai.create("caller", args=["--chat-template", (GOLDEN / "tools.jinja").read_text(encoding="utf-8")])
    kubeai.ready_pod("caller")
    yield "caller"
    kubeai.delete("caller")


@pytest.fixture(scope="module")
def cluster(kubeai: Daemon, smol: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The daemon as if it were a cluster: its kubeconfig without what says where the gateway is."""
    document = kubeai.kubeconfig
    document["clusters"][0]["cluster"].pop("extensions")
    path = tmp_path_factory.mktemp("cluster") / "config"
    path.write_text(yaml.safe_dump(document))
    with Session(settings=Settings(kubeconfig=str(path), context=document["current-context"])) as session:
        session.attach(smol)
        yield session


@pytest.fixture(scope="module", params=["plain port", "service proxy", "forward"])
def client(request: pytest.FixtureRequest, kubeai: Daemon, cluster: Session, smol: str) -> Iterator[openai.OpenAI]:
    model: Model = cluster.attach(smol)
    assert "/services/http:kubeai:80/proxy/" in model.base_url
    if request.param == "service proxy":
        yield model.client
    elif request.param == "forward":
        with model.forward() as port, openai.OpenAI(base_url=port.base_url, api_key=port.api_key) as client:
            yield client
    else:
        with openai.OpenAI(base_url=plain_url(kubeai), api_key="ignored") as client:
            yield client


def plain_url(kubeai: Daemon) -> str:
    return str(kubeai.kubeconfig["clusters"][0]["cluster"]["extensions"][0]["extension"]["url"])


def test_completes(client: openai.OpenAI, smol: str) -> None:
    answer = client.completions.create(model=smol, prompt="The capital of France is", max_tokens=3, temperature=0)
    assert "Paris" in answer.choices[0].text


def test_chats(client: openai.OpenAI, smol: str) -> None:
    answer = client.chat.completions.create(model=smol, messages=TURNS, max_tokens=8, temperature=0)
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert answer.usage.completion_tokens <= 8


def test_streams(client: openai.OpenAI, smol: str) -> None:
    usage = {"include_usage": True}
    with client.chat.completions.create(
        model=smol, messages=TURNS, max_tokens=8, stream=True, stream_options=usage, temperature=0
    ) as stream:
        chunks = list(stream)
    whole = client.chat.completions.create(model=smol, messages=TURNS, max_tokens=8, temperature=0)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage is not None


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeds(client: openai.OpenAI, vectors: str, encoding: str) -> None:
    asked: dict[str, Any] = {"model": vectors, "input": ["Your text goes here.", "Another."]}
    answer = client.embeddings.create(**asked, encoding_format=encoding)
    [first, _] = [one.embedding for one in answer.data]
    vector = np.frombuffer(base64.b64decode(first), np.float32) if isinstance(first, str) else first
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)
    # Unless told, the client asks for base64 by itself and gives numbers.
    assert client.embeddings.create(**asked).data[0].embedding == pytest.approx(list(vector), abs=1e-3)


def test_forces_a_tool_call_by_grammar(client: openai.OpenAI, caller: str) -> None:
    """Once a call is begun, the grammar lets it be one of this tool only; the turn before shows how one begins."""
    begun = {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
    turns: list[Any] = [
        {"role": "user", "content": "What is the weather in Paris?"},
        {"role": "assistant", "content": "", "tool_calls": [begun]},
        {"role": "user", "content": "What is the weather in Rome?"},
    ]
    tools: list[Any] = [WEATHER]
    answer = client.chat.completions.create(
        model=caller, messages=turns, tools=tools, tool_choice="required", max_tokens=60, temperature=0
    )
    [call] = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments)["city"] in ("Paris", "Rome")


def test_keeps_to_a_json_schema_by_grammar(client: openai.OpenAI, smol: str) -> None:
    turns = [{"role": "user", "content": "I love this! Rate it as JSON."}]
    wanted = {"type": "json_schema", "json_schema": {"name": "mood", "schema": MOOD, "strict": True}}
    answer = client.chat.completions.create(
        model=smol, messages=turns, response_format=wanted, max_tokens=60, temperature=0
    )
    assert Mood.model_validate_json(answer.choices[0].message.content or "").mood in ("good", "bad")


def test_lists_the_models(client: openai.OpenAI, smol: str) -> None:
    assert smol in [model.id for model in client.models.list()]


def test_tells_of_a_model_that_is_not_there(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="nobody", messages=TURNS)
    # KubeAI's own errors are a string, which the client keeps and does not show.
    assert raised.value.body == 'model not found: "nobody"'


@pytest.mark.skipif("/v1/responses" not in ROUTES, reason="this gateway has no responses")
def test_responds(client: openai.OpenAI, smol: str) -> None:
    answer = client.responses.create(model=smol, input="Name a city.", max_output_tokens=8, temperature=0)
    assert answer.output_text


def test_runs_the_guides_request(kubeai: Daemon, cluster: Session, smol: str) -> None:
    with cluster.attach(smol).forward() as port:
        for url in (plain_url(kubeai), port.base_url):
            res = requests.post(f"{url}/completions", json={"prompt": "Hi", "model": smol, "max_tokens": 3}, timeout=60)
            assert res.json()["choices"][0]["text"]


def test_awaits(kubeai: Daemon, cluster: Session, smol: str) -> None:
    async def ask() -> list[str]:
        model = cluster.attach(smol)
        with model.forward() as port:
            async with openai.AsyncOpenAI(base_url=port.base_url, api_key=port.api_key) as client:
                answers = [
                    await one.completions.create(
                        model=smol, prompt="The capital of France is", max_tokens=3, temperature=0
                    )
                    for one in (client, model.async_client)
                ]
        return [answer.choices[0].text for answer in answers]

    assert all("Paris" in text for text in asyncio.run(ask()))
