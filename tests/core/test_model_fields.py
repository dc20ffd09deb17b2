from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

import kubeai_notebook
from kubeai_notebook.core.fields import FIELDS
from kubeai_notebook.core.model_fields import FIELD_DOCS, what_of
from kubeai_notebook.core.model_spec import ModelSpec
from kubeai_notebook.core.spec import draft_of, spec_of
from kubeai_notebook.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

# What a call may say beside the fields of a Model: one mapping of several of them, or what becomes one of them.
BESIDE = {"load_balancing", "processors", "profile", "resources", "scaling"}
URL = "ollama://smollm2:135m"


def test_has_a_line_for_each_field_of_a_model() -> None:
    stated = {field.name for field in FIELDS if "load_balancing" not in field.within}
    assert set(FIELD_DOCS) == stated | BESIDE
    assert all(text and not text.endswith(".") for text in FIELD_DOCS.values())


@pytest.mark.parametrize("name", ["serve", "plan"])
@pytest.mark.parametrize("owner", [kubeai_notebook, kubeai_notebook.Session], ids=["module", "session"])
def test_shows_every_field_with_its_type_and_a_line(owner: Any, name: str) -> None:
    function: Callable[..., Any] = getattr(owner, name)
    shown = inspect.signature(function).parameters
    assert set(FIELD_DOCS) <= set(shown)
    assert shown["min_replicas"].annotation is int
    assert not any(one.kind is one.VAR_KEYWORD for one in shown.values())
    assert "Any" not in str(shown["url"])
    lines = (function.__doc__ or "").splitlines()
    assert all(any(line.startswith(f"    {field}: ") for line in lines) for field in FIELD_DOCS)
    assert max(map(len, lines)) <= 120


def test_takes_the_same_fields_that_it_shows() -> None:
    values = {
        "url": URL, "resource_profile": "cpu", "features": ["TextGeneration"], "adapters": {"style": "hf://org/lora"},
        "secrets": ["mine"], "labels": {"team": "ds"}, "scaling": {"min_replicas": 0},
    }  # fmt: skip
    for name in FIELD_DOCS:
        errors = draft_of({**values, name: values.get(name, 1)}).errors
        assert not [notice for notice in errors if notice.code == "UnknownField"], name


@pytest.mark.parametrize(
    ("arguments", "fields", "what"),
    [
        ((URL, None), {}, {"url": URL}),
        (("smol", URL), {}, {"name": "smol", "url": URL}),
        (("smol", "org/model"), {}, {"name": "smol", "url": "org/model"}),
        ((URL, "smol"), {}, {"name": "smol", "url": URL}),
        (("smol", None), {"url": URL}, {"name": "smol", "url": URL}),
        ((URL, None), {"name": "smol", "args": ["-v"]}, {"name": "smol", "url": URL, "args": ["-v"]}),
        ((None, None), {"name": "smol", "url": URL}, {"name": "smol", "url": URL}),
        (("smol", None), {}, {"name": "smol"}),
    ],
)
def test_reads_name_and_url_where_people_put_them(arguments: Any, fields: Any, what: Any) -> None:
    assert what_of(*arguments, fields) == what


def test_takes_a_spec_alone() -> None:
    spec = spec_of({"url": URL})
    assert what_of(spec, None, {}) is spec
    with pytest.raises(SpecError, match="Give a ModelSpec or the fields of a Model, not both"):
        what_of(spec, None, {"engine": "VLLM"})
    assert isinstance(spec, ModelSpec)


@pytest.mark.parametrize(
    ("arguments", "fields"), [((URL, None), {"url": URL}), (("smol", URL), {"name": "other"}), ((URL, URL), {})]
)
def test_refuses_what_is_given_twice(arguments: Any, fields: Any) -> None:
    with pytest.raises(SpecError, match="is given twice"):
        what_of(*arguments, fields)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("smol", 5), "The name and the url of a Model are texts; int is none."),
        ((5, None), "The name and the url of a Model are texts; int is none."),
        ((None, b"hf://org/model"), "The name and the url of a Model are texts; bytes is none."),
        (("", URL), "The name or the url is an empty text. Leave it out, and it is inferred."),
        ((URL, " "), "The name or the url is an empty text. Leave it out, and it is inferred."),
    ],
)
def test_refuses_a_name_or_url_that_says_nothing(arguments: Any, sentence: str) -> None:
    with pytest.raises(SpecError) as raised:
        what_of(*arguments, {})
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("engin", 'Did you mean "engine"?'),
        ("max_replica", 'Did you mean "max_replicas"?'),
        ("profil", 'Did you mean "profile"?'),
        ("minReplica", 'Did you mean "minReplicas"?'),
        ("dry_run", "plan() says what serve() would do, and changes nothing."),
        ("timeout", "wait(timeout_seconds=…) of the Model that serve() returns ends after that time."),
    ],
)
def test_names_what_was_meant(field: str, sentence: str) -> None:
    with pytest.raises(SpecError) as raised:
        spec_of({"url": URL, field: 1})
    assert sentence in str(raised.value)
