"""Answers become typed cells, or a sentence that quotes none of them."""

from __future__ import annotations

import enum
import json
from typing import Literal

import pytest
from pydantic import BaseModel, Field, field_validator

from kubeai_notebook.core.answer_schema import NotTheSchemaError, answer_schema
from kubeai_notebook.errors import UsageError


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Place(BaseModel):
    city: str


class Review(BaseModel):
    mood: Literal["good", "bad"]
    stars: int
    price: float | None = None
    again: bool = False
    colour: Colour = Colour.RED
    words: list[str] = []
    place: Place | None = None


ANSWER = {"mood": "good", "stars": 3, "words": ["a"], "place": {"city": "Rome"}, "colour": "blue"}


def test_reads_the_columns_of_a_class_from_its_schema() -> None:
    assert answer_schema(Review).columns == {
        "mood": "text", "stars": "integer", "price": "number", "again": "boolean", "colour": "text", "words": "any",
        "place": "any",
    }  # fmt: skip


def test_gives_a_value_for_each_column() -> None:
    values = answer_schema(Review).values_of(json.dumps(ANSWER))
    assert values == ("good", 3, None, False, "blue", ["a"], {"city": "Rome"})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("secret words", "The answer is not a Review (Invalid JSON)."),
        (json.dumps({**ANSWER, "stars": "secret"}), "The answer is not a Review (stars: Input should be a valid"),
        (json.dumps({**ANSWER, "stars": 1 << 70}), "The answer is not a Review (stars needs more than 64 bits)."),
    ],
)
def test_says_what_is_wrong_and_quotes_nothing(text: str, sentence: str) -> None:
    with pytest.raises(NotTheSchemaError) as raised:
        answer_schema(Review).values_of(text)
    assert str(raised.value).startswith(sentence)
    assert "secret" not in str(raised.value)


def test_takes_one_of_the_labels_only() -> None:
    schema = answer_schema(["good", "bad"], into="mood")
    assert schema.columns == {"mood": "text"}
    assert schema.values_of('{"label": "bad"}') == ("bad",)
    assert schema.values_of(" good\n") == ("good",)
    for text in ('{"label": "ugly"}', "ugly", "[]", '{"label": ["good"]}'):
        with pytest.raises(NotTheSchemaError, match="none of the 2 labels"):
            schema.values_of(text)


def test_asks_the_engine_for_it() -> None:
    form = answer_schema(["good", "bad"]).response_format
    assert form is not None
    assert form["json_schema"]["schema"]["properties"]["label"]["enum"] == ["good", "bad"]
    assert answer_schema(None).response_format is None


def test_takes_the_words_of_a_validator() -> None:
    class Even(BaseModel):
        number: int

        @field_validator("number")
        @classmethod
        def check(cls, number: int) -> int:
            if number % 2:
                raise ValueError("it is odd")
            return number

    with pytest.raises(NotTheSchemaError, match="number: Value error, it is odd"):
        answer_schema(Even).values_of('{"number": 3}')


class Nothing(BaseModel):
    pass


@pytest.mark.parametrize("schema", [["one"], [1, 2], "text", {"a": 1}, ["a", "a"], Nothing, int])
def test_refuses_what_is_no_schema(schema: object) -> None:
    with pytest.raises(UsageError):
        answer_schema(schema)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(UsageError, match="into="):
        answer_schema(Review, into="x")


class Renamed(BaseModel):
    count: int = Field(validation_alias="n")
    name: str = Field(alias="label", serialization_alias="title")
    place: str = Field(serialization_alias="where")


def test_gives_a_value_for_each_field_that_has_another_name_in_the_answer() -> None:
    schema = answer_schema(Renamed)
    assert list(schema.columns) == ["n", "label", "place"]
    assert schema.values_of('{"n": 3, "label": "x", "place": "here"}') == (3, "x", "here")


@pytest.mark.parametrize(
    ("labels", "text", "label"),
    [
        (["1", "2", "3"], "1", "1"),
        (["true", "false"], " true\n", "true"),
        (["null", "other"], "null", "null"),
        (["good", "bad"], '"good"', "good"),
        (["1", "2"], '{"label": "1"}', "1"),
    ],
)
def test_takes_a_label_that_is_answered_plainly(labels: list[str], text: str, label: str) -> None:
    assert answer_schema(labels).values_of(text) == (label,)


@pytest.mark.parametrize("text", ["3", "true", '{"label": 1}', '{"label": ["1"]}', "[1]", "null", ""])
def test_takes_nothing_else_for_a_label(text: str) -> None:
    with pytest.raises(NotTheSchemaError, match="none of the 2 labels"):
        answer_schema(["1", "2"]).values_of(text)
