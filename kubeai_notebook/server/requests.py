"""What a request brings, checked by the rows of the table: values, or a Notice of each that is wrong.

A message names the parameter and never repeats its value, which may be a secret in the wrong place.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.errors import SpecError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kubeai_notebook.core.notice import Notice

    from .table import Verb

LONGEST_BODY = 1_000_000
"""Bytes: a Model with its files is smaller, since etcd takes 1.5 MB."""
_OF_JUPYTER = frozenset({"token", "_xsrf", "no_track_activity"})
"""What Jupyter itself reads of a query."""
_SWITCHES = {"true": True, "1": True, "false": False, "0": False}
_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
}
_TYPES: Mapping[str, Any] = {"string": str, "integer": int, "boolean": bool, "object": dict}


def values_of(verb: Verb, query: Mapping[str, Sequence[bytes]], body: bytes) -> dict[str, Any]:
    """The values by their parameters' names.

    Raises:
        UsageError: the body is too long, or no JSON object.
        SpecError: a parameter is unknown, missing or wrong.
    """
    given = _of_body(body) if verb.method == "POST" else _of_query(verb, query)
    known = {parameter.name: parameter for parameter in verb.parameters}
    notices = [_unknown(name, known) for name in given if name not in known]
    for parameter in verb.parameters:
        if parameter.name in given:
            problem = _problem(parameter.schema, given[parameter.name])
            notices += [wrong(parameter.name, "InvalidValue", f"{parameter.name} {problem}.")] if problem else []
        elif parameter.required:
            notices.append(wrong(parameter.name, "Required", f"{parameter.name} is missing. {parameter.summary}"))
    if notices:
        raise SpecError(notices)
    return given


def _of_body(body: bytes) -> dict[str, Any]:
    if len(body) > LONGEST_BODY:
        raise UsageError(f"The request is longer than {LONGEST_BODY} bytes.", "Leave out what is large.")
    try:
        read = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise UsageError("The request's body is no JSON.", "Send a JSON object.") from None
    if not isinstance(read, dict):
        raise UsageError("The request's body is no JSON object.", 'Send one, such as {"replicas": 1}.')
    return read


def _of_query(verb: Verb, query: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
    types = {parameter.name: parameter.schema["type"] for parameter in verb.parameters}
    given: dict[str, Any] = {}
    for name, values in query.items():
        if name in _OF_JUPYTER or name.isdecimal():  # JupyterLab keeps caches off by the time as a name
            continue
        if len(values) != 1:
            raise UsageError("A parameter of the query is given twice.", "Give it once.")
        text = values[0].decode(errors="replace")
        kind = types.get(name)
        if kind == "boolean":
            given[name] = _SWITCHES.get(text.lower(), text)
        else:
            given[name] = int(text) if kind == "integer" and re.fullmatch(r"-?[0-9]{1,9}", text) else text
    return given


def _unknown(name: str, known: Mapping[str, Any]) -> Notice:
    listed = f"It takes {', '.join(known)}." if known else "It takes none."
    return wrong(
        "",
        "UnknownField",
        f"The request has a parameter that this route does not take. {listed}" + did_you_mean(name, known),
    )


def _problem(schema: Mapping[str, Any], value: Any) -> str:
    """What is wrong with a value, as a clause; ``""`` where nothing is."""
    kind: str = schema["type"]
    if not isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, bool)):
        return f"must be {_WORDS[kind]}"
    if kind == "integer" and not schema["minimum"] <= value <= schema["maximum"]:
        return f"must be a number from {schema['minimum']} to {schema['maximum']}"
    if kind == "string" and len(value) > schema["maxLength"]:
        return f"must be no longer than {schema['maxLength']} characters"
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        return "is not written as it must be"
    return ""
