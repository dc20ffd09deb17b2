"""A cause: one reason for a refusal, worded byte for byte as kube-apiserver 1.36 words it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from kubeai_notebook.core.objects import is_int64

NO_FIELD = "<nil>"
"""What the server writes for a problem of the object as a whole."""

# Go's strconv.Quote.
_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_ESCAPES |= {'"': '\\"', "\\": "\\\\"}
_JSON_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_JSON_HIDDEN = frozenset("<>&\u2028\u2029")


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of a Status body's ``details.causes``."""

    field: str
    reason: str
    message: str


class Word(NamedTuple):
    """How a reason begins its message."""

    reason: str
    text: str


INVALID = Word("FieldValueInvalid", "Invalid value")
WRONG_TYPE = Word("FieldValueTypeInvalid", "Invalid value")
NOT_SUPPORTED = Word("FieldValueNotSupported", "Unsupported value")
TOO_MANY = Word("FieldValueTooMany", "Too many")

# Source: hasBlockingErr in customresource/strategy.go; after one of these the server asks no CEL rule.
_BLOCKING = frozenset(
    {
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    }
)
NOT_CHECKED = Cause(
    NO_FIELD,
    INVALID.reason,
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


def blocks(causes: Iterable[Cause]) -> bool:
    """Whether the object is too malformed for the rules."""
    return any(cause.reason in _BLOCKING for cause in causes)


def cause(word: Word, field: str, value: Any, *, detail: str) -> Cause:
    """A cause that shows the value."""
    return Cause(field, word.reason, f"{word.text}: {shown(value)}: {detail}")


def required(field: str, detail: str = "") -> Cause:
    """A cause for what is missing."""
    return Cause(field, "FieldValueRequired", f"Required value{': ' if detail else ''}{detail}")


def too_long(field: str, most: int) -> Cause:
    """A cause for a text; the server counts characters and says bytes."""
    return Cause(field, "FieldValueTooLong", f"Too long: may not be more than {most} bytes")


def kind_of(value: Any) -> str:
    """JSON's name of a value's type; a whole number beyond 64 bits is a float to Go."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer" if is_int64(value) else "number"
        case float():
            return "number"
        case str():
            return "string"
        case Mapping():
            return "object"
    return "array"


def shown(value: Any) -> str:
    """A value as field.Error shows it: Go's %q for texts, JSON for what is not a scalar."""
    if isinstance(value, str):
        return quoted(value)
    return _number(value) if isinstance(value, int | float) else _json(value)


def quoted(text: str) -> str:
    """A text in Go's double quotes.

    >>> quoted("hf://x")
    '"hf://x"'
    """
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(_ESCAPES.get(char) or _printed(char) for char in text)}"'


def _printed(char: str) -> str:
    code = ord(char)
    if char.isprintable():
        return char
    if 0xD800 <= code < 0xE000:
        return "\ufffd"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _number(value: float, *, exponent_from: float = 1e6, exponent_below: float = 1e-4) -> str:
    """A number as Go prints it: %v by default, JSON with bounds further out."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and is_int64(value):
        return str(value)
    number = _as_float(value)
    if not math.isfinite(number):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(number, "NaN")
    if number == 0 or exponent_below <= abs(number) < exponent_from:
        plain = format(Decimal(repr(number)), "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    digits = Decimal(repr(number)).normalize().as_tuple()
    whole, rest = digits.digits[0], "".join(map(str, digits.digits[1:]))
    power = int(digits.exponent) + len(digits.digits) - 1
    return f"{'-' * digits.sign}{whole}{'.' * bool(rest)}{rest}e{power:+03d}"


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _json(value: Any) -> str:
    """Compact JSON as Go marshals it: sorted keys, and <, >, & escaped."""
    match value:
        case None:
            return "null"
        case str():
            return f'"{"".join(_in_json(char) for char in value)}"'
        case int() | float():
            return _number(value, exponent_from=1e21, exponent_below=1e-6)
        case Mapping():
            return "{" + ",".join(f"{_json(key)}:{_json(value[key])}" for key in sorted(value)) + "}"
    return "[" + ",".join(_json(item) for item in value) + "]"


def _in_json(char: str) -> str:
    if char in _JSON_HIDDEN or char < " ":
        return _JSON_ESCAPES.get(char) or f"\\u{ord(char):04x}"
    return _JSON_ESCAPES.get(char, char)


def plain(value: Any) -> str:
    """A value as Go's %v prints it, which the scale path shows: ``map[a:1]``, ``[a b]``, bare texts."""
    match value:
        case None:
            return "<nil>"
        case str():
            return value
        case int() | float():
            return _number(value)
        case Mapping():
            return "map[" + " ".join(f"{key}:{plain(value[key])}" for key in sorted(value)) + "]"
    return "[" + " ".join(plain(item) for item in value) + "]"


def go_type(value: Any) -> str:
    """The Go type of a decoded JSON value, as %T prints it."""
    return {
        "null": "<nil>",
        "boolean": "bool",
        "integer": "int64",
        "number": "float64",
        "string": "string",
        "object": "map[string]interface {}",
        "array": "[]interface {}",
    }[kind_of(value)]
