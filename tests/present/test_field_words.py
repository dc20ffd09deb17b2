"""A field is called what its reader sees: a label, an option, a parameter."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import SecretStr

from kubeai_notebook.core.fields import FIELDS
from kubeai_notebook.core.spec import draft_of
from kubeai_notebook.present.field_words import in_form, in_line, label_of
from kubeai_notebook.present.form_wire import lines_of
from kubeai_notebook.present.serve_code import texts_of
from tests.support.forms import form, form_of, lines

WRONG: list[dict[str, Any]] = [
    {"scaling": {"min_replicas": -1, "load_balancing": {"replication": 3, "mean_load_factor": 110}}},
    {"scaling": {"load_balancing": {"strategy": "PrefixHash", "replication": 0, "mean_load_factor": 1}}},
    {"scaling": {"replicas": 2}}, {"scaling": {"autoscaling_disabled": True, "max_replicas": 3}},
    {"scaling": {"min_replicas": 3, "max_replicas": 1}}, {"scaling": {"target_requests": "x"}},
    {"secrets": {"A": "x"}}, {"secrets": ["A=ask"]}, {"secrets": [5]}, {"args": 5}, {"env": {"HF_TOKEN": "x"}},
    {"env": {"OLLAMA_HOST": "x", "PORT": "1"}}, {"url": "s3://a/b", "engine": "Infinity"}, {"cache_profile": 7},
    {"url": "ollama://a", "cache_profile": "x"}, {"adapters": {"A B": "x"}}, {"adapters": [{"name": "a"}]},
    {"files": {"x:y": "z"}}, {"resource_profile": "gpu:0"}, {"priority_class_name": ["a"]}, {"labels": {"a b": "c"}},
    {"adapters": {"x": "hf://c/d", "y": "hf://e/f"}, "scaling": {"min_replicas": 0}}, {"url": "gs://a/b"},
]  # fmt: skip
TECHNICAL = re.compile(
    rf"\b({'|'.join(field.name for field in FIELDS if '_' in field.name)}|scaling\.|load_balancing|SecretStr|pydantic)"
    r"|\benv\.|\[\d+\]"
)


@pytest.mark.parametrize("fields", WRONG, ids=str)
def test_says_nothing_of_python_below_a_field_of_a_form(fields: dict[str, Any]) -> None:
    draft = draft_of({"url": "hf://org/model", **fields})
    below = lines_of(draft.notices)
    texts = texts_of({}, draft)
    said = [*(line.text for line in below), *(remedy.title for line in below for remedy in line.remedies)]
    assert len(below) > 1
    assert [text for text in [*said, texts.summary, texts.problem] if TECHNICAL.search(text)] == []


def test_says_nothing_of_python_above_the_buttons_of_a_form() -> None:
    one = form_of(url="hf://org/model", scaling={"target_requests": 0})
    one.deploy()
    assert one._actions.status == 'Not deployed: The field "Target requests" must be 1 or more.'


@pytest.mark.parametrize(
    ("python", "label", "option"),
    [
        ('The field "scaling.target_requests" must be 1 or more.', '"Target requests"', "--target-requests must"),
        ("Set scaling.load_balancing.strategy to PrefixHash.", 'Set "Load balancing" to', "Set --load-balancing to"),
        ("Remove env.HF_HOME.", "Remove the variable HF_HOME.", "Remove --env HF_HOME."),
        ("Add it to args.", 'to "Engine arguments".', "Add it to args."),
        ('The field "adapters[1].url" is missing.', '"LoRA adapters" (row 2, url) is', 'field "adapters[1].url" is'),
    ],
)
def test_says_the_label_in_a_form_and_the_option_in_a_line(python: str, label: str, option: str) -> None:
    assert label in in_form(python)
    assert option in in_line(python)


@pytest.mark.parametrize("own", [
    'The name "min_replicas" may hold …', "--min_replicas=1", "hf://org/min_replicas", 'A Model has no field "args2".',
    'A Model has no field "scaling.foo".', "/config/env/x", "The engine, its image and its name.",
])  # fmt: skip
def test_leaves_the_words_of_its_reader_as_they_are(own: str) -> None:
    assert in_form(own) == in_line(own) == own


def test_says_in_python_the_parameter() -> None:
    (notice,) = form({"url": "hf://a/b", "scaling": {"target_requests": 0}}).draft.errors
    assert str(notice) == 'The field "scaling.target_requests" must be 1 or more.'


def test_says_under_secrets_that_a_value_is_to_be_typed() -> None:
    one = form_of(url="hf://a/b", secrets={"A": SecretStr("")})
    assert any("Type its value below the secrets" in line for line in lines(one, "secrets"))


def test_has_a_label_for_every_field() -> None:
    assert all(label_of(field.name)[0].isupper() and "_" not in label_of(field.name) for field in FIELDS)
