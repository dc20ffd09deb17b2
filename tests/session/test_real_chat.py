"""Chats with a real model by llama.cpp: schemas and tools by grammar, adapters, responses, conversations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel

from kubeai_notebook.session.session import Session
from tests.support.daemon import kubeai_local
from tests.support.lora import BASE, write_lora

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.session.model import Model

GREEDY: Any = {"max_tokens": 60, "temperature": 0}
TEMPLATE = (Path(__file__).parents[1] / "golden" / "tools.jinja").read_text(encoding="utf-8")


class City(BaseModel):
    name: str
    country: Literal["France", "Italy"]


def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
    """The weather of a city."""
    return f"20 {unit} in {city}"


def time_in(city: str) -> str:
    """The time in a city."""
    return f"noon in {city}"


@pytest.fixture(scope="module")
def tuned(daemon: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """SmolLM2 with an adapter, and with a chat template that knows tools."""
    folder = write_lora(tmp_path_factory.mktemp("loras") / "loud", seed=1)
    added = kubeai_local("add", f"hf://me/loud={folder}")
    assert added.returncode == 0, added.stderr
    session = Session(context="local")
    adapters, args = {"loud": "hf://me/loud"}, ["--chat-template", TEMPLATE]
    model = session.serve("tuned", f"hf://{BASE}", engine="VLLM", adapters=adapters, args=args).wait(120)
    # The engine that has an adapter takes the place of the one before, which ends with the streams that it has.
    model.complete("Hi", adapter="loud", max_tokens=1)
    yield model
    session.delete("tuned", yes=True)
    session.close()


def test_answers_by_a_schema(tuned: Model) -> None:
    reply = tuned.chat("Tell me about Paris.", schema=City, **GREEDY)
    assert isinstance(reply.parsed, City)
    assert tuned.chat("Paris is lovely!", schema=["good", "bad"], **GREEDY).parsed in ("good", "bad")
    numbers = {"type": "array", "items": {"type": "integer", "maximum": 9, "minimum": 0}, "minItems": 2, "maxItems": 3}
    parsed = tuned.chat("Count.", schema=numbers, **GREEDY).parsed
    assert all(number in range(10) for number in parsed)
    assert len(parsed) in (2, 3)


def test_calls_the_tool_that_it_must(tuned: Model) -> None:
    """Once it begins a call, the grammar lets it write one of this tool only; the turn before shows how one begins."""
    begun = [{"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}]
    turns = [
        {"role": "user", "content": "What is the weather in Paris?"},
        {"role": "assistant", "content": "", "tool_calls": begun},
        {"role": "user", "content": "What is the weather in Rome?"},
    ]
    reply = tuned.chat(turns, tools=[time_in, weather], tool_choice="weather", **GREEDY)
    (call,) = reply.tool_calls
    assert (call.name, reply.finish_reason, reply.note) == ("weather", "tool_calls", "")
    assert "20 C in" in weather(**call.kwargs)
    answer = tuned.chat([*turns, reply.message, call.result(weather(**call.kwargs))], tools=[weather], **GREEDY)
    assert answer or answer.tool_calls


def test_answers_otherwise_with_an_adapter(tuned: Model) -> None:
    plain, loud = (tuned.chat("Where is Paris?", adapter=name, **GREEDY) for name in (None, "loud"))
    assert plain != loud
    assert (plain.model, loud.model, loud.raw["model"]) == ("tuned", "tuned_loud", "loud")
    assert "Paris" in tuned.complete("The capital of France is", max_tokens=3, temperature=0)


def test_gives_the_same_answer_for_a_seed(tuned: Model) -> None:
    first, second = (tuned.chat("Tell me a story.", seed=7, temperature=1, max_tokens=12) for _ in range(2))
    assert first == second


def test_remembers_in_a_conversation(tuned: Model) -> None:
    talk = tuned.conversation(temperature=0, max_tokens=12)
    first = talk.say("My name is Bob.")
    second = talk.say("What is my name?")
    alone = tuned.chat("What is my name?", temperature=0, max_tokens=12)
    assert second.usage.prompt_tokens > alone.usage.prompt_tokens
    assert [turn["content"] for turn in talk.messages if turn["role"] == "assistant"] == [first, second]


def test_answers_responses(tuned: Model) -> None:
    asked: Any = {"model": "tuned", "input": "Where is Paris?", "max_output_tokens": 12, "temperature": 0}
    response = tuned.client.responses.create(**asked)
    assert response.output_text
    events = list(tuned.client.responses.create(stream=True, **asked))
    assert (
        "".join(event.delta for event in events if event.type == "response.output_text.delta") == response.output_text
    )
