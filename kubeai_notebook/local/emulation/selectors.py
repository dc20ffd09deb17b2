"""Label and field selectors, as kube-apiserver reads them; KubeAI's gateway reads label selectors in the same way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Selector = Callable[[Mapping[str, Any]], bool]

_TERM = re.compile(r"(?:[^,(]|\([^)]*\))+")
_SET = re.compile(r"(?P<key>[^\s,()]+)\s+(?P<word>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUAL = re.compile(r"(?P<key>[^!=\s()]+)\s*(?P<sign>==|=|!=)\s*(?P<value>[^!=\s()]*)")
_KEY = re.compile(r"(?P<no>!?)\s*(?P<key>[A-Za-z0-9][-A-Za-z0-9_./]*)")
# What kube-apiserver knows of each kind, beside name and namespace.
_FIELDS = {
    "Event": r"involvedObject\.(kind|namespace|name|uid|apiVersion|resourceVersion|fieldPath)"
    r"|reason|reportingComponent|source|type",
    "Pod": r"spec\.(nodeName|restartPolicy|schedulerName|serviceAccountName|hostNetwork)"
    r"|status\.(phase|podIP|nominatedNodeName)",
    "Secret": "type",
    "Namespace": r"status\.phase",
}


def selector_of(labels: str, fields: str = "", *, kind: str = "") -> Selector:
    """Combine the query parameters ``labelSelector`` and ``fieldSelector``; an empty text selects all.

    >>> selector_of("tier in (gold, silver),!old")({"metadata": {"labels": {"tier": "gold"}}})
    True

    Raises:
        ValueError: in the server's words.
    """
    if _TERM.sub("", labels).strip(", "):
        raise ValueError("unable to parse requirement: found '', expected: ',' or ')'")
    tests = [_label_test(term.strip()) for term in _TERM.findall(labels) if term.strip()]
    tests += [_field_test(kind, term.strip()) for term in fields.split(",") if term.strip()]
    return lambda item: all(test(item) for test in tests)


def _label_test(term: str) -> Selector:
    if match := _SET.fullmatch(term):
        key, wanted = match["key"], {value.strip() for value in match["values"].split(",")}
        inside = match["word"] == "in"
        return lambda item: (_labels(item).get(key) in wanted) is inside
    if match := _EQUAL.fullmatch(term):
        key, value, equal = match["key"], match["value"], match["sign"] != "!="
        return lambda item: (_labels(item).get(key) == value) is equal
    if match := _KEY.fullmatch(term):
        key, present = match["key"], not match["no"]
        return lambda item: (key in _labels(item)) is present
    raise ValueError(f"unable to parse requirement: found '{term}', expected: '=', '!=', '==', 'in', notin'")


def _field_test(kind: str, term: str) -> Selector:
    match = _EQUAL.fullmatch(term)
    if match is None:
        raise ValueError(f'invalid selector: "{term}"; can\'t understand "{term}"')
    path, value, equal = match["key"], match["value"], match["sign"] != "!="
    if not re.fullmatch(rf"metadata\.(name|namespace)|{_FIELDS.get(kind, 'metadata.name')}", path):
        raise ValueError(f"field label not supported: {path}")
    return lambda item: (_at(item, path) == value) is equal


def _labels(item: Mapping[str, Any]) -> Mapping[str, str]:
    labels: Mapping[str, str] = item["metadata"].get("labels") or {}
    return labels


def _at(item: Mapping[str, Any], path: str) -> str:
    value: object = item
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return "" if value is None else str(value)
