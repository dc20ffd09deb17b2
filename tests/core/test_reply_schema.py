"""What an answer has to be, as it is sent and as it is read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from kubeai_notebook.core.chat_messages import Reply
from kubeai_notebook.core.reply_schema import reply_schema
from kubeai_notebook.errors import CallError, UsageError

PLACE = {"title": "A place", "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class City(BaseModel):
    name: str
    people: int


def parsed(text: str, schema: Any) -> Any:
    reply = Reply(text)
    reply.judge(reply_schema(schema), must_call=False)
    return reply.parsed


@pytest.mark.parametrize("schema", [City, ["good", "bad"], PLACE, {"enum": [1, 2]}])
def test_is_sent_with_the_members_that_kubeais_structs_know(schema: Any) -> None:
    form = reply_schema(schema).response_format
    assert set(form) == {"type", "json_schema"}
    assert set(form["json_schema"]) <= {"name", "description", "schema", "strict"}
    assert form["json_schema"]["name"].replace("_", "").isalnum()


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (City, '{"name": "Paris", "people": 3}', City(name="Paris", people=3)),
        (["good", "bad"], '{"label": "good"}', "good"),
        (["good", "bad"], "bad\n", "bad"),
        (PLACE, '{"city": "Rome"}', {"city": "Rome"}),
        ({"type": "array"}, "[1, 2]", [1, 2]),
        ({"type": ["integer", "null"]}, "null", None),
        ({"anyOf": [{"type": "string"}]}, '"x"', "x"),
    ],
)
def test_gives_the_value_that_the_answer_holds(schema: Any, text: str, value: Any) -> None:
    assert parsed(text, schema) == value


@pytest.mark.parametrize(
    ("schema", "text", "sentence"),
    [
        (City, '{"name": "Paris"}', "The answer is not a City (people: Field required)."),
        (City, '{"name": "Par', "The answer is not a City (Invalid JSON)."),
        (["good", "bad"], "so so", "The answer is none of the 2 labels."),
        (PLACE, "Rome", "The answer is not JSON."),
        (PLACE, "[]", "The answer is JSON, but no object."),
        (PLACE, "{}", "The answer lacks city, which the schema requires."),
        ({"enum": [1, 2]}, "3", "The answer is none of the values that the schema lists."),
        (PLACE, "[" * 100_000, "The answer is not JSON."),
    ],
)
def test_says_why_an_answer_is_something_else(schema: Any, text: str, sentence: str) -> None:
    with pytest.raises(CallError) as refused:
        parsed(text, schema)
    assert str(refused.value).startswith(sentence)


def test_has_no_value_where_nothing_was_asked_for() -> None:
    assert Reply("x").parsed is None


@pytest.mark.parametrize(
    "schema", [{"type": ["string", {}]}, {"type": {"a": 1}}, {"type": "object", "required": 5}, {"type": 5}]
)
def test_refuses_a_schema_that_it_could_not_read_an_answer_with(schema: Any) -> None:
    with pytest.raises(UsageError, match="^schema= has a "):
        reply_schema(schema)


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ({"type": "strng"}, 'schema= has the type "strng". Did you mean "string"?'),
        ({"type": ["null", "int"]}, 'schema= has the type "int". Did you mean "integer"?'),
        (
            {"type": "object", "properties": {"city": {"type": "str"}}},
            'schema= has the type "str" at properties.city. Did you mean "string"?',
        ),
        (
            {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "any"}]}},
            'schema= has the type "any" at items.anyOf.1. It takes object, array, string, boolean, integer, number',
        ),
        ({"type": "object", "properties": ["city"]}, "schema= has properties that are not schemas by their names."),
        ({"type": "object", "properties": {"city": "string"}}, "schema= has no schema at properties.city."),
        ({"type": "array", "items": "string"}, "schema= has no schema at items."),
        ({"type": "array", "items": int}, "schema= has no schema at items."),
        ({"anyOf": []}, "schema= has an anyOf that is no list of schemas."),
        ({"anyOf": {"type": "string"}}, "schema= has an anyOf that is no list of schemas."),
        ({"enum": "good"}, "schema= has an enum that is no list of values."),
        ({"type": "object", "properties": {"a": {"enum": []}}}, "schema= has an enum that is no list of values at"),
        ({"$ref": "#/$defs/City"}, 'schema= has the reference "#/$defs/City", and nothing is there.'),
        ({"type": "object", "required": ["city"]}, 'schema= requires "city", which its properties do not describe.'),
        (
            {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["cty"]},
            'schema= requires "cty", which its properties do not describe. Did you mean "city"?',
        ),
    ],
)
def test_names_the_place_of_a_slip_in_a_schema(schema: Any, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        reply_schema(schema)
    assert str(refused.value).startswith(sentence)


CITY: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
NESTED: dict[str, Any] = {}
NESTED |= {"type": "object", "properties": {"child": NESTED}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"$ref": "#/$defs/City", "$defs": {"City": CITY}},
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": CITY}},
        {"$ref": "#", "type": "object"},
        {"$ref": "https://example.org/city.json"},
        {"allOf": [CITY], "required": ["city"]},
        {**CITY, "anyOf": [{"required": ["city"]}, {"type": "object", "required": ["land"]}]},
        {"type": "object", "patternProperties": {"^c": {"type": "string"}}, "required": ["city"]},
        {"type": "object", "additionalProperties": False, "properties": {"any": True}},
        {"type": "object", "properties": {"type": {"type": "string"}, "properties": {"enum": [1]}}},
        {"type": "array", "prefixItems": [CITY, {"const": None}], "items": False},
        {"type": "array", "items": [CITY]},
        {"enum": [{"type": "strng"}], "default": {"type": "strng"}, "examples": ["strng"]},
        {**CITY, "title": "City", "description": "of a country", "strict": 1},
        City.model_json_schema(),
        NESTED,
    ],
)
def test_lets_every_schema_through_that_an_engine_may_follow(schema: Any) -> None:
    assert reply_schema(schema).given is schema


@pytest.mark.parametrize("kind", ["integer", "number"])
def test_does_not_take_true_for_a_number(kind: str) -> None:
    with pytest.raises(CallError, match=f"no {kind}"):
        parsed("true", {"type": kind})


def test_reads_the_answer_behind_the_reasoning() -> None:
    assert parsed('<think>hm</think>\n{"city": "Rome"}', PLACE) == {"city": "Rome"}


class Counted(dict[str, Any]):
    """A part of a schema that counts how often it is read."""

    reads = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.reads += 1
        return super().get(key, default)


def test_reads_a_part_once_that_stands_in_many_places() -> None:
    lone, shared = Counted(type="string"), Counted(type="string")
    reply_schema({"type": "object", "properties": {"a": lone}})
    part: dict[str, Any] = shared
    for _ in range(12):
        part = {"type": "object", "properties": {"a": part, "b": part}}
    assert reply_schema(part).given is part
    assert shared.reads == lone.reads > 0


def test_takes_a_part_that_holds_itself() -> None:
    part: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
    part["properties"]["itself"] = part
    tuples = {"type": "array", "prefixItems": [{"type": "string"}], "items": {"$ref": "#/prefixItems/0"}}
    assert [reply_schema(one).given for one in (part, tuples)] == [part, tuples]
