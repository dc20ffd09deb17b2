"""The table of fields: each row is honoured by everything that treats fields alike, so a new field is a new row."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from kubeai_notebook.core.field_aliases import read_fields
from kubeai_notebook.core.fields import FIELDS, Field
from kubeai_notebook.core.manifest import spec_of_manifest, to_manifest
from kubeai_notebook.core.model_spec import LoadBalancing, ModelSpec, Scaling
from kubeai_notebook.core.objects import at
from kubeai_notebook.core.rules.schema import SPEC
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.core.spec_diff import changed_fields, restarts_pods
from kubeai_notebook.magics.serve import serve_parser
from kubeai_notebook.magics.spec_options import fields_of_line

BASE: dict[str, Any] = {"name": "m", "url": "hf://org/model", "engine": "VLLM", "features": ["TextGeneration"]}
# What a field may hold where its option does not tell: another value than that of BASE.
VALUES: dict[str, Any] = {
    "name": "other",
    "namespace": "ml",
    "url": "hf://org/other",
    "engine": "Infinity",
    "features": ["TextEmbedding"],
    "resource_profile": "l4:2",
    "adapters": {"colorist": "hf://org/lora"},
    "files": {"/a": "text"},
    "labels": {"team": "a"},
    "env": {"A": "1"},
    "args": ["--a=1"],
    "secrets": ["hub"],
    "cache_profile": "efs",
    "strategy": "PrefixHash",
    "mean_load_factor": 150,
}
# What else has to be said for the API server to take the field.
WITH: dict[str, Any] = {
    "engine": {"features": ["TextEmbedding"]},
    "replicas": {"scaling": {"autoscaling_disabled": True, "replicas": 3}},
    "autoscaling_disabled": {"scaling": {"autoscaling_disabled": True, "replicas": 3}},
}
# Of these `spec_diff.restarts_pods` looks at what is in them.
JUDGED_BY_CONTENT = ("adapters", "files", "features")


def value_of(field: Field) -> Any:
    takes = field.option.takes if field.option else "text"
    return VALUES.get(field.name, {"number": 3, "switch": True}.get(takes, "value"))


def stated(field: Field, *, name: str = "") -> dict[str, Any]:
    """The field with a value, under its name or another, in the parts that hold it."""
    fields: Any = {name or field.name: value_of(field)}
    for part in reversed(field.within):
        fields = {part: fields}
    return fields


def spec_with(field: Field) -> ModelSpec:
    beside = WITH.get(field.name, {})
    return spec_of({**BASE, **beside, **({} if field.within and field.within[0] in beside else stated(field))})


each_field = pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)


def test_has_a_row_for_every_field_of_a_model_spec_and_no_other() -> None:
    own = {(name,) for name in ModelSpec.model_fields.keys() - {"scaling", "inferred", "rest"}}
    own |= {("scaling", name) for name in Scaling.model_fields.keys() - {"load_balancing"}}
    own |= {("scaling", "load_balancing", name) for name in LoadBalancing.model_fields}
    assert {field.path for field in FIELDS} == own
    assert len(FIELDS) == len(own)


def test_has_a_row_for_every_field_that_kubeai_has() -> None:
    assert {field.place[1] for field in FIELDS if field.place[0] == "spec"} == SPEC["properties"].keys() - {"owner"}


@each_field
def test_sends_the_field_and_reads_it_back(field: Field) -> None:
    manifest = to_manifest(spec_with(field))
    assert at(manifest, *field.place) not in (None, "", [], {})
    again: Any = spec_of_manifest(manifest)
    assert again.rest == {}
    for part in field.path:
        again = getattr(again, part)
    assert again


@each_field
def test_takes_every_spelling_of_it(field: Field) -> None:
    plain = read_fields(stated(field))
    assert plain[1] == []
    for spelling in {*field.aliases, field.place[-1]} - {"envFrom"}:
        assert read_fields(stated(field, name=spelling)) == plain


@pytest.mark.parametrize("field", [field for field in FIELDS if field.option], ids=lambda field: field.name)
def test_states_it_by_each_of_its_options(field: Field, tmp_path: Any) -> None:
    (tmp_path / "text").write_text("text")
    assert field.option
    wanted: Any = read_fields(stated(field))[0]
    for flag in field.option.flags:
        value = value_of(field)
        if field.name == "files":
            words = [flag, f"/a=@{tmp_path / 'text'}"]
        elif isinstance(value, dict):
            words = [word for name, item in value.items() for word in (flag, f"{name}={item}")]
        elif isinstance(value, list):
            words = [f"{flag}={item}" for item in value]
        else:
            words = [flag] if value is True else [flag, str(value)]
        options = serve_parser().read(shlex.join(words))
        assert read_fields(fields_of_line(options)) == (wanted, [])


@each_field
def test_knows_what_leaving_it_out_and_changing_it_means(field: Field) -> None:
    if field.place[0] != "spec" or len(field.place) > 2:
        return
    with_it, without = to_manifest(spec_with(field)), to_manifest(spec_of({**BASE, **without_it(field)}))
    assert (field.place[1] in changed_fields(with_it, without)) == (
        field.clearable or field.place[1] in without["spec"]
    )
    changes = {field.place[1]: (at(without, *field.place), at(with_it, *field.place))}
    if field.name not in JUDGED_BY_CONTENT:
        assert restarts_pods(without, changes) == field.restarts


def without_it(field: Field) -> dict[str, Any]:
    return {name: value for name, value in WITH.get(field.name, {}).items() if name != "scaling"}
