"""What a playground does with the functions that a Model asks for: shown whole, and called only when they may be."""

from __future__ import annotations

import pytest

from kubeai_notebook.errors import UsageError
from tests.support.playground import Page, states
from tests.support.talking import Engine, event, said, saying

CALL = {"index": 0, "id": "c1", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}


def calling(arguments: str, count: int = 1) -> bytes:
    """A stream that ends in so many calls of `add` with these arguments, as the model wrote them."""
    function = {"name": "add", "arguments": arguments}
    calls = [{"index": index, "id": f"c{index}", "function": function} for index in range(count)]
    return event({"index": 0, "delta": {"tool_calls": calls}, "finish_reason": "tool_calls"}) + b"data: [DONE]\n\n"


def asked_for(page: Page) -> str:
    return page.playground.state().exchanges[0].answers[0].calls_id


CALLS = event({"index": 0, "delta": {"tool_calls": [CALL]}, "finish_reason": "tool_calls"}) + b"data: [DONE]\n\n"


@pytest.mark.parametrize(("allowed", "content"), [(True, "3"), (False, "The user did not allow this.")])
def test_calls_a_function_only_when_it_may(talk: tuple[Page, Engine], allowed: bool, content: str) -> None:
    page, engine = talk
    engine.says = saying(CALLS)
    page.playground.ask("What is 1 + 2?")
    page.until_over()
    (answer,) = page.playground.state().exchanges[0].answers
    assert (answer.state, answer.calls[0].name, len(engine.asked)) == ("asking", "add", 1)
    engine.says = saying(said("It is 3."))
    page.playground.call(0, 0, asked_for(page), allowed=allowed)
    page.until_over()
    assert engine.turns[-1] == {"role": "tool", "tool_call_id": "c1", "content": content}
    assert (states(page), page.told(0)) == (["done"], "It is 3.")
    with pytest.raises(UsageError, match="No function waits"):
        page.playground.call(0, 0, asked_for(page), allowed=True)


def test_calls_nothing_that_a_model_asks_for_behind_what_was_allowed(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    engine.says = saying(CALLS)
    page.playground.ask("What is 1 + 2?")
    page.until_over()
    allowed = asked_for(page)
    page.playground.call(0, 0, allowed, allowed=True)
    page.until_over()
    assert page.playground.state().exchanges[0].answers[0].state == "asking"
    with pytest.raises(UsageError, match="asks for something else by now"):
        page.playground.call(0, 0, allowed, allowed=True)
    engine.says = saying(said("It is 3."))
    page.playground.call(0, 0, asked_for(page), allowed=True)
    page.until_over()
    assert (states(page), len(engine.asked)) == (["done"], 3)


def test_tells_a_page_where_a_paragraph_ends_before_a_call(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    engine.says = saying(event({"index": 0, "delta": {"content": "Let me see."}, "finish_reason": None}) + CALLS)
    page.playground.ask("What is 1 + 2?")
    page.until_over()
    engine.says = saying(said("It is 3."))
    page.playground.call(0, 0, asked_for(page), allowed=True)
    page.until_over()
    whole_text = page.playground.text(0, 0)
    assert (page.told(0), whole_text.text) == ("Let me see.\n\nIt is 3.",) * 2
    assert [piece.seq for piece in page.pieces] == [*range(whole_text.seq)]


@pytest.mark.parametrize(
    "arguments",
    [
        '{"a": 1, "b": 2, "a": 3}',
        '{"a": 1, "note": "' + "x" * 5000 + '"}',
        "[1, 2]",
        "[" * 100_000,
    ],
    ids=["twice", "long", "list", "deep"],
)
def test_lets_nobody_allow_a_call_that_cannot_be_shown(talk: tuple[Page, Engine], arguments: str) -> None:
    page, engine = talk
    engine.says = saying(calling(arguments))
    page.playground.ask("What is 1 + 2?")
    page.until_over()
    with pytest.raises(UsageError, match="Refuse the call"):
        page.playground.call(0, 0, asked_for(page), allowed=True)
    engine.says = saying(said("Then not."))
    page.playground.call(0, 0, asked_for(page), allowed=False)
    page.until_over()
    assert states(page) == ["done"]


def test_lets_nobody_allow_more_calls_than_it_shows(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    engine.says = saying(calling('{"a": 1, "b": 2}', 20_000))
    page.playground.ask("What is 1 + 2?")
    page.until_over()
    (answer,) = page.playground.state().exchanges[0].answers
    sentence = "19950 more calls are not shown, so none can be allowed."
    assert (len(answer.calls), answer.calls_not_shown) == (50, sentence)
    with pytest.raises(UsageError, match=f"{sentence} Refuse the call"):
        page.playground.call(0, 0, asked_for(page), allowed=True)


def test_shows_every_sign_of_a_call(talk: tuple[Page, Engine]) -> None:
    """What is left out where it is shown would run all the same."""
    page, engine = talk
    engine.says = saying(calling('{"a": "ls #\x9d\u202e\\ntouch x", "b":   2}'))
    page.playground.ask("What is 1 + 2?")
    page.until_over()
    (answer,) = page.playground.state().exchanges[0].answers
    assert answer.calls[0].arguments == r'{"a": "ls #\u009d\u202e\ntouch x", "b": 2}'


def test_calls_no_function_that_was_not_given(talk: tuple[Page, Engine]) -> None:
    page, engine = talk
    page.playground.tools = []
    engine.says = saying(CALLS)
    page.playground.ask("What is 1 + 2?")
    page.until_over()
    with pytest.raises(UsageError, match="no function add"):
        page.playground.call(0, 0, asked_for(page), allowed=True)
