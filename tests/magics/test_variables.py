"""What a line's --schema and TABLE stand for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kubeai_notebook.errors import UsageError
from kubeai_notebook.magics.batch import _embedded, _table
from kubeai_notebook.magics.variables import schema_of


def call_with(**options: Any) -> Any:
    """A call whose words were all typed."""
    shell = SimpleNamespace(user_ns=VARIABLES)
    return SimpleNamespace(options=SimpleNamespace(filled=frozenset(), **options), variables=VARIABLES, shell=shell)


VARIABLES: dict[str, Any] = {"labels": ["a", "b"], "both": {"x": ["c", "d"]}, "n": 5, "f": len}


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        (None, None),
        ("labels", ["a", "b"]),
        ("both['x']", ["c", "d"]),
        ("good, bad", ["good", "bad"]),
        ('{"type":"object","required":["a","b"]}', {"type": "object", "required": ["a", "b"]}),
    ],
)
def test_takes_a_variable_an_expression_json_or_labels(text: str | None, schema: Any) -> None:
    assert schema_of(call_with(schema=text)) == schema


@pytest.mark.parametrize(("text", "words"), [("{a,b", "is not JSON"), ("label", "no variable .*labels")])
def test_names_a_schema_that_is_none(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        schema_of(call_with(schema=text))


@pytest.mark.parametrize("name", ["n", "f"])
def test_does_not_embed_what_holds_no_texts(name: str) -> None:
    call = call_with(what=[name])
    with pytest.raises(UsageError, match="holds no texts"):
        _embedded(call)


def test_names_a_table_whose_name_is_longer_than_a_files() -> None:
    call = call_with(table="x" * 300)
    with pytest.raises(UsageError, match="There is no variable"):
        _table(call)
