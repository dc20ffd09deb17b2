"""JSON merge patch (RFC 7386): how Remedies and updates change a Model, and how the API applies them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(document: Any, patch: Any) -> Any:
    """The document with the patch applied; neither is changed.

    >>> merged({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": 4}})
    {'b': {'c': 4, 'd': 3}}
    """
    if not isinstance(patch, Mapping):
        return patch
    result = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
