"""The arguments of a batch, as they are checked before a row is asked."""

from __future__ import annotations

from typing import Any

import pytest

from kubeai_notebook.core.chat_fields import checked_fields
from kubeai_notebook.core.map_fields import checked_map_fields
from kubeai_notebook.errors import UsageError


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": "hot"},
        {"max_tokens": -1},
        {"top_p": 9},
        {"stop": 5},
        {"seed": 1.5},
        {"system": 5},
        {"limit": 0.5},
        {"limit": True},
        {"concurrency": True},
        {"concurrency": 0.5},
        {"extra_body": 5},
        {"columns": 5},
    ],
)
def test_refuses_what_a_chat_refuses(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"^{next(iter(fields))}= takes "):
        checked_map_fields(fields, "map")


def test_says_where_labels_go() -> None:
    with pytest.raises(UsageError, match=r'map\(\) takes no labels=\. schema= takes labels: schema=\["good", "bad"\]'):
        checked_map_fields({"labels": ["good", "bad"]}, "map")  # type: ignore[typeddict-unknown-key]  # the mistake itself


def test_takes_what_is_left_out_or_can_be() -> None:
    checked_map_fields({"system": "", "stop": "x", "limit": 1, "columns": ["a"], "max_tokens": None}, "map")


@pytest.mark.parametrize("name", ["n", "best_of", "stream", "stream_options", "messages", "prompt", "model"])
@pytest.mark.parametrize("function", ["map", "mapper"])
def test_refuses_in_extra_body_what_a_chat_refuses_there(name: str, function: str) -> None:
    with pytest.raises(UsageError, match=rf"^{function}\(\) takes no {name} in extra_body=\.") as of_map:
        checked_map_fields({"extra_body": {name: 2}}, function)
    with pytest.raises(UsageError) as of_chat:
        checked_fields({"extra_body": {name: 2}}, "chat")
    assert of_map.value.hint == of_chat.value.hint


def test_takes_another_form_of_answer_where_no_schema_makes_one() -> None:
    extra = {"extra_body": {"response_format": {"type": "json_object"}}}
    checked_map_fields(extra, "map")
    with pytest.raises(UsageError, match=r"map\(\) takes no response_format in extra_body=\. schema= makes it\."):
        checked_map_fields({**extra, "schema": ["good", "bad"]}, "map")
