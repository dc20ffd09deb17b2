import itertools
import json
import pickle
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeai_notebook.core.chat_messages import Delta, Reply, ReplyInProgress, ToolCall, Usage, delta_of
from kubeai_notebook.errors import CallError


def reply_of(deltas: Iterable[Delta]) -> Reply:
    progress = ReplyInProgress()
    for delta in deltas:
        progress.add(delta)
    return progress.reply()


def test_adds_up_to_the_whole_text() -> None:
    reply = reply_of([Delta(text="Pa"), Delta(text="ris"), Delta(finish_reason="stop"), Delta(usage=Usage(5, 2))])
    assert reply == "Paris"
    assert (reply.finish_reason, reply.usage) == ("stop", Usage(5, 2))


def test_leaves_the_reply_so_far_unchanged() -> None:
    progress = ReplyInProgress()
    progress.add(Delta(text="a"))
    before = progress.reply()
    progress.add(Delta(text="b"))
    assert (progress.reply(), before) == ("ab", "a")


class Counted(str):
    """A text that counts what is copied to put it behind another one."""

    copied = 0

    def __radd__(self, other: str) -> str:
        Counted.copied += len(other)
        return f"{other}{self[:]}"


def test_copies_no_text_for_each_piece() -> None:
    pieces = [Delta(text=Counted("word"), reasoning=Counted("word")) for _ in range(1000)]
    call = [ToolCall(index=0, arguments=Counted("word")) for _ in range(1000)]
    reply = reply_of([*pieces, *(Delta(tool_calls=(piece,)) for piece in call)])
    assert (reply, reply.reasoning, reply.tool_calls[0].arguments) == ("word" * 1000,) * 3
    assert Counted.copied <= len(reply)


def test_keeps_reasoning_apart_from_the_text() -> None:
    reply = reply_of([Delta(reasoning="Think"), Delta(reasoning="ing."), Delta(text="42")])
    assert (str(reply), reply.reasoning) == ("42", "Thinking.")


def test_keeps_tool_calls_apart_that_an_engine_numbers_alike() -> None:
    pieces = [
        ToolCall(index=0, id="a", name="weather", arguments='{"city":'),
        ToolCall(index=0, arguments='"Rome"}'),
        ToolCall(index=0, id="b", name="time", arguments="{"),
        ToolCall(index=0, id="b", name="time", arguments="}"),
    ]
    reply = reply_of(Delta(tool_calls=(piece,)) for piece in pieces)
    assert reply.tool_calls == (
        ToolCall(index=0, id="a", name="weather", arguments='{"city":"Rome"}'),
        ToolCall(index=1, id="b", name="time", arguments="{}"),
    )


def test_joins_the_mixed_pieces_of_several_tool_calls() -> None:
    pieces = [
        ToolCall(index=1, id="b", name="time"),
        ToolCall(index=0, id="a", name="weather", arguments='{"city":'),
        ToolCall(index=1, arguments="{}"),
        ToolCall(index=0, id="a", name="weather", arguments='"Rome"}'),
    ]
    reply = reply_of(Delta(tool_calls=(piece,)) for piece in pieces)
    assert reply.tool_calls == (
        ToolCall(index=0, id="a", name="weather", arguments='{"city":"Rome"}'),
        ToolCall(index=1, id="b", name="time", arguments="{}"),
    )


@given(st.text(), st.lists(st.integers(0, 50)))
def test_does_not_depend_on_how_a_text_was_cut(text: str, cuts: list[int]) -> None:
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    assert reply_of(Delta(text=piece) for piece in pieces) == text


def test_is_text_for_pandas_and_for_string_methods() -> None:
    assert Reply(" Paris.").strip().upper() == "PARIS."
    assert isinstance(Reply("x"), str)


def test_survives_pickling() -> None:
    reply = Reply("x", reasoning="y", usage=Usage(1, 2))
    again = pickle.loads(pickle.dumps(reply))
    assert (again, again.reasoning, again.usage) == ("x", "y", Usage(1, 2))


def test_prints_a_piece_as_its_text() -> None:
    assert f"{Delta(text='Hi')}{Delta(reasoning='x')}" == "Hi"


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        (Reply("Hi", finish_reason="stop"), ""),
        (Reply("Hi"), ""),
        (
            Reply("Hi", finish_reason="length", usage=Usage(3, 5)),
            "The answer was cut after 5 tokens; a higher max_tokens lets it end.",
        ),
        (
            Reply("", reasoning="Hm", finish_reason="length", usage=Usage(3, 5)),
            "Its reasoning took 5 tokens, so no answer came; a higher max_tokens leaves room for both.",
        ),
        (
            Reply("<think>Hm", finish_reason="length"),
            "Its reasoning took all its tokens, so no answer came; a higher max_tokens leaves room for both.",
        ),
        (Reply(" ", reasoning="Hm", finish_reason="stop"), "The answer is empty: the model only reasoned."),
        (Reply("<think>Hm</think>\n", finish_reason="stop"), "The answer is empty: the model only reasoned."),
        (Reply("", finish_reason="stop"), "The answer is empty: the model ended at once."),
        (Reply("", finish_reason="tool_calls", tool_calls=(ToolCall(index=0, name="f"),)), ""),
        (
            Reply("x", finish_reason="content_filter"),
            "The server withheld the answer, or a part of it (content_filter).",
        ),
    ],
)
def test_notes_why_it_is_less_than_a_whole_answer(reply: Reply, note: str) -> None:
    assert reply.note == note
    assert repr(reply) == "\n".join([repr(str(reply)), *(["f('')"] if reply.tool_calls else []), *filter(None, [note])])
    assert note not in str(reply) or not note


def test_notes_that_no_tool_was_called() -> None:
    reply = Reply("I would call it.", finish_reason="stop")
    reply.judge(None, must_call=True)
    assert reply.note.startswith("The model called no tool, and one had to be called")


def test_gives_the_arguments_of_a_tool_call_by_their_names() -> None:
    assert ToolCall(index=0, name="f", arguments='{"city": "Rome"}').kwargs == {"city": "Rome"}
    assert ToolCall(index=0, name="f").kwargs == {}
    for cut in ('{"city": "Ro', "[1]", "[" * 100_000):
        with pytest.raises(CallError, match='arguments for "f" that are no JSON object'):
            _ = ToolCall(index=0, name="f", arguments=cut).kwargs


def test_goes_on_as_a_turn() -> None:
    call = ToolCall(index=0, id="1", name="f", arguments="{}")
    assert Reply("x", tool_calls=(call,)).message == {
        "role": "assistant",
        "content": "x",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    assert call.result({"t": 20}) == {"role": "tool", "tool_call_id": "1", "content": '{"t": 20}'}
    assert call.result("warm")["content"] == "warm"


def test_keeps_what_the_engine_added_as_one_answer() -> None:
    tokens = [{"token": "Hi", "logprob": -0.1}]
    chunks = [
        {"id": "1", "choices": [{"delta": {"content": "Hi"}, "logprobs": {"content": tokens}}]},
        {"choices": [{"delta": {"content": "!"}, "finish_reason": "stop"}], "timings": {"ms": 3}},
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
    ]
    raw = reply_of(map(delta_of, chunks)).raw
    assert json.loads(json.dumps(raw)) == {
        "id": "1",
        "object": "chat.completion",
        "timings": {"ms": 3},
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi!"},
                "finish_reason": "stop",
                "logprobs": {"content": tokens},
            }
        ],
    }
