"""Whether a JSON schema can be followed, as far as a slip in it can be told without a validator.

Engines make a grammar of a schema. What that cannot be made of, they refuse in words of their own, after the Model was
woken for it, or they leave it out in silence, such as a required name that nothing describes. A validator of the whole
standard is no dependency of ours, and would let that last one through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kubeai_notebook.errors import UsageError

from .messages import did_you_mean, with_article

TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
"""The types of JSON, and Python's."""
_BY_NAME = ("properties", "patternProperties", "$defs", "definitions")
_COMBINED = ("anyOf", "oneOf", "allOf")
_LISTED = (*_COMBINED, "prefixItems")
_SINGLE = ("items", "additionalProperties", "not")
_DESCRIBE_NAMES = {"$ref", "patternProperties", *_COMBINED}
_DEEPEST = 50
"""Parts within parts: engines' grammars end long before."""
_EXAMPLE = 'Such as {"type": "string"}.'

_Fault = tuple[str, str, str]
"""What is wrong, its place, and the next step."""


def check_schema(schema: Any, what: str) -> None:
    """Refuse a JSON schema with a slip; ``what`` begins the sentence.

    Raises:
        UsageError: the first slip, with its place, such as ``properties.city``.
    """
    fault, place, hint = next(_faults(schema, schema, (), seen=set()), ("", "", ""))
    if fault:
        raise UsageError(f"{what} {fault}{f' at {place}' if place else ''}.", hint)


def _faults(part: Any, root: Any, path: tuple[str, ...], *, seen: set[tuple[int, bool]]) -> Iterator[_Fault]:
    """``seen``: a dict may hold itself, and one that stands in many places is read once."""
    place, is_combined = ".".join(path), bool({*_COMBINED, "not"} & set(path))
    if (id(part), is_combined) in seen:
        return
    seen.add((id(part), is_combined))
    if not isinstance(part, Mapping):
        if not (path and isinstance(part, bool)):
            yield "has no schema", place, _EXAMPLE
        return
    yield from ((fault, place, hint) for fault, hint in _own_faults(part, root))
    if not is_combined:  # there a name may be required that is described above
        yield from ((fault, place, hint) for fault, hint in _required_faults(part))
    if len(path) < _DEEPEST:
        for names, below in _parts(part):
            yield from _faults(below, root, (*path, *names), seen=seen)


def _own_faults(part: Mapping[str, Any], root: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with this part, those below it left out."""
    yield from _type_faults(part.get("type", []))
    if not isinstance(part.get("enum", [None]), list | tuple) or not part.get("enum", [None]):
        yield "has an enum that is no list of values", 'Such as "enum": ["good", "bad"].'
    for key in _BY_NAME:
        if not isinstance(part.get(key, {}), Mapping):
            yield f"has {key} that are not schemas by their names", 'Such as {"city": {"type": "string"}}.'
    for key in _LISTED:
        if key in part and not (isinstance(part[key], list | tuple) and part[key]):
            yield f"has {with_article(key)} that is no list of schemas", _EXAMPLE
    reference = part.get("$ref")
    if isinstance(reference, str) and reference.startswith("#") and not _leads_somewhere(reference, root):
        yield f'has the reference "{reference[:80]}", and nothing is there', "Such a part stands below $defs."
    if not _are_texts(part.get("required", [])):
        yield "has a required that is no list of names", 'Such as "required": ["city"].'


def _type_faults(kinds: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(kinds, str) and not _are_texts(kinds):
        yield "has a type that is neither a text nor a list of texts", 'Such as "object".'
        return
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if kind not in TYPES:
            yield f'has the type "{kind[:80]}"', did_you_mean(kind, TYPES).strip() or f"It takes {', '.join(TYPES)}."


def _required_faults(part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    described = part.get("properties", {})
    elsewhere = _DESCRIBE_NAMES & set(part) or isinstance(part.get("additionalProperties"), Mapping)
    for name in () if elsewhere else part.get("required", []):
        if name not in described:
            how = did_you_mean(name, map(str, described)).strip() or f'Such as "properties": {{"{name[:80]}": …}}.'
            yield f'requires "{name[:80]}", which its properties do not describe', how


def _parts(part: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The schemas within a schema, each with the names that lead to it; values and examples are none."""
    for key in _BY_NAME:
        yield from (((key, str(name)), below) for name, below in part.get(key, {}).items())
    for key in (*_LISTED, "items"):
        if isinstance(part.get(key), list | tuple):
            yield from (((key, str(number)), below) for number, below in enumerate(part[key]))
    for key in _SINGLE:
        if key in part and not isinstance(part[key], list | tuple):
            yield (key,), part[key]


def _leads_somewhere(reference: str, root: Any) -> bool:
    part = root
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(part, list | tuple) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        elif isinstance(part, Mapping) and name in part:
            part = part[name]
        else:
            return False
    return True


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(text, str) for text in value)
