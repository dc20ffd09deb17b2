"""A chat from Python, with an engine that says what vLLM, Ollama and llama.cpp send: text, reasoning, tool calls."""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import json
import re
import textwrap
import threading
from typing import Any

import pytest
from pydantic import BaseModel

from kubeai_notebook.errors import CallError, UsageError, WaitInterruptedError
from kubeai_notebook.session import presenter, waiting_line
from kubeai_notebook.session.model import Model
from kubeai_notebook.session.waiting_line import StreamLine
from tests.support.scripted_gateway import Exchange, whole
from tests.support.talking import Engine, event, hanging_after, said, saying
from tests.support.waiting import interrupt_main

SECONDS = 10


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class LastLine(StreamLine):
    """Has what a cell keeps in the end."""

    text = ""

    def end(self, text: str) -> None:
        self.text = text


class City(BaseModel):
    name: str


def test_gives_a_text_with_what_is_known_of_it(smol: Model, engine: Engine) -> None:
    engine.says = saying(said("Hel", "lo", prompt_tokens=7, completion_tokens=2))
    reply = smol.chat("Hi", system="Be brief.", max_tokens=5, stop="x")
    assert (reply, reply.finish_reason, reply.model, reply.note) == ("Hello", "stop", "smol", "")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (7, 2)
    assert reply.time_to_first_token_seconds > 0
    assert reply.tokens_per_second is None or reply.tokens_per_second > 0
    assert reply.raw["usage"] == {"prompt_tokens": 7, "completion_tokens": 2}
    (asked,) = engine.asked
    assert asked["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    fields = {
        "model": "smol",
        "max_tokens": 5,
        "stop": ["x"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert {name: value for name, value in asked.items() if name != "messages"} == fields


def test_prints_a_stream_as_it_comes_and_has_the_reply_at_its_end(smol: Model, engine: Engine) -> None:
    with smol.stream("Hi") as deltas:
        assert "".join(map(str, deltas)) == "Hello"
        assert deltas.reply == "Hello"


def test_says_how_far_an_answer_is_that_takes_long(smol: Model, engine: Engine, monkeypatch) -> None:
    shown = Terminal()
    monkeypatch.setattr(presenter.face(), "line", lambda _name: StreamLine(shown), raising=False)
    smol.chat("Hi")
    assert shown.getvalue() == ""
    monkeypatch.setattr(waiting_line, "ANSWERING_SECONDS", 0.0)
    monkeypatch.setattr(waiting_line, "RENEWED_SECONDS", 0.0)
    for ask in (smol.chat, smol.conversation().say):
        assert ask("Hi") == "Hello"
        lines = shown.getvalue().split("\r\x1b[2K")
        told = ["… smol is still answering, 1 piece so far", "… smol is still answering, 2 pieces so far"]
        assert lines == ["", *told, ""]
        shown.truncate(shown.seek(0))
    in_another = threading.Thread(target=smol.chat, args=("Hi",))
    in_another.start()
    in_another.join()
    assert smol.stream("Hi").whole() == "Hello"
    assert shown.getvalue() == ""


@pytest.mark.parametrize(
    ("counted", "told"),
    [({"prompt_tokens": 3, "completion_tokens": 8, "total_tokens": 11}, "8 tokens"), ({}, "2 pieces")],
)
def test_counts_in_tokens_what_the_engine_has_counted(
    smol: Model, engine: Engine, monkeypatch, counted: dict[str, int], told: str
) -> None:
    shown = LastLine(Terminal())
    monkeypatch.setattr(presenter.face(), "line", lambda _name: shown, raising=False)
    monkeypatch.setattr(waiting_line, "ANSWERING_SECONDS", 0.0)
    engine.says = saying(said("one two three four ", "five six seven eight", **counted))
    smol.chat("Hi")
    assert shown.text.startswith(f"smol: {told} in ")


def test_asks_for_an_adapter_by_its_name(smol: Model, engine: Engine) -> None:
    reply = smol.chat("Hi", adapter="loud")
    assert (engine.asked[0]["model"], reply.model) == ("smol_loud", "smol_loud")
    with pytest.raises(UsageError, match='smol has no adapter "lod". Did you mean "loud"?'):
        smol.chat("Hi", adapter="lod")
    engine.says = whole(b'{"error": {"message": "no such thing"}}', 418)
    with pytest.raises(CallError, match=r'The engine of smol refused .* attach\("smol"\)') as refused:
        smol.chat("Hi", adapter="loud")
    assert refused.value.kind == "engine"


def test_sends_nothing_where_a_field_cannot_be(smol: Model, engine: Engine) -> None:
    for ask in (smol.chat, smol.stream, smol.complete, smol.astream):
        with pytest.raises(UsageError, match="max_token="):
            ask("Hi", max_token=3)
    assert engine.asked == []


@pytest.mark.parametrize(
    ("max_tokens", "completion_tokens", "how"),
    [
        (None, 3, "; a higher max_tokens lets it end."),
        (3, 3, ", as asked."),
        (9, 3, "; a higher max_tokens lets it end."),  # the context was full
    ],
)
def test_hints_at_more_tokens_only_to_who_did_not_ask_for_as_many(
    smol: Model, engine: Engine, max_tokens: int | None, completion_tokens: int, how: str
) -> None:
    engine.says = saying(said("Once upon a", finish_reason="length", completion_tokens=completion_tokens))
    assert smol.chat("A tale.", max_tokens=max_tokens).note == f"The answer was cut after 3 tokens{how}"


def test_gives_what_the_schema_asks_for(smol: Model, engine: Engine) -> None:
    engine.says = saying(said('{"name": ', '"Rome"}'))
    assert smol.chat("Where?", schema=City).parsed == City(name="Rome")
    assert engine.asked[0]["response_format"]["json_schema"]["schema"] == City.model_json_schema()
    engine.says = saying(said('{"name', finish_reason="length"))
    cut = smol.chat("Where?", schema=City, max_tokens=2)
    with pytest.raises(CallError, match=r"not a City \(Invalid JSON\)\. The answer was cut after all its tokens; a"):
        _ = cut.parsed


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_keeps_reasoning_apart_and_says_when_it_ate_the_answer(smol: Model, engine: Engine, field: str) -> None:
    """``reasoning_content``: vLLM up to 0.11 and llama.cpp; ``reasoning``: Ollama and vLLM since 0.12."""
    thought = [event({"index": 0, "delta": {field: text}}) for text in ("Let me ", "think.")]
    engine.says = saying(b"".join(thought) + said("", finish_reason="length", prompt_tokens=3, completion_tokens=9))
    reply = smol.chat("Hi")
    assert (reply, reply.reasoning) == ("", "Let me think.")
    assert reply.note == "Its reasoning took 9 tokens, so no answer came; a higher max_tokens leaves room for both."


def test_gives_the_tools_that_the_model_wants_called(smol: Model, engine: Engine) -> None:
    """As vLLM streams two calls: id and name once, the arguments in pieces, the pieces of both mixed."""
    called: list[str] = []

    def weather(city: str) -> str:
        called.append(city)
        return "warm"

    def piece(index: int, **call: Any) -> bytes:
        return event({"index": 0, "delta": {"tool_calls": [{"index": index, **call}]}, "finish_reason": None})

    pieces = [
        piece(0, id="call-a", type="function", function={"name": "weather", "arguments": ""}),
        piece(1, id="call-b", type="function", function={"name": "weather", "arguments": '{"ci'}),
        piece(0, function={"arguments": '{"city": "Rome"}'}),
        piece(1, function={"arguments": 'ty": "Oslo"}'}),
    ]
    engine.says = saying(b"".join(pieces) + said(finish_reason="tool_calls"))
    reply = smol.chat("What is the weather?", tools=[weather], tool_choice="required")
    assert [call.kwargs for call in reply.tool_calls] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert (called, reply.note, reply.finish_reason) == ([], "", "tool_calls")
    engine.says = saying(said("It is warm."))
    results = [call.result(weather(**call.kwargs)) for call in reply.tool_calls]
    assert smol.chat([{"role": "user", "content": "What is the weather?"}, reply.message, *results]) == "It is warm."
    assert [turn["role"] for turn in engine.turns] == ["user", "assistant", "tool", "tool"]


def test_says_that_no_tool_was_called_where_one_had_to_be(smol: Model, engine: Engine) -> None:
    def weather(city: str) -> str:
        return city

    assert smol.chat("Hi", tools=[weather], tool_choice="weather").note.startswith("The model called no tool")
    assert smol.chat("Hi", tools=[weather]).note == ""
    engine.says = saying(said("My name is", finish_reason="length"))
    cut = smol.chat("Hi", tools=[weather], tool_choice="required", max_tokens=3)
    assert cut.note.endswith("lets it end. Up to there it calls no tool, and one had to be called.")
    assert cut.note in repr(cut)
    assert "tool" not in smol.chat("Hi", tools=[weather], max_tokens=3).note


def test_sends_a_picture_as_the_openai_api_has_it(smol: Model, engine: Engine) -> None:
    url = "data:image/png;base64,iVBORw0KGgo="
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    smol.chat([{"role": "user", "content": content}])
    assert engine.turns == [{"role": "user", "content": content}]


def test_ends_when_the_time_for_the_answer_is_over(smol: Model, engine: Engine, hung_up: threading.Event) -> None:
    for events in (b"", said("Hel")[:-20]):
        hung_up.clear()
        engine.says = hanging_after(events)
        with pytest.raises(CallError, match="smol gave no answer in time") as late:
            smol.chat("Hi", timeout_seconds=0.2)
        assert (late.value.kind, late.value.retryable) == ("network", True)
        assert hung_up.wait(SECONDS)


def test_keeps_what_came_before_an_interrupt(smol: Model, engine: Engine, hung_up: threading.Event) -> None:
    beginning = said("Hel").partition(b"data: [DONE]")[0].rpartition(b"data: ")[0]

    def answer(exchange: Exchange) -> None:
        hanging = hanging_after(beginning)
        threading.Thread(target=interrupt).start()
        hanging(exchange)

    def interrupt() -> None:
        assert came.wait(SECONDS)
        interrupt_main()

    came = threading.Event()
    engine.says = answer
    stream = smol.stream("Hi")

    def read() -> None:
        with stream:
            for delta in stream:
                if delta.text:
                    came.set()

    with pytest.raises(WaitInterruptedError, match="Stopped. The request to smol was cancelled."):
        read()
    assert hung_up.wait(SECONDS)
    assert (stream.reply, stream.reply.finish_reason) == ("Hel", None)


def test_answers_many_awaits_at_once(smol: Model, engine: Engine) -> None:
    """All are asked before one is answered; and again in another event loop, by the same connections."""
    together = threading.Barrier(20)

    def answer(exchange: Exchange) -> None:
        together.wait(SECONDS)
        saying(said(json.loads(exchange.body)["messages"][0]["content"]))(exchange)

    engine.says = answer

    async def ask() -> list[str]:
        return list(await asyncio.gather(*(smol.achat(f"Hi {number}") for number in range(20))))

    for _ in range(2):
        assert asyncio.run(ask()) == [f"Hi {number}" for number in range(20)]


def test_streams_for_an_async_for(smol: Model, engine: Engine) -> None:
    async def ask() -> tuple[str, str]:
        deltas = smol.astream("Hi")
        return "".join([str(delta) async for delta in deltas]), deltas.reply

    assert asyncio.run(ask()) == ("Hello", "Hello")


def test_raises_its_errors_from_an_await_too(smol: Model, engine: Engine) -> None:
    engine.says = whole(b'{"error": {"message": "out of memory"}}', 500)
    with pytest.raises(CallError, match="out of memory"):
        asyncio.run(smol.achat("Hi"))


@pytest.mark.parametrize("events", [b"", said("Hel")[:-20]])
def test_ends_the_engines_work_when_its_task_is_cancelled(
    smol: Model, engine: Engine, hung_up: threading.Event, events: bytes
) -> None:
    asked = threading.Event()

    def answer(exchange: Exchange) -> None:
        asked.set()
        hanging_after(events)(exchange)

    engine.says = answer

    async def ask() -> None:
        task = asyncio.create_task(smol.achat("Hi"))
        assert await asyncio.to_thread(asked.wait, SECONDS)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask())
    assert hung_up.wait(SECONDS)


def test_ends_the_engines_work_at_the_end_of_an_async_with(
    smol: Model, engine: Engine, hung_up: threading.Event
) -> None:
    engine.says = hanging_after(said("Hel")[:-20])

    async def ask() -> None:
        async with smol.astream("Hi") as deltas:
            async for delta in deltas:
                if delta.text:
                    break
        assert hung_up.wait(SECONDS)
        assert [delta async for delta in deltas] == []

    asyncio.run(ask())


def test_continues_a_text(smol: Model, engine: Engine) -> None:
    engine.says = whole(
        b'{"choices": [{"text": " Paris", "finish_reason": "length"}], "usage": {"completion_tokens": 1}}'
    )
    reply = smol.complete("The capital of France is", adapter="loud", max_tokens=1, stop="x")
    assert (reply, reply.model) == (" Paris", "smol_loud")
    assert reply.note == "The answer was cut after 1 token, as asked."
    assert engine.asked[0] == {
        "model": "smol_loud",
        "prompt": "The capital of France is",
        "max_tokens": 1,
        "stop": ["x"],
    }


@pytest.mark.parametrize("name", ["chat", "stream", "achat", "astream", "conversation"])
def test_runs_the_examples_of_its_help(smol: Model, engine: Engine, name: str) -> None:
    engine.says = saying(said('{"label": ', '"good"}', prompt_tokens=7, completion_tokens=2))
    (example,) = re.findall(r"^::\n\n((?: {4}.*\n|\n)+)", inspect.getdoc(getattr(Model, name)) or "", re.MULTILINE)
    code = compile(textwrap.dedent(example), name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, {"model": smol, "asyncio": asyncio})
    if inspect.iscoroutine(running):
        asyncio.run(running)
    assert len(engine.asked) == {"chat": 3, "achat": 3, "conversation": 2}.get(name, 1)
