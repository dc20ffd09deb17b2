import itertools
import pickle

from hypothesis import given
from hypothesis import strategies as st

from kubeai_notebook.core.chat_messages import Delta, Reply, ToolCall, Usage, fold, reply_of


def test_adds_up_to_the_whole_text() -> None:
    reply = reply_of([Delta(text="Pa"), Delta(text="ris"), Delta(finish_reason="stop"), Delta(usage=Usage(5, 2))])
    assert reply == "Paris"
    assert (reply.finish_reason, reply.usage) == ("stop", Usage(5, 2))


def test_leaves_the_reply_before_unchanged() -> None:
    before = Reply("a")
    assert (fold(before, [Delta(text="b"), Delta(text="c")]), before) == ("abc", "a")


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
