"""What the answers of a batch look like: a text, one of some labels, or the fields of a pydantic class.

The engine gets it as ``response_format: json_schema``, and most enforce it by grammar. What comes back is validated all
the same: an engine that does not know the field ignores it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from kubeai_notebook.errors import UsageError

from .objects import is_int64, map_at, maps_at

Kind = Literal["text", "integer", "number", "boolean", "any", "vector"]
"""What a column holds; ``any``: lists and objects; ``vector``: of an embedding, float32."""
Schema = type[BaseModel] | Sequence[str] | None

LABEL = "label"
_LABELS = re.compile(r"\s*\w[\w -]{0,40}(?:,[\w -]{1,40}){1,20}")
"""Labels as a text has them, for an example."""
_KINDS: Mapping[Any, Kind] = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
_PYTHON_KINDS: Mapping[type, Kind] = {str: "text", bool: "boolean", int: "integer", float: "number"}


class NotTheSchemaError(ValueError):
    """An answer that is not what was asked for; its text says why, in one sentence that quotes no value."""


@dataclass(frozen=True, slots=True)
class AnswerSchema:
    """The columns that one answer becomes, by their names, and how to make their values of its text."""

    columns: Mapping[str, Kind]
    """By the names that the engine gives its values."""
    model: type[BaseModel] | None = None
    keys: tuple[str, ...] = ()
    """The names of its fields where pydantic gives their values back, which may be others."""
    labels: tuple[str, ...] = ()

    @property
    def response_format(self) -> dict[str, Any] | None:
        """The field of the request; ``None`` for a plain text."""
        if self.model:
            return _json_schema(self.model.__name__, self.model.model_json_schema())
        if self.labels:
            enum = {"type": "string", "enum": list(self.labels)}
            schema = {"type": "object", "properties": {LABEL: enum}, "required": [LABEL], "additionalProperties": False}
            return _json_schema(LABEL, schema)
        return None

    def values_of(self, text: str) -> tuple[Any, ...]:
        """The cells of one row, in the order of ``columns``.

        Raises:
            NotTheSchemaError: the text is something else.
        """
        if self.model:
            return self._fields_of(text, self.model)
        return (self._label_of(text),) if self.labels else (text,)

    def _fields_of(self, text: str, model: type[BaseModel]) -> tuple[Any, ...]:
        fields = object_in(text, model).model_dump(mode="json", by_alias=True)
        values = tuple(fields.get(key) for key in self.keys)
        for (name, kind), value in zip(self.columns.items(), values, strict=True):
            if kind == "integer" and value is not None and not is_int64(value):
                raise NotTheSchemaError(f"The answer is not a {model.__name__} ({name} needs more than 64 bits).")
        return values

    def _label_of(self, text: str) -> str:
        if (label := text.strip()) in self.labels:
            return label  # which may be a word of JSON's, such as true or 1
        answer: Any = None
        with suppress(ValueError, RecursionError):
            answer = json.loads(text)
        answer = answer.get(LABEL) if isinstance(answer, Mapping) else answer
        if answer not in self.labels:
            raise NotTheSchemaError(f"The answer is none of the {len(self.labels)} labels.")
        return str(answer)


def object_in(text: str, model: type[BaseModel]) -> BaseModel:
    """The object whose JSON a text is.

    Raises:
        NotTheSchemaError: the text is something else.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        what = f"{where}: {first['msg']}" if where else first["msg"].partition(":")[0]
        raise NotTheSchemaError(f"The answer is not a {model.__name__} ({what}).") from None


def answer_schema(schema: Schema, *, into: str = "") -> AnswerSchema:
    """What ``schema`` means: a pydantic class, a list of labels, or ``None`` for the text of the answer.

    ``into`` is the name of the one column; by default ``answer``, or ``label`` for labels.

    >>> answer_schema(["good", "bad"]).columns
    {'label': 'text'}

    Raises:
        UsageError: it is something else.
    """
    if schema is None:
        return AnswerSchema({into or "answer": "text"})
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        keys = tuple(field.serialization_alias or name for name, field in schema.model_fields.items())
        return AnswerSchema(_columns_of(schema, into), model=schema, keys=keys)
    labels = list(schema) if isinstance(schema, list | tuple) else []
    if len(labels) < 2 or not all(isinstance(label, str) and label for label in labels):
        if isinstance(schema, list | tuple):
            raise UsageError("schema= takes two labels or more, each a text.", labels_step(schema))
        message = f"schema= takes a pydantic class, or a list of two labels or more, not {kind_of(schema)}."
        raise UsageError(message, labels_step(schema))
    if len(set(labels)) < len(labels):
        raise UsageError(f'schema= names the label "{next(one for one in labels if labels.count(one) > 1)}" twice.')
    return AnswerSchema({into or LABEL: "text"}, labels=tuple(labels))


def kind_of(schema: Any) -> str:
    """What was given as a schema and is none, in a word."""
    return "a text" if isinstance(schema, str) else (schema if isinstance(schema, type) else type(schema)).__name__


def labels_step(schema: Any) -> str:
    """How labels are written, with those that a text holds.

    >>> labels_step("good, bad"), labels_step(3)
    ('Labels are a list: schema=["good", "bad"].', 'Labels are a list: schema=["good", "bad"].')
    """
    labels = re.split(r"\s*,\s*", schema.strip()) if isinstance(schema, str) and _LABELS.fullmatch(schema) else []
    return f"Labels are a list: schema={json.dumps(labels or ['good', 'bad'], ensure_ascii=False)}."


def _columns_of(model: type[BaseModel], into: str) -> dict[str, Kind]:
    schema = model.model_json_schema()
    if len(map_at(schema, "properties")) != len(model.model_fields):
        raise UsageError(f"Two fields of {model.__name__} have one alias.", "Give each a name of its own.")
    columns = {name: _kind_of(field, schema) for name, field in map_at(schema, "properties").items()}
    if not columns:
        raise UsageError(f"{model.__name__} has no fields, so there is nothing to ask for.")
    if into:
        raise UsageError(f"into= names one column, and {model.__name__} has fields of its own.", "Leave into= out.")
    return columns


def _kind_of(field: Mapping[str, Any], schema: Mapping[str, Any]) -> Kind:
    """What a field's own JSON schema says that it holds; a field that may be null holds what it holds otherwise."""
    if "$ref" in field:
        return _kind_of(map_at(schema, "$defs", str(field["$ref"]).rpartition("/")[2]), schema)
    # Before pydantic 2.9 a reference that has a default stands alone in an allOf.
    if parts := maps_at(field, "anyOf") or maps_at(field, "allOf"):
        kinds = {_kind_of(part, schema) for part in parts if part.get("type") != "null"}
        return kinds.pop() if len(kinds) == 1 else "any"
    if "type" in field:
        return _KINDS.get(field["type"], "any")
    choices = field.get("enum") or ([field["const"]] if "const" in field else [])
    kinds = {_PYTHON_KINDS.get(type(value), "any") for value in choices}
    return kinds.pop() if len(kinds) == 1 else "any"


def _json_schema(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}
