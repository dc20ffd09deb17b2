"""What a cluster's own schema lets a Model say: engines, features, schemes of urls and fields.

KubeAI's releases differ in these, and sites have builds of their own. So a value that is not known here is only wrong
where the cluster does not list it. The schema is read as the API server publishes it (OpenAPI v3), which everybody
who is logged in may read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubeai_notebook.core.model_spec import ENGINES, FEATURES
from kubeai_notebook.core.objects import at, map_at, maps_at, text_at
from kubeai_notebook.core.rules.schema import KIND, SPEC
from kubeai_notebook.core.source import SCHEMES

_SCHEME = re.compile(r"""self\.startsWith\(['"]([a-z0-9]+)://['"]\)""")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSchema:
    """What the API server admits in a Model's spec."""

    engines: tuple[str, ...] = ENGINES
    features: tuple[str, ...] = FEATURES
    schemes: tuple[str, ...] = SCHEMES
    url_patterns: tuple[str, ...] = ()
    """Regular expressions that a url must match."""
    fields: frozenset[str] = frozenset(SPEC["properties"])
    """Names as YAML writes them."""


KNOWN = ModelSchema()
"""That of KubeAI 0.22, for a cluster whose own cannot be read."""


def schema_of(openapi: Mapping[str, Any]) -> ModelSchema:
    """What an OpenAPI document of the group ``kubeai.org`` says of Models; where it says nothing, what `KNOWN` does."""
    shapes = map_at(openapi, "components", "schemas").values()
    models = (shape for shape in shapes if isinstance(shape, Mapping) and _is_model(shape))
    fields = map_at(next(models, {}), "properties", "spec", "properties")
    if not fields:
        return KNOWN
    url = map_at(fields, "url")
    rules = [text_at(rule, "rule") for rule in maps_at(url, "x-kubernetes-validations")]
    patterns = [text_at(url, "pattern"), *(match[2] for rule in rules for match in _MATCHES.finditer(rule))]
    return ModelSchema(
        engines=_choices(fields, "engine") or ENGINES,
        features=_choices(fields, "features", "items") or FEATURES,
        schemes=tuple(dict.fromkeys(scheme for rule in rules for scheme in _SCHEME.findall(rule))) or SCHEMES,
        url_patterns=tuple(pattern for pattern in patterns if pattern and _compiles(pattern)),
        fields=frozenset(fields),
    )


_MATCHES = re.compile(r"""self\.matches\(r?(['"])(.*?)\1\)""")


def _is_model(shape: Mapping[str, Any]) -> bool:
    return any(text_at(kind, "kind") == KIND for kind in maps_at(shape, "x-kubernetes-group-version-kind"))


def _choices(fields: Mapping[str, Any], *path: str) -> tuple[str, ...]:
    values = at(fields, *path, "enum")
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()


def _compiles(pattern: str) -> bool:
    """Whether Python reads the pattern: Go knows a few signs that it does not."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
