"""A dialogue: what is sent, what is shown, and what an edit leaves beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from kubeai_notebook.core.chat_messages import Reply, ToolCall, Usage
from kubeai_notebook.core.dialogue import Answer, Dialogue, Exchange
from kubeai_notebook.errors import UsageError


def dialogue(*columns: str, **fields: Any) -> Dialogue:
    return Dialogue(id="d", columns=columns or ("smol",), **fields)


def answered(exchange: Exchange, *texts: str) -> Exchange:
    for column, text in enumerate(texts):
        exchange.answers[column] = Answer(model="smol").with_reply(Reply(text, finish_reason="stop"), state="done")
    return exchange


def words(turns: list[dict[str, Any]]) -> list[str]:
    return [f"{turn['role'][0]}:{turn['content']}" for turn in turns]


def test_sends_the_system_prompt_and_all_turns_before() -> None:
    talk = dialogue(system="Be brief.")
    answered(talk.ask("One?"), "1")
    last = talk.ask("Two?")
    assert words(talk.turns(last.number, 0)) == ["s:Be brief.", "u:One?", "a:1", "u:Two?"]


def test_keeps_what_an_edit_replaces_and_what_came_after_it() -> None:
    talk = dialogue()
    first = answered(talk.ask("One?"), "1")
    answered(talk.ask("Two?"), "2")
    edited = answered(talk.edit(first.number, "Eins?"), "eins")
    assert words(talk.messages()) == ["u:Eins?", "a:eins"]
    assert talk.siblings(edited.number) == [first.number, edited.number]
    talk.choose(first.number)
    assert words(talk.messages()) == ["u:One?", "a:1", "u:Two?", "a:2"]


def test_asks_one_column_again_and_keeps_the_answers_of_the_others() -> None:
    talk = dialogue("a", "b")
    first = answered(talk.ask("One?"), "A", "B")
    again = talk.regenerate(first.number, 1)
    assert again.asked == first.asked
    assert {column: answer.text for column, answer in again.answers.items()} == {0: "A"}
    assert not talk.regenerate(first.number).answers


def test_tells_a_column_that_came_later_what_the_first_one_answered() -> None:
    talk = dialogue("a", "b")
    answered(talk.ask("One?"), "A")
    last = talk.ask("Two?")
    assert words(talk.turns(last.number, 1)) == ["u:One?", "a:A", "u:Two?"]


def test_leaves_a_prompt_out_whose_answer_failed() -> None:
    talk = dialogue()
    talk.ask("Lost?").answers[0] = Answer(model="smol", state="failed", note="It is gone.")
    last = talk.ask("Two?")
    assert words(talk.turns(last.number, 0)) == ["u:Two?"]


@pytest.mark.parametrize(
    "turns",
    [
        [],
        [{"role": "user", "content": "Hi"}],
        [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
        [{"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Hi"}],
        [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "function": {"name": "sun"}}]},
            {"role": "tool", "tool_call_id": "1", "content": "yes"},
            {"role": "assistant", "content": "It is sunny."},
            {"role": "user", "content": [{"type": "text", "text": "Sure?"}]},
            {"role": "user", "content": "Really?"},
            {"role": "assistant", "content": "Yes."},
        ],
    ],
)
def test_gives_the_messages_back_that_it_took(turns: list[dict[str, Any]]) -> None:
    talk = dialogue()
    answered(talk.ask("Before"), "gone")
    talk.take(turns)
    assert talk.messages() == turns


def test_refuses_what_is_no_turn() -> None:
    with pytest.raises(UsageError, match="Turn 1 has no role"):
        dialogue().take([{"role": "robot", "content": "Hi"}])
    with pytest.raises(UsageError, match="empty"):
        dialogue().ask("  ")


def test_tells_a_page_that_is_older_than_it_how_to_see_it() -> None:
    talk = dialogue("a")
    talk.ask("One?")
    for pressed in (lambda: talk.choose(5), lambda: talk.vote(0, 0)):
        with pytest.raises(UsageError) as raised:
            pressed()
        assert raised.value.hint == "Run the cell again to see the dialogue as it is."


def test_is_the_same_after_it_was_kept() -> None:
    talk = dialogue("a", "b", fields={"temperature": 0})
    first = answered(talk.ask("One?"), "A", "B")
    talk.edit(first.number, "Eins?")
    talk.vote(first.number, 1)
    assert Dialogue.model_validate_json(talk.model_dump_json()) == talk


def test_has_a_row_for_each_answer_to_a_prompt_with_a_vote() -> None:
    talk = dialogue("a", "b")
    first = answered(talk.ask("One?"), "A", "B")
    answered(talk.ask("Two?"), "A2", "B2")
    talk.vote(first.number, 1)
    assert [(row["prompt"], row["answer"], row["preferred"]) for row in talk.votes()] == [
        ("One?", "A", False),
        ("One?", "B", True),
    ]
    talk.vote(first.number, None)
    assert talk.votes() == []
    with pytest.raises(UsageError, match="Column 3"):
        talk.vote(first.number, 2)


def test_goes_on_after_a_tool_was_called() -> None:
    call = ToolCall(index=0, id="c1", name="add", arguments="{}")
    answer = Answer(model="smol").with_reply(Reply("", tool_calls=(call,), finish_reason="tool_calls", reasoning="Hm."))
    answer = answer.model_copy(update={"turns": (*answer.turns, call.result(3))})
    answer = answer.with_reply(Reply("It is 3.", usage=Usage(9, 4), finish_reason="stop"), state="done")
    assert [turn["role"] for turn in answer.turns] == ["assistant", "tool", "assistant"]
    assert (answer.text, answer.reasoning, answer.prompt_tokens) == ("It is 3.", "Hm.", 9)


def test_exports_a_line_of_json_for_each_column() -> None:
    talk = dialogue("a", "b")
    answered(talk.ask("Zwei\nZeilen?"), "ä", "B")
    rows = [json.loads(line) for line in talk.jsonl().splitlines()]
    assert [(row["model"], row["messages"][1]["content"]) for row in rows] == [("a", "ä"), ("b", "B")]


@pytest.mark.parametrize(
    ("field", "value"),
    [("chosen", {-1: 0, 0: 0}), ("chosen", {-1: 5}), ("chosen", {0: 0}), ("number", 3), ("after", 0), ("after", -2)],
)
def test_takes_no_tree_out_of_a_file_that_is_none(field: str, value: Any) -> None:
    talk = dialogue("a")
    answered(talk.ask("One?"), "A")
    kept = json.loads(talk.model_dump_json())
    (kept if field == "chosen" else kept["exchanges"][0])[field] = value
    with pytest.raises(ValidationError):
        Dialogue.model_validate_json(json.dumps(kept))
