"""What of a chat is refused before it is sent, in one sentence, and what is sent."""

from __future__ import annotations

import inspect
import json
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from kubeai_notebook.core.chat_fields import ChatFields, CompleteFields
from kubeai_notebook.core.chat_request import chat_request, complete_request
from kubeai_notebook.core.shown_fields import docs_of
from kubeai_notebook.errors import UsageError
from kubeai_notebook.session.conversation import Conversation
from kubeai_notebook.session.model import Model

HI = "Hi"


def weather(city: str, unit: Literal["C", "F"] = "C", days: list[int] | None = None) -> str:
    """The weather of a city."""
    return f"{city} {unit} {days}"


def spread(*cities: str) -> None: ...


TOOL = {"type": "function", "function": {"name": "other", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        (None, "chat() takes a text or a list of turns, not None."),
        (float("nan"), "chat() takes a text or a list of turns, not NaN."),
        (3, "chat() takes a text or a list of turns, not an int."),
        (b"Hi", "chat() takes a text or a list of turns, not a bytes."),
        (pd.Series(["a"]), "chat() takes a text or a list of turns, not a Series."),
        ({"role": "user"}, "chat() takes a text or a list of turns, not one turn. Put it into a list: [turn]."),
        ("", "chat() has nothing to send: the text is empty."),
        (" \n", "chat() has nothing to send: the text is empty."),
        ([], "chat() has nothing to send: the list of turns is empty."),
        (["Hi"], 'Turn 1 is a str, not a turn. A turn is {"role": "user", "content": "…"}.'),
        ([{"role": "usr", "content": "x"}], 'Turn 1 has no role that a model knows. Did you mean "user"?'),
        ([{"content": "x"}], "Turn 1 has no role that a model knows. Roles are"),
        ([{"role": "user", "content": "x"}, {"role": "user", "content": " "}], "Turn 2 (user) has no text."),
        ([{"role": "user", "content": None}], "Turn 1 (user) has no text."),
        ([{"role": "user", "content": 5}], "Turn 1 has a content that is an int, not a text or a list of parts."),
        ([{"role": "user", "content": ["x"]}], "Turn 1 has a content whose parts are not all parts with a type."),
        ("half \ud800 of it", "The text holds half of a character, which cannot be sent."),
        ([{"role": "user", "content": "x", "extra": {1, 2}}], "A field of the request cannot be written as JSON."),
        ("x" * 10_000_000, "The text has 10,000,000 characters, which is more than any open model reads at once."),
    ],
)
def test_refuses_a_prompt_that_cannot_be_sent(prompt: Any, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        chat_request(prompt, {})
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"max_token": 5}, 'chat() takes no max_token=. Did you mean "max_tokens"?'),
        ({"sytem": "x"}, 'chat() takes no sytem=. Did you mean "system"?'),
        ({"n": 2}, "chat() takes no n=. A Reply is one answer; ask again for another one, with another seed=."),
        ({"stream": True}, "chat() takes no stream=. stream() and astream() give the pieces."),
        (
            {"messages": []},
            "chat() takes no messages=. The prompt is a text, or a chat's list of turns.",
        ),
        ({"model": "x"}, "chat() takes no model=. This handle is the Model; adapter= names one of its adapters."),
        ({"response_format": {}}, "chat() takes no response_format=. schema= makes it."),
        ({"timeout": 3}, "chat() takes no timeout=. timeout_seconds= is that."),
        ({"top_k": 3}, 'chat() takes no top_k=. Did you mean "top_p"? Fields of an engine\'s own go into extra_body='),
        ({"max_tokens": 0}, "max_tokens= takes a whole number from 1 up, not 0."),
        ({"max_tokens": 1.5}, "max_tokens= takes a whole number from 1 up, not 1.5."),
        ({"max_tokens": True}, "max_tokens= takes a whole number from 1 up, not True."),
        ({"max_tokens": "5"}, "max_tokens= takes a whole number from 1 up, not a text."),
        ({"max_tokens": 10**400}, "max_tokens= takes a whole number from 1 up, not 1000"),
        ({"temperature": -1}, "temperature= takes a number from 0 up, not -1."),
        ({"temperature": float("nan")}, "temperature= takes a number from 0 up, not nan."),
        ({"temperature": float("inf")}, "temperature= takes a number from 0 up, not inf."),
        ({"top_p": 0}, "top_p= takes a number above 0, up to 1, not 0."),
        ({"seed": 2**64}, "seed= takes a whole number of 64 bits, not 18446744073709551616."),
        ({"presence_penalty": 3}, "presence_penalty= takes a number from -2 to 2, not 3."),
        ({"timeout_seconds": 0}, "timeout_seconds= takes a number of seconds above 0, not 0."),
        ({"stop": 3}, "stop= takes a text, or a list of texts, none of them empty."),
        ({"stop": ["a", ""]}, "stop= takes a text, or a list of texts, none of them empty."),
        ({"system": ""}, "system= takes a text, not an empty one."),
        ({"system": ["x"]}, "system= takes a text, not list."),
        ({"adapter": 1}, "adapter= takes a text, not 1."),
        ({"extra_body": "x"}, "extra_body= takes the fields of the request by their names, not a text."),
        ({"extra_body": {"n": 2}}, "chat() takes no n in extra_body=. A Reply is one answer"),
        ({"extra_body": {"stream": False}}, "chat() takes no stream in extra_body=."),
        (
            {"extra_body": {"response_format": {}}, "schema": ["a", "b"]},
            "chat() takes no response_format in extra_body=. schema= makes it.",
        ),
        ({"extra_body": {"x": object()}}, "A field of the request cannot be written as JSON."),
        ({"schema": int}, "schema= takes a pydantic class, a list of labels or a JSON schema, not int."),
        (
            {"schema": "wet, dry"},
            "schema= takes a pydantic class, a list of labels or a JSON schema, not a text. "
            'Labels are a list: schema=["wet", "dry"].',
        ),
        ({"schema": ["one"]}, "schema= takes two labels or more, each a text. Labels are a list: schema="),
        ({"labels": ["a", "b"]}, 'chat() takes no labels=. schema= takes labels: schema=["good", "bad"].'),
        ({"schema": {"city": "str"}}, "schema= takes the JSON schema itself, which says at least its type."),
        ({"tools": weather}, "tools= takes a list of functions or of tools, not a function. Put it into a list."),
        ({"tools": []}, "tools= is empty. Leave it out."),
        ({"tools": [3]}, "tools= takes named functions and tools, not an int."),
        ({"tools": [lambda city: city]}, "tools= takes named functions and tools, not a function."),
        ({"tools": [spread]}, "The parameters of spread() cannot be told to a model. Give it a type hint"),
        ({"tools": [{"name": "x"}]}, "tools= holds a mapping that is no tool. A tool is"),
        (
            {"tools": [{"type": "function", "function": {"name": "x", "parameters": {"properties": {"a": "str"}}}}]},
            'The tool "x" has no schema at properties.a.',
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "x", "parameters": {"type": "objekt"}}}]},
            'The tool "x" has the type "objekt". Did you mean "object"?',
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "x", "parameters": ["a"]}}]},
            'The tool "x" has no schema.',
        ),
        ({"tools": [weather, weather]}, 'tools= has two with the name "weather".'),
        ({"tool_choice": "auto"}, "tool_choice= chooses among tools=, and there are none."),
        (
            {"tools": [weather], "tool_choice": "wether"},
            'tool_choice= names none of the tools. Did you mean "weather"?',
        ),
        ({"tools": [weather], "tool_choice": 5}, "tool_choice= names none of the tools. It takes auto, none"),
    ],
)
def test_refuses_a_field_that_cannot_be(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        chat_request(HI, fields)
    assert str(refused.value).startswith(sentence)
    assert len(str(refused.value)) < 700


def test_refuses_an_instruction_beside_a_system_turn() -> None:
    turns = [{"role": "system", "content": "x"}, {"role": "user", "content": "y"}]
    with pytest.raises(UsageError, match="There is a system turn already"):
        chat_request(turns, {"system": "z"})


@pytest.mark.parametrize(
    ("prompt", "fields", "sentence"),
    [
        (["a", "b"], {}, "complete() goes on with one text, not a list. map() asks for each of many."),
        (None, {}, "complete() goes on with one text, not None."),
        ("", {}, "complete() has nothing to go on with: the text is empty."),
        ("x", {"system": "y"}, "complete() takes no system=."),
        ("x", {"schema": ["a", "b"]}, "complete() takes no schema=."),
        ("x", {"best_of": 3}, "complete() takes no best_of=. A Reply is one answer."),
    ],
)
def test_refuses_a_completion_that_cannot_be_sent(prompt: Any, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        complete_request(prompt, fields)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    "text", ["{a}", "{{b}}", "100 %", "%s", "$x$", r"\frac{a}{b}", "{% if x %}", "🦜 é", "\x00\x1b[1m"]
)
def test_sends_every_text_as_it_is(text: str) -> None:
    body = chat_request(text, {"system": text}).body
    assert [turn["content"] for turn in json.loads(json.dumps(body))["messages"]] == [text, text]


def test_writes_fields_as_kubeais_gateway_takes_them() -> None:
    fields = {"stop": "x", "max_tokens": np.int64(3), "temperature": np.float32(0), "seed": None, "adapter": "loud"}
    request = chat_request(HI, {**fields, "timeout_seconds": 2, "extra_body": {"top_k": 3}})
    turns = [{"role": "user", "content": HI}]
    assert request.body == {"messages": turns, "stop": ["x"], "max_tokens": 3, "temperature": 0.0, "top_k": 3}
    assert (request.adapter, request.timeout_seconds) == ("loud", 2)
    assert type(request.body["max_tokens"]) is int


def test_takes_turns_with_pictures_and_tool_calls() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {}}]},
        {"role": "tool", "tool_call_id": "1", "content": ""},
    ]
    assert chat_request(turns, {}).body["messages"] == turns


