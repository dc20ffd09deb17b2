"""Every constraint of KubeAI's own definition is said at the field that breaks it."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubeai_notebook.core.fields import FIELDS
from kubeai_notebook.core.manifest import fields_of_manifest
from kubeai_notebook.core.merge_patch import merged
from tests.support.forms import form

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CRD = yaml.safe_load(files("kubeai_notebook.local").joinpath("crd.yaml").read_text(encoding="utf-8"))
SPEC = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
GOOD: dict[str, Any] = {"url": "hf://org/model", "engine": "VLLM", "features": ["TextGeneration"]}
PLACES = {field.place[1:]: field.name for field in FIELDS if field.place[0] == "spec"}
OF_ANOTHER = {"owner", "envFrom"}
"""KubeAI's own, which no form has, and what a form writes by the names of Secrets."""


def broken(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Each place of the schema with the constraint that a value breaks, and that value."""
    for name, shape in schema.get("properties", {}).items():
        here = (*path, name)
        for constraint, value in breaking(shape):
            yield here, constraint, value
        yield from broken(shape, here)
        items = shape.get("items", {})
        for constraint, value in breaking(items):
            yield here, f"items {constraint}", [value]
        for inner, inner_shape in items.get("properties", {}).items():
            right = {key: sample(one) for key, one in items["properties"].items()}
            for constraint, value in breaking(inner_shape):
                yield here, f"{inner} {constraint}", [{**right, inner: value}]


def breaking(shape: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What breaks each constraint of one value."""
    if "minimum" in shape:
        yield "minimum", shape["minimum"] - 1
    if "maximum" in shape:
        yield "maximum", shape["maximum"] + 1
    if "maxLength" in shape:
        yield "maxLength", "a" * (shape["maxLength"] + 1)
    if "pattern" in shape:
        yield "pattern", "Not it"
    if "enum" in shape:
        yield "enum", "Nothing"
    if shape.get("type") == "integer":
        yield "format", 1 << (31 if shape.get("format") == "int32" else 63)
        yield "type", "many"
    if "maxItems" in shape:
        yield "maxItems", [{"path": f"/config/{number}", "content": "x"} for number in range(shape["maxItems"] + 1)]
    if shape.get("type") == "boolean":
        yield "type", "maybe"
    if shape.get("type") == "array":
        yield "type", 5


def sample(shape: Mapping[str, Any]) -> Any:
    return (
        "hf://org/lora"
        if "pattern" not in shape and "maxLength" not in shape
        else "/config/a"
        if shape["maxLength"] > 63
        else "a"
    )


CASES = [case for case in broken(SPEC) if case[0][0] not in OF_ANOTHER]


def test_finds_the_constraints() -> None:
    assert {constraint.rpartition(" ")[2] for _, constraint, _ in CASES} == {
        "minimum", "maxLength", "pattern", "enum", "format", "type", "maxItems",
    }  # fmt: skip
    assert len(CASES) > 30


@pytest.mark.parametrize(("path", "constraint", "value"), CASES, ids=lambda part: str(part)[:40])
def test_says_at_its_field_that_a_value_breaks_the_definition(
    path: tuple[str, ...], constraint: str, value: Any
) -> None:
    patch: Any = value
    for part in reversed(path):
        patch = {part: patch}
    fields = fields_of_manifest({"metadata": {"name": "smol"}, "spec": merged(GOOD, patch)})
    fields["scaling"] = {key: one for key, one in fields["scaling"].items() if one is not None}
    model = form({name: one for name, one in fields.items() if one not in ("", ())})
    name = PLACES[path]
    errors = [notice for notice in model.notices(name) if notice.severity == "error"]
    assert errors, f"{constraint}: {[str(notice) for notice in model.draft.notices]}"
    assert {model.field_of(notice) for notice in model.draft.errors} <= {name}


@pytest.mark.parametrize(("url", "name"), [("hf://gpt2", "gpt2"), ("hf://org/model", "model")])
def test_takes_a_repository_of_the_hub_with_or_without_an_owner(url: str, name: str) -> None:
    """The hub's oldest repositories have none."""
    model = form({"url": url})
    assert model.value("name") == name
    assert [notice for notice in model.notices("url") if notice.severity != "info"] == []


@pytest.mark.parametrize(
    ("field", "value", "severity"),
    [
        ("replication", -3, "error"),
        ("replication", 0, "error"),
        ("replication", 1, None),
        ("prefix_char_length", -1, "error"),
        ("prefix_char_length", 0, None),
        ("env", {"A B": "1"}, "warning"),
        ("env", {"1A": "1"}, "warning"),
        ("env", {"a.b-C_1": "1"}, None),
    ],
)
def test_says_what_the_definition_lets_through_and_kubeai_or_kubernetes_fails_on(
    field: str, value: Any, severity: str | None
) -> None:
    model = form({"url": "hf://org/model"})
    model.set("strategy", "PrefixHash")
    model.set(field, value)
    said = [notice for notice in model.notices(field) if notice.severity != "info"]
    assert [notice.severity for notice in said] == ([severity] if severity else [])
    for remedy in (remedy for notice in said for remedy in notice.remedies if remedy.kind == "change"):
        model.apply(remedy.id)
        assert not model.draft.errors
