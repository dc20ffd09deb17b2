"""schema.py, local/crd.yaml and KubeAI's own definition say the same."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from kubeai_notebook.core.rules import cel_rules as expressions
from kubeai_notebook.core.rules.schema import MODEL

CEL = "x-kubernetes-validations"


@cache
def ours() -> dict[str, Any]:
    return yaml.safe_load((resources.files("kubeai_notebook.local") / "crd.yaml").read_text("utf-8"))


@cache
def published() -> dict[str, Any]:
    """KubeAI's own definition of 0.22.1 (Apache License 2.0), as its repository has it."""
    path = Path(__file__).parents[2] / "golden" / "kubeai-crd-0.22.1.yaml"
    return yaml.safe_load(path.read_text("utf-8"))


def definitions() -> list[dict[str, Any]]:
    return [ours(), published()]


def schema_of(definition: dict[str, Any]) -> dict[str, Any]:
    return definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def shape(schema: Any) -> Any:
    """A schema without words and rules; lists of names in one order."""
    if isinstance(schema, dict):
        bare = {key: shape(value) for key, value in schema.items() if key != CEL}
        return {key: value for key, value in bare.items() if key != "description" or not isinstance(value, str)}
    return sorted(schema) if isinstance(schema, list) else schema


def rules_of(schema: Any, path: str = "") -> list[tuple[str, str, str]]:
    """(field path, message, expression) of every rule, in document order within a field."""
    found = [(path, rule["message"], rule["rule"]) for rule in schema.get(CEL, ())]
    for name, inner in sorted(schema.get("properties", {}).items()):
        found += rules_of(inner, f"{path}.{name}".strip("."))
    return found + (rules_of(schema["items"], f"{path}[]") if "items" in schema else [])


def test_crd_has_the_shape_of_the_schema() -> None:
    assert shape(schema_of(ours())) == shape(MODEL)


def test_enums_keep_kubeais_order_because_messages_list_them() -> None:
    def enums(schema: Any) -> list[Any]:
        own = [schema["enum"]] if "enum" in schema else []
        inner = [schema["items"]] if "items" in schema else []
        inner += [value for _, value in sorted(schema.get("properties", {}).items())]
        return own + [values for part in inner for values in enums(part)]

    for definition in definitions():
        assert enums(schema_of(definition)) == enums(MODEL)


def test_crd_carries_the_thirteen_messages_of_the_functions_in_their_order() -> None:
    expected = [
        ("", expressions.NAME),
        *(("spec", rule) for rule in expressions.SPEC_RULES),
        ("spec.adapters[].url", expressions.ADAPTER_URL),
        ("spec.cacheProfile", expressions.CACHE_PROFILE),
        ("spec.files[].path", expressions.FILE_PATH),
        ("spec.loadBalancing.prefixHash.replication", expressions.REPLICATION),
        ("spec.url", expressions.URL),
    ]
    assert len(expected) == 13
    for definition in definitions():
        found = [(path, message) for path, message, _ in rules_of(schema_of(definition))]
        assert found == [(path, rule.message) for path, rule in expected]


def test_transition_rules_are_those_that_name_the_old_object() -> None:
    by_message = {message: "oldSelf" in rule for _, message, rule in rules_of(schema_of(ours()))}
    functions = [expressions.NAME, expressions.URL, expressions.ADAPTER_URL, expressions.FILE_PATH]
    functions += [expressions.CACHE_PROFILE, expressions.REPLICATION, *expressions.SPEC_RULES]
    assert by_message == {rule.message: rule.transition for rule in functions}


def test_crd_is_kubeais_in_shape_names_and_subresources() -> None:
    kubeai = published()
    mine = ours()
    assert shape(schema_of(mine)) == shape(schema_of(kubeai))
    assert {key: mine["spec"][key] for key in ("group", "names", "scope")} == {
        key: kubeai["spec"][key] for key in ("group", "names", "scope")
    }
    here, there = mine["spec"]["versions"][0], kubeai["spec"]["versions"][0]
    assert {**here, "schema": None} == {**there, "schema": None}
