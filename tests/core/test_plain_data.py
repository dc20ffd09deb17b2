"""Only what JSON can hold goes on to the rules."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import SecretStr

from kubeai_notebook.core.model_spec import Adapter
from kubeai_notebook.core.plain_data import check_fields
from kubeai_notebook.errors import SpecError


def test_takes_what_a_model_is_made_of() -> None:
    check_fields({
        "args": ("--a", "b"), "env": {"A": "1", "B": 2, "C": 1.5, "D": None, "E": True},
        "adapters": [Adapter(name="a", url="hf://a/b")], "secrets": {"HF_TOKEN"}, "scaling": {"load_balancing": {}},
    })  # fmt: skip
    check_fields({"secrets": {"HF_TOKEN": SecretStr("hf_secret")}})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ([1], "must be a mapping of names to values, not list"),
        ({1: 2}, "A field's name must be text, not int."),
        ({"env": {1: "x"}}, 'The field "env" has the key 1, and keys must be text.'),
        ({"env": {("a",): "x"}}, 'The field "env" has a key of type tuple'),
        ({"env": {"A": {"b"}}}, 'The field "env.A" is of type set, which no Model can hold.'),
        ({"env": {"A": date(2026, 1, 1)}}, 'The field "env.A" is of type date'),
        ({"args": ["a", b"hf_secret"]}, 'The field "args[1]" is of type bytes'),
        ({"min_replicas": float("inf")}, 'The field "min_replicas" is no finite number.'),
        ({"min_replicas": 10**5000}, 'The field "min_replicas" is a number with more digits'),
    ],
)
def test_names_the_field_and_never_the_value(fields: Any, sentence: str) -> None:
    with pytest.raises(SpecError) as raised:
        check_fields(fields)
    assert sentence in str(raised.value)
    assert "hf_secret" not in str(raised.value)


def test_names_every_field_at_once() -> None:
    with pytest.raises(SpecError) as raised:
        check_fields({"env": {"A": {1}, "B": b"x"}, "args": [1j]})
    assert [problem.field for problem in raised.value.notices] == ["env.A", "env.B", "args[0]"]


def test_ends_where_a_list_holds_itself() -> None:
    holder: list[Any] = []
    holder.append(holder)
    with pytest.raises(SpecError, match='"args" nests deeper than 40 levels'):
        check_fields({"args": holder})
    with pytest.raises(SpecError):
        check_fields({"args": [holder, holder], "env": {"A": holder}})
