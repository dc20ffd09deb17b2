"""A conversation: what is kept of it, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.errors import CallError, UsageError, WaitInterruptedError
from tests.support.scripted_gateway import Exchange, whole
from tests.support.talking import Engine, hanging_after, said, saying

if TYPE_CHECKING:
    from kubeai_notebook.session.model import Model

BEGINNING = said("My na").partition(b"data: [DONE]")[0].rpartition(b"data: ")[0]


@pytest.fixture(autouse=True)
def to_bob(engine: Engine) -> None:
    """Each answer greets Bob."""
    engine.says = saying(said("Hello ", "Bob."))


def roles(turns: Any) -> list[str]:
    return [turn["role"] for turn in turns]


def test_sends_what_was_said_before(smol: Model, engine: Engine) -> None:
    talk = smol.conversation(system="Be brief.", max_tokens=20)
    assert talk.say("My name is Bob.") == "Hello Bob."
    assert talk("What is my name?", max_tokens=5, temperature=0) == "Hello Bob."
    assert engine.turns == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "My name is Bob."},
        {"role": "assistant", "content": "Hello Bob."},
        {"role": "user", "content": "What is my name?"},
    ]
    assert [(asked["max_tokens"], asked.get("temperature")) for asked in engine.asked] == [(20, None), (5, 0)]
    assert roles(talk.messages) == ["system", "user", "assistant", "user", "assistant"]


def test_keeps_a_streamed_turn_when_it_has_ended(smol: Model) -> None:
    talk = smol.conversation()
    with talk.stream("Hi") as deltas:
        assert next(deltas) is not None
        assert talk.messages == []
        assert "".join(map(str, deltas)) == "Hello Bob."
        assert len(talk) == 2
    assert len(talk) == 2


def test_keeps_what_came_before_it_was_stopped(smol: Model, engine: Engine) -> None:
    engine.says = hanging_after(BEGINNING)
    talk = smol.conversation()

    def stop_at_the_first_word() -> None:
        with talk.stream("Who are you?") as deltas:
            for delta in deltas:
                if delta.text:
                    raise KeyboardInterrupt

    with pytest.raises(WaitInterruptedError):
        stop_at_the_first_word()
    assert [turn["content"] for turn in talk.messages] == ["Who are you?", "My na"]


def test_keeps_nothing_of_a_turn_that_failed_or_never_began(smol: Model, engine: Engine) -> None:
    talk = smol.conversation()
    engine.says = whole(b'{"error": {"message": "out of memory"}}', 500)
    with pytest.raises(CallError):
        talk.say("Hi")

    def breaks_off(exchange: Exchange) -> None:
        exchange.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9999\r\n\r\n" + BEGINNING)
        exchange.end()

    engine.says = breaks_off
    with pytest.raises(CallError, match="broke off"):
        talk.say("Hi")
    talk.stream("Hi").close()
    with pytest.raises(UsageError):
        talk.say("Hi", max_token=3)
    assert talk.messages == []


def test_awaits_a_turn(smol: Model) -> None:
    talk = smol.conversation()

    async def ask() -> None:
        assert await talk.asay("Hi") == "Hello Bob."
        assert "".join([str(delta) async for delta in talk.astream("And?")]) == "Hello Bob."

    asyncio.run(ask())
    assert roles(talk.messages) == ["user", "assistant"] * 2


def test_goes_back_and_branches(smol: Model) -> None:
    talk = smol.conversation(system="Be brief.")
    talk.say("One")
    talk.say("Two")
    other = talk.branch()
    other.say("Three")
    assert (len(talk), len(other)) == (5, 7)
    assert talk.undo().messages == other.messages[:3]
    assert roles(talk.undo().messages) == ["system"]
    with pytest.raises(UsageError, match="no turn to undo"):
        talk.undo()
    assert len(other) == 7


def test_goes_on_from_turns_that_are_set(smol: Model, engine: Engine) -> None:
    talk = smol.conversation()
    talk.messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    talk.system = "Be brief."
    talk.say("And?")
    assert roles(engine.turns) == ["system", "user", "assistant", "user"]
    talk.system = "Be long."
    assert (talk.system, len(talk)) == ("Be long.", 5)
    talk.system = ""
    assert roles(talk.messages)[0] == "user"
    with pytest.raises(UsageError, match='Turn 1 has no role that a model knows. Did you mean "user"'):
        talk.messages = [{"role": "usr", "content": "x"}]
    talk.messages = []
    assert len(talk) == 0


def test_has_one_instruction(smol: Model) -> None:
    talk = smol.conversation(system="Be brief.")
    with pytest.raises(UsageError, match="one instruction for all its turns"):
        talk.say("Hi", system="Be long.")
    with pytest.raises(UsageError, match=r"conversation\(\) takes no sistem="):
        smol.conversation(sistem="x")


def test_shows_its_turns_as_plain_text(smol: Model, engine: Engine) -> None:
    engine.says = saying(said("\x1b[31mred"))
    talk = smol.conversation()
    talk.say([{"role": "user", "content": [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {}}]}])
    assert repr(talk) == "Conversation with smol, 2 turns\nuser: What? [image_url]\nassistant: red"
