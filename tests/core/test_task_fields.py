"""What may be said of vectors and of a recording: each field has a line, and what cannot be is one sentence."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from kubeai_notebook.core.shown_fields import docs_of
from kubeai_notebook.core.task_fields import (
    EmbedFields,
    TranscribeFields,
    checked_embed_fields,
    checked_transcribe_fields,
)
from kubeai_notebook.errors import UsageError
from kubeai_notebook.session.model import Model

CHECKS: dict[str, Any] = {"embed": checked_embed_fields, "transcribe": checked_transcribe_fields}


@pytest.mark.parametrize(
    ("call", "fields", "sentence"),
    [
        ("embed", {"nonsense": 1}, "embed() takes no nonsense=. Fields of an engine's own go into extra_body="),
        ("embed", {"dimension": 9}, 'embed() takes no dimension=. Did you mean "dimensions"?'),
        ("embed", {"rol": "query"}, 'embed() takes no rol=. Did you mean "role"?'),
        ("embed", {"model": "x"}, "embed() takes no model=. This handle is the Model."),
        ("embed", {"extra_body": {"input": "x"}}, "embed() takes no input in extra_body=. The texts are the first"),
        ("embed", {"dimensions": 0}, "dimensions= takes a whole number from 1 up, not 0."),
        ("embed", {"encoding_format": "hex"}, "encoding_format= takes base64 or float."),
        ("embed", {"prefix": 3}, "prefix= takes a text, not int."),
        ("transcribe", {"nonsense": 1}, "transcribe() takes no nonsense=. Fields of an engine's own go into extra"),
        ("transcribe", {"lang": "en"}, 'transcribe() takes no lang=. Did you mean "language"?'),
        ("transcribe", {"stream": True}, "transcribe() takes no stream=. It gives the whole text; model.client"),
        ("transcribe", {"temperature": -1}, "temperature= takes a number from 0 up, not -1."),
        ("transcribe", {"timestamp_granularities": 3}, "timestamp_granularities= takes a list of word and segment."),
        ("transcribe", {"language": 3}, "language= takes a text, not 3."),
    ],
)
def test_refuses_a_field_that_cannot_be(call: str, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        CHECKS[call](fields)
    assert str(refused.value).startswith(sentence)


def test_sends_what_the_routes_know() -> None:
    said: Any = {"dimensions": 8, "prefix": "", "user": None, "extra_body": {"truncate_prompt_tokens": 9}}
    assert checked_embed_fields(said) == {"dimensions": 8, "prefix": "", "truncate_prompt_tokens": 9}
    said = {"language": None, "prompt": "", "timestamp_granularities": "word", "timeout_seconds": 5}
    assert checked_transcribe_fields(said) == {"timestamp_granularities": ["word"], "timeout": 5.0}


@pytest.mark.parametrize(("function", "fields"), [(Model.embed, EmbedFields), (Model.transcribe, TranscribeFields)])
def test_shows_each_field_where_people_look(function: Any, fields: type) -> None:
    names = docs_of(fields)
    assert set(names) <= set(inspect.signature(function).parameters)
    assert all(f"    {name}: {line}." in (function.__doc__ or "") for name, line in names.items())
