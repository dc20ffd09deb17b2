"""The settings of a playground as they are written in its fields, and as a chat takes them."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_args

from kubeai_notebook.errors import UsageError

from .playground_wire import Setting

if TYPE_CHECKING:
    from collections.abc import Mapping

LABELS: Mapping[str, str] = {
    "system": "System prompt",
    "temperature": "Temperature",
    "max_tokens": "Most tokens",
    "top_p": "Top p",
    "seed": "Seed",
    "stop": "Stop at",
    "schema": "Answer as",
}
"""What the page calls each field (`labextension/widgets/playground_settings.ts`)."""
_NAMED = re.compile(rf'"[^"\n]*"|(?<![\w./-])(?:(?P<given>{"|".join(LABELS)})=|(?P<name>max_tokens|top_p)\b)')


def in_labels(text: str) -> str:
    """The sentence with the labels of the fields in place of the parameters that it names.

    >>> in_labels("max_tokens= takes a whole number from 1 up, not 0.")
    '"Most tokens" takes a whole number from 1 up, not 0.'
    >>> in_labels('Labels are a list: schema=["good", "bad"].')
    'Labels are a list: "Answer as": ["good", "bad"].'
    """

    def label(found: re.Match[str]) -> str:
        name = found["given"] or found["name"]
        if not name:
            return found[0]
        return f'"{LABELS[name]}"' + ": " * text.startswith("[", found.end())

    return _NAMED.sub(label, text)


def fields_of(settings: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The system prompt, and the fields of a chat; what is empty is left out.

    >>> fields_of({"system": "Be brief.", "temperature": "0.5", "stop": "END", "seed": " "})
    ('Be brief.', {'temperature': 0.5, 'stop': ['END']})

    Raises:
        UsageError: the schema is no JSON.
    """
    given = {name: text for name, text in settings.items() if text.strip()}
    system = given.pop("system", "")
    return system, {name: _value_of(name, text) for name, text in given.items()}


def settings_of(system: str, fields: Mapping[str, Any]) -> dict[str, str]:
    """The same the other way; fields that have no place in the form are not shown there.

    >>> settings_of("", {"temperature": 0.5, "stop": ["END"], "top_k": 3})
    {'temperature': '0.5', 'stop': 'END'}
    """
    shown = {"system": system, **fields}
    return {name: _written(name, value) for name, value in shown.items() if name in get_args(Setting) and value != ""}


def _value_of(name: str, text: str) -> Any:
    if name == "stop":
        return text.splitlines()
    if name == "schema" and text.lstrip()[0] not in "{[":
        return [label.strip() for label in text.split(",")]
    if name == "schema":
        try:
            return json.loads(text)
        except ValueError as error:
            raise UsageError(f"The schema is not JSON: {error}.", "Labels can be written as good, bad.") from None
    for number in (int, float):
        with suppress(ValueError):
            return number(text)
    return text


def _written(name: str, value: Any) -> str:
    if name == "stop":
        return "\n".join([value] if isinstance(value, str) else value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
