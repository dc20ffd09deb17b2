"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable

from .errors import bad_request
from .resources import EVENTS, NAMESPACES, PODS, SECRETS, Object, Resource

Selector = Callable[[Object], bool]

_TERM = re.compile(r"(?:[^,(]|\([^)]*\))+")
_SET = re.compile(r"(?P<key>[^\s,()]+)\s+(?P<word>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUAL = re.compile(r"(?P<key>[^!=\s()]+)\s*(?P<sign>==|=|!=)\s*(?P<value>[^!=\s()]*)")
_KEY = re.compile(r"(?P<no>!?)\s*(?P<key>[A-Za-z0-9][-A-Za-z0-9_./]*)")
# What kube-apiserver knows for each kind, beside the first two.
_FIELDS = {
    EVENTS: r"involvedObject\.(kind|namespace|name|uid|apiVersion|resourceVersion|fieldPath)"
    r"|reason|reportingComponent|source|type",
    PODS: r"spec\.(nodeName|restartPolicy|schedulerName|serviceAccountName|hostNetwork)"
    r"|status\.(phase|podIP|nominatedNodeName)",
    SECRETS: "type",
    NAMESPACES: r"status\.phase",
}


def selector_of(resource: Resource, labels: str, fields: str) -> Selector:
    """Combine the query parameters ``labelSelector`` and ``fieldSelector``; an empty text selects all."""
    if _TERM.sub("", labels).strip(", "):
        raise bad_request("unable to parse requirement: found '', expected: ',' or ')'")
    tests = [_label_test(term.strip()) for term in _TERM.findall(labels) if term.strip()]
    tests += [_field_test(resource, term.strip()) for term in fields.split(",") if term.strip()]
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
    raise bad_request(f"unable to parse requirement: found '{term}', expected: '=', '!=', '==', 'in', notin'")


def _field_test(resource: Resource, term: str) -> Selector:
    match = _EQUAL.fullmatch(term)
    if match is None:
        raise bad_request(f'invalid selector: "{term}"; can\'t understand "{term}"')
    path, value, equal = match["key"], match["value"], match["sign"] != "!="
    if not re.fullmatch(rf"metadata\.(name|namespace)|{_FIELDS.get(resource, 'metadata.name')}", path):
        raise bad_request(f"field label not supported: {path}")
    return lambda item: (_at(item, path) == value) is equal


def _labels(item: Object) -> dict[str, str]:
    return item["metadata"].get("labels") or {}


def _at(item: Object, path: str) -> str:
    value: object = item
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else str(value)
