"""A structural schema at work, as the API server applies it: prune, default, check.

For the part of OpenAPI v3 that the Model's schema uses: type, format, enum, required, pattern, minimum, maxLength,
maxItems, properties, additionalProperties, items, default. No field of it is nullable.

Sources: pruning/algorithm.go, defaulting/{algorithm,prunenulls}.go and validation/validation.go of
apiextensions-apiserver 0.36; kube-openapi's pkg/validation. Ratcheting is left out: a stored Model has passed
this schema, so what an update leaves alone is right.
"""

from __future__ import annotations

import re
from copy import deepcopy
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .admission_errors import (
    INVALID,
    NO_FIELD,
    NOT_SUPPORTED,
    TOO_MANY,
    WRONG_TYPE,
    Cause,
    cause,
    kind_of,
    quoted,
    required,
    too_long,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .schema import Schema

_NOTHING: Schema = {}
# Whole numbers that JSON's readers agree on; kube-openapi takes no larger float for an integer.
_SAFE_INTEGER = 2.0**53 - 1
_BOUNDS = {"int32": 2**31}


def pruned(value: Any, schema: Schema | None, *, path: str, unknown: list[str]) -> Any:
    """A copy without unknown fields, whose paths are noted, and without nulls that no default replaces."""
    if isinstance(value, list):
        items = schema and schema.get("items")
        return [pruned(item, items, path=f"{path}[{number}]", unknown=unknown) for number, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    shape = schema or _NOTHING
    properties, others = shape.get("properties", _NOTHING), shape.get("additionalProperties")
    kept = {}
    for key, inner in value.items():
        known = properties.get(key, others)
        if known is None:
            unknown.append(f"{path}.{key}" if path else key)
        elif isinstance(inner, dict | list):
            kept[key] = pruned(inner, known, path=f"{path}.{key}" if path else key, unknown=unknown)
        elif inner is not None or "default" in known:
            kept[key] = inner
    return kept


def fill_in(value: Any, schema: Schema) -> None:
    """Put defaults into a value that `pruned` has copied."""
    if isinstance(value, list):
        items = schema.get("items")
        if items and items["type"] in ("array", "object"):
            for item in value:
                fill_in(item, items)
    elif isinstance(value, dict):
        for key, shape in schema.get("properties", _NOTHING).items():
            if "default" in shape and value.get(key) is None:
                value[key] = deepcopy(shape["default"])
            inner = value.get(key)
            if isinstance(inner, dict | list):
                fill_in(inner, shape)


def check(value: Any, schema: Schema, path: str) -> list[Cause]:
    """Every violation, in the order in which the server's validators run."""
    causes: list[Cause] = []
    _check(value, schema, path=path, causes=causes)
    return causes


def _check(value: Any, schema: Schema, *, path: str, causes: list[Cause]) -> None:
    kind = kind_of(value)
    _check_type(value, schema, kind=kind, path=path, causes=causes)
    if kind == "string":
        _check_text(value, schema, path=path, causes=causes)
    elif kind in ("integer", "number") and schema["type"] == "integer":
        _check_number(value, schema, path=path, causes=causes)
    elif kind == "array":
        _check_items(value, schema, path=path, causes=causes)
    elif kind == "object":
        _check_object(value, schema, path=path, causes=causes)
    if "enum" in schema and value not in schema["enum"]:
        choices = ", ".join(quoted(choice) for choice in schema["enum"])
        causes.append(cause(NOT_SUPPORTED, path, value, detail=f"supported values: {choices}"))


def _check_type(value: Any, schema: Schema, *, kind: str, path: str, causes: list[Cause]) -> None:
    wanted = schema["type"]
    if kind == wanted or (wanted == "integer" and kind == "number" and _is_whole(value)):
        return
    given = kind
    if "format" in schema and kind not in ("string", "array", "null"):
        # kube-openapi compares formats here, and only numbers have one.
        wanted, given = schema["format"], "float64" if kind == "number" else ""
    causes.append(cause(WRONG_TYPE, path, given, detail=f'{path} in body must be of type {wanted}: "{given}"'))


def _is_whole(value: float) -> bool:
    """Source: swag.IsFloat64AJSONInteger, which forgives a billionth."""
    if not -_SAFE_INTEGER <= value <= _SAFE_INTEGER:
        return False
    return value == int(value) or abs(value - int(value)) / (abs(value) + abs(int(value))) < 1e-9


def _check_text(value: str, schema: Schema, *, path: str, causes: list[Cause]) -> None:
    most, pattern = schema.get("maxLength"), schema.get("pattern")
    if most is not None and len(value) > most:
        causes.append(too_long(path, most))
    elif pattern is not None and not _pattern(pattern).search(value):
        causes.append(cause(INVALID, path, value, detail=f"{path} in body should match '{pattern}'"))


@lru_cache(maxsize=16)
def _pattern(text: str) -> re.Pattern[str]:
    # Go's $ is the end of the text; Python's also stands before a last line feed.
    return re.compile(text.replace("$", r"\Z"))


def _check_number(value: float, schema: Schema, *, path: str, causes: list[Cause]) -> None:
    form, least = schema.get("format"), schema.get("minimum")
    bound = _BOUNDS.get(form or "", 2**63)
    if value % 1 or not -bound <= value < bound:
        named = f"with format {form}" if form else "(default format)"
        text = f"Checked value must be of type integer {named} in {path}"
        causes.append(cause(INVALID, NO_FIELD, "", detail=text))
    if least is not None and value < least:
        causes.append(cause(INVALID, path, value, detail=f"{path} in body should be greater than or equal to {least}"))


def _check_items(value: list[Any], schema: Schema, *, path: str, causes: list[Cause]) -> None:
    items, most = schema.get("items"), schema.get("maxItems")
    if items is not None:
        for number, item in enumerate(value):
            _check(item, items, path=f"{path}[{number}]", causes=causes)
    if most is not None and len(value) > most:
        causes.append(cause(TOO_MANY, path, len(value), detail=f"must have at most {most} items"))


def _check_object(value: Mapping[str, Any], schema: Schema, *, path: str, causes: list[Cause]) -> None:
    properties = schema.get("properties", _NOTHING)
    others = schema.get("additionalProperties")
    prefix = f"{path}." if path else ""
    if others is not None:
        for key, inner in value.items():
            if key not in properties:
                _check(inner, others, path=prefix + key, causes=causes)
    for key, shape in properties.items():
        if key in value:
            _check(value[key], shape, path=prefix + key, causes=causes)
    causes.extend(required(prefix + key) for key in schema.get("required", ()) if key not in value)
