"""What ``schema=`` of a chat means: a pydantic class, a list of labels, or a JSON schema.

It goes out as ``response_format: json_schema`` and with the four members that KubeAI's structs know (up to 0.23 the
gateway drops every other one): so guided output that works on this machine works in a cluster. Most engines enforce it
by grammar. The answer is read with it all the same, since an engine that does not know the field ignores it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from kubeai_notebook.errors import UsageError

from .answer_schema import NotTheSchemaError, answer_schema, kind_of, labels_step, object_in
from .json_schema import TYPES, check_schema
from .objects import text_at

_SAYS_SOMETHING = {"type", "properties", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"}


@dataclass(frozen=True, slots=True)
class ReplySchema:
    """What an answer has to be."""

    given: Any
    """A pydantic class, labels, or a JSON schema."""

    @property
    def response_format(self) -> dict[str, Any]:
        """The field of the request."""
        if not isinstance(self.given, Mapping):
            return answer_schema(self.given).response_format or {}
        name = text_at(self.given, "title") or "answer"
        named = {"name": "".join(letter if letter.isalnum() else "_" for letter in name)[:64]}
        return {"type": "json_schema", "json_schema": {**named, "schema": dict(self.given), "strict": True}}

    def read(self, text: str) -> tuple[Any, str]:
        """The value that the answer holds, and ``""``; or nothing, and why it is not what was asked for."""
        try:
            if isinstance(self.given, type):
                return object_in(text, self.given), ""
            if isinstance(self.given, Mapping):
                return _value_in(text, self.given), ""
            return answer_schema(self.given).values_of(text)[0], ""
        except NotTheSchemaError as error:
            return None, str(error)


def reply_schema(schema: Any) -> ReplySchema:
    """What ``schema`` means.

    Raises:
        UsageError: it is neither a pydantic class nor a list of labels nor a JSON schema, or that has a slip.
    """
    if isinstance(schema, Mapping):
        if not _SAYS_SOMETHING & set(schema):
            example = 'Such as {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}.'
            raise UsageError("schema= takes the JSON schema itself, which says at least its type.", example)
        check_schema(schema, "schema=")
    elif isinstance(schema, list | tuple) or (isinstance(schema, type) and issubclass(schema, BaseModel)):
        answer_schema(schema)
    else:
        message = f"schema= takes a pydantic class, a list of labels or a JSON schema, not {kind_of(schema)}."
        raise UsageError(message, labels_step(schema))
    return ReplySchema(schema)


def _is_a(value: Any, kind: str) -> bool:
    """Whether JSON calls the value that; to Python True is a whole number, too."""
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _value_in(text: str, schema: Mapping[str, Any]) -> Any:
    """What the JSON holds. Its type and its required members are looked at; the engine's grammar sees to the rest."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise NotTheSchemaError("The answer is not JSON.") from None
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type") or ()
    known = [kind for kind in kinds if kind in TYPES]
    if known and not any(_is_a(value, kind) for kind in known):
        raise NotTheSchemaError(f"The answer is JSON, but no {' or '.join(map(str, kinds))}.")
    if isinstance(schema.get("enum"), list) and value not in schema["enum"]:
        raise NotTheSchemaError("The answer is none of the values that the schema lists.")
    for name in schema.get("required") or () if isinstance(value, dict) else ():
        if name not in value:
            raise NotTheSchemaError(f"The answer lacks {name}, which the schema requires.")
    return value
