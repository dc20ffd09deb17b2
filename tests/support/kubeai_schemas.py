"""KubeAI's schema of a Model, as its versions publish it, and as a cluster answers with it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tests.core.rules import test_crd

NARROW = r"^[a-z0-9]+://[a-zA-Z0-9._:/-]+(\?.*)?$"


def released() -> dict[str, Any]:
    """0.22.1, as KubeAI published it."""
    return deepcopy(test_crd.schema_of(test_crd.published()))


def narrow() -> dict[str, Any]:
    """0.23.2 and later: what may stand in a url is the schema's own matter."""
    schema = released()
    schema["properties"]["spec"]["properties"]["url"]["pattern"] = NARROW
    return schema


def newest() -> dict[str, Any]:
    """Newer trees: other engines, another feature, another scheme."""
    schema = narrow()
    spec = schema["properties"]["spec"]
    fields = spec["properties"]
    fields["engine"]["enum"] += ["SGLang", "LlamaCpp"]
    fields["features"]["items"]["enum"] += ["SystemOne"]
    for rule in fields["url"]["x-kubernetes-validations"]:
        rule["rule"] += ' || self.startsWith("oci://")'
    fields["jsonPatches"] = {"type": "array", "items": {"type": "object"}}
    return schema


def openapi(schema: dict[str, Any]) -> dict[str, Any]:
    """The document that an API server answers with where it serves this schema."""
    kind = [{"group": "kubeai.org", "version": "v1", "kind": "Model"}]
    listed = {"x-kubernetes-group-version-kind": [{"group": "kubeai.org", "version": "v1", "kind": "ModelList"}]}
    return {
        "components": {
            "schemas": {"a.ModelList": listed, "a.Model": {**schema, "x-kubernetes-group-version-kind": kind}}
        }
    }