def test_tells_a_function_to_a_model_by_its_name_docstring_and_types() -> None:
    (tool,) = chat_request(HI, {"tools": [weather]}).body["tools"]
    assert (tool["type"], tool["function"]["name"]) == ("function", "weather")
    assert tool["function"]["description"] == "The weather of a city."
    parameters = tool["function"]["parameters"]
    assert parameters["required"] == ["city"]
    assert parameters["properties"]["unit"]["enum"] == ["C", "F"]


def test_sends_only_the_tool_that_must_be_called() -> None:
    request = chat_request(HI, {"tools": [weather, TOOL], "tool_choice": "weather"})
    assert [tool["function"]["name"] for tool in request.body["tools"]] == ["weather"]
    assert (request.body["tool_choice"], request.must_call) == ("required", True)
    openais = {"type": "function", "function": {"name": "other"}}
    named = chat_request(HI, {"tools": [weather, TOOL], "tool_choice": openais})
    assert named.body["tools"] == [TOOL]
    left = chat_request(HI, {"tools": [weather, TOOL], "tool_choice": "auto"})
    assert (len(left.body["tools"]), left.body["tool_choice"], left.must_call) == (2, "auto", False)


@pytest.mark.parametrize(
    ("function", "fields"),
    [
        (Model.chat, ChatFields),
        (Model.stream, ChatFields),
        (Model.achat, ChatFields),
        (Model.astream, ChatFields),
        (Model.conversation, ChatFields),
        (Conversation.say, ChatFields),
        (Model.complete, CompleteFields),
    ],
)
def test_shows_each_field_where_people_look(function: Any, fields: type) -> None:
    names = docs_of(fields)
    assert set(names) <= set(inspect.signature(function).parameters)
    assert all(f"    {name}: {line}." in (function.__doc__ or "") for name, line in names.items())
