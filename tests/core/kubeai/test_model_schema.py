"""Three schemas of KubeAI: our verdict by each, against that of JSON Schema and a real CEL engine on the same."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from kubeai_notebook.core.kubeai.model_schema import KNOWN, ModelSchema, schema_of
from kubeai_notebook.core.manifest import spec_of_manifest, to_manifest
from kubeai_notebook.core.spec import draft_of
from tests.support.kubeai_schemas import narrow, newest, openapi, released

pytest.importorskip("cel_expr_python", reason="cel-expr-python, which has wheels for Linux only, is not installed")
from tests.core.rules import cel_oracle

SCHEMAS = {"0.22.1": released, "0.23.2": narrow, "newer": newest}
PLAIN = {"url": "hf://org/model", "engine": "VLLM", "features": ["TextGeneration"], "resourceProfile": "cpu:1"}
SPECS: dict[str, dict[str, Any]] = {
    "plain": {},
    "SGLang": {"engine": "SGLang"},
    "LlamaCpp": {"engine": "LlamaCpp", "url": "oci://registry.example/org/model:1?model=q4.gguf"},
    "SystemOne": {"features": ["TextGeneration", "SystemOne"]},
    "oci": {"url": "oci://registry.example/org/model:1"},
    "blank in the url": {"url": "hf://org/mo del"},
    "shell in the url": {"url": "ollama://a$(id)", "engine": "OLlama"},
    "no engine that anybody has": {"engine": "Llamafile"},
    "no feature that anybody has": {"features": ["Speech"]},
    "no scheme that anybody has": {"url": "ftp://org/model"},
    "cache of a claim": {"url": "pvc://claim", "cacheProfile": "shared"},
}


def model(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": "m"}, "spec": {**PLAIN, **spec}}


def is_admitted(schema: dict[str, Any], manifest: dict[str, Any]) -> bool:
    defaulted = {"targetRequests": 100, "scaleDownDelaySeconds": 30, **manifest["spec"]}
    stored = {**manifest, "spec": defaulted}
    if not jsonschema.Draft202012Validator(schema).is_valid(stored):
        return False
    return not list(cel_oracle.causes(schema, stored))


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("case", SPECS)
def test_takes_and_refuses_what_the_api_server_with_this_schema_does(name: str, case: str) -> None:
    schema, manifest = SCHEMAS[name](), model(**SPECS[case])
    draft = draft_of(manifest, schema=schema_of(openapi(schema)))
    assert (draft.spec is not None) == is_admitted(schema, manifest), draft.errors


@pytest.mark.parametrize("case", ["SGLang", "SystemOne", "oci"])
def test_takes_fields_that_only_a_newer_cluster_knows(case: str) -> None:
    fields = {"name": "m", **PLAIN, **SPECS[case]}
    assert draft_of(fields, schema=schema_of(openapi(newest()))).spec is not None
    (refused,) = draft_of(fields, schema=schema_of(openapi(released()))).errors
    assert "SGLang" in str(refused) or "SystemOne" in str(refused) or "oci" in str(refused)


@pytest.mark.parametrize("case", SPECS)
def test_reads_any_model_and_gives_it_back_to_the_last_field(case: str) -> None:
    manifest = model(**SPECS[case])
    assert to_manifest(spec_of_manifest(manifest))["spec"] == {**manifest["spec"]}


def test_says_of_no_field_that_the_cluster_lists_that_it_is_none() -> None:
    manifest = model(jsonPatches=[{"op": "add"}])
    assert not draft_of(manifest, schema=schema_of(openapi(newest()))).notices
    assert [notice.field for notice in draft_of(manifest).notices] == ["spec.jsonPatches"]


@pytest.mark.parametrize("document", [
    {}, {"components": []}, {"components": {"schemas": {"a": 1}}}, openapi({"properties": {"spec": "x"}}),
])  # fmt: skip
def test_takes_the_known_schema_where_an_answer_says_nothing(document: Any) -> None:
    assert schema_of(document) == KNOWN


def test_reads_what_it_can_of_a_schema_that_is_odd() -> None:
    odd = {"engine": {"enum": "VLLM"}, "features": {}, "url": {"pattern": "("}, "x": {}}
    assert schema_of(openapi({"properties": {"spec": {"properties": odd}}})) == ModelSchema(fields=frozenset(odd))
