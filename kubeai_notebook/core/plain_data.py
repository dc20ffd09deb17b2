"""The border for fields that somebody gives, from Python or from YAML: only what JSON can hold goes on.

A Model is JSON in the end, and the rules behind this border are written for JSON: a set, a date, NaN, a list that
holds itself, or a key that is a number would fail somewhere in them with a stack. So fields are looked through
here, once, before any rule reads them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from kubeai_notebook.core.notice import Notice, wrong
from kubeai_notebook.errors import SpecError

MAX_DEPTH = 40
MAX_VALUES = 50_000
# The rules word what is too large for KubeAI; a number of some thousand digits Python itself cannot write.
_MOST_BITS = 1000
# A set has no order, which means nothing where names are all there is.
_MAY_BE_A_SET = ("secrets",)
_MOST_NOTICES = 20


def check_fields(fields: Any) -> None:
    """Refuse what no Model can hold.

    Raises:
        SpecError: the fields are no mapping, or one of them holds what JSON cannot; each is named, no value is shown.
    """
    if notices := plain_fields(fields)[1]:
        raise SpecError(notices)


def whole(text: str) -> str:
    """A text whose escapes name halves of characters, as JSON writes those above U+FFFF, with the halves together.

    No text on its way to a browser or an API server holds half a character, so one alone becomes U+FFFD.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def plain_fields(fields: Any) -> tuple[dict[str, Any], list[Notice]]:
    """The fields that JSON can hold, and a Notice of each that it cannot; no fields where there are too many."""
    if not isinstance(fields, Mapping):
        message = f"A Model's fields must be a mapping of names to values, not {_type(fields)}."
        return {}, [wrong("", "WrongType", message)]
    good: dict[str, Any] = {}
    notices: list[Notice] = []
    values = 0
    for name, value in fields.items():
        wrong_here: dict[Notice, None] = {}
        for notice in _notices({name: value}, path=(), depth=0):
            values += 1
            if values >= MAX_VALUES:
                return {}, [wrong("", "TooLarge", f"The fields hold more than {MAX_VALUES:,} values.")]
            if notice:
                wrong_here[notice] = None
            if len(wrong_here) == _MOST_NOTICES:
                break  # A list that holds itself twice has no end.
        notices += wrong_here
        if not wrong_here:
            good[name] = value
    return good, notices


def _notices(value: Any, *, path: tuple[str | int, ...], depth: int) -> Iterator[Notice | None]:
    """For each value inside, what is wrong with it, or None."""
    if depth > MAX_DEPTH:
        field = _named(path[:1])
        yield wrong(field, "TooDeep", f'The field "{field}" nests deeper than {MAX_DEPTH} levels.')
    elif isinstance(value, Mapping):
        yield None
        for key, inner in value.items():
            if isinstance(key, str):
                yield from _notices(inner, path=(*path, key), depth=depth + 1)
            else:
                yield _odd_key(_named(path), key)
    elif isinstance(value, list | tuple) or (path == _MAY_BE_A_SET and isinstance(value, set | frozenset)):
        yield None
        for number, inner in enumerate(value):
            yield from _notices(inner, path=(*path, number), depth=depth + 1)
    else:
        field, why = _named(path), _why_not_json(value)
        yield wrong(field, "WrongType", f'The field "{field}" is {why}') if why else None


def _named(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")[:120]


def _odd_key(field: str, key: Any) -> Notice:
    if not field:
        return wrong("", "WrongType", f"A field's name must be text, not {_type(key)}.")
    shown = isinstance(key, bool | float | None) or (isinstance(key, int) and key.bit_length() <= _MOST_BITS)
    what = f"the key {key}" if shown else f"a key of type {_type(key)}"
    return wrong(field, "WrongType", f'The field "{field}" has {what}, and keys must be text. Put it in quotes.')


def _why_not_json(value: Any) -> str:
    """The rest of a sentence about a value that JSON cannot hold; ``""`` for all others."""
    if value is None or isinstance(value, str | bool | SecretStr | BaseModel):
        return ""
    if isinstance(value, int):
        return "" if value.bit_length() <= _MOST_BITS else "a number with more digits than any Model can hold."
    if isinstance(value, float):
        return "" if math.isfinite(value) else "no finite number. Write a number, or put it in quotes."
    return f"of type {_type(value)}, which no Model can hold. Write text, a number, a list or a mapping."


def _type(value: Any) -> str:
    return type(value).__name__[:40]
