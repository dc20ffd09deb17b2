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
_MOST_PROBLEMS = 20


def check_fields(fields: Any) -> None:
    """Refuse what no Model can hold.

    Raises:
        SpecError: the fields are no mapping, or one of them holds what JSON cannot; each is named, no value is shown.
    """
    if not isinstance(fields, Mapping):
        message = f"A Model's fields must be a mapping of names to values, not {_type(fields)}."
        raise SpecError([wrong("", "WrongType", message)])
    problems: dict[Notice, None] = {}
    for number, problem in enumerate(_problems(fields, path=(), depth=0)):
        if number >= MAX_VALUES:
            raise SpecError([wrong("", "TooLarge", f"The fields hold more than {MAX_VALUES:,} values.")])
        if problem:
            problems[problem] = None
        if len(problems) == _MOST_PROBLEMS:
            break
    if problems:
        raise SpecError(list(problems))


def _problems(value: Any, *, path: tuple[str, ...], depth: int) -> Iterator[Notice | None]:
    """For each value inside, what is wrong with it, or None."""
    if depth > MAX_DEPTH:
        yield wrong(path[0], "TooDeep", f'The field "{path[0]}" nests deeper than {MAX_DEPTH} levels.')
    elif isinstance(value, Mapping):
        yield None
        for key, inner in value.items():
            if isinstance(key, str):
                yield from _problems(inner, path=(*path, key), depth=depth + 1)
            else:
                yield _odd_key(_named(path), key)
    elif isinstance(value, list | tuple) or (path == _MAY_BE_A_SET and isinstance(value, set | frozenset)):
        yield None
        for number, inner in enumerate(value):
            yield from _problems(inner, path=(*path, str(number)), depth=depth + 1)
    else:
        why = _why_not_json(value)
        yield (wrong(_named(path), "WrongType", f'The field "{_named(path)}" is {why}') if why else None)


def _named(path: tuple[str, ...]) -> str:
    return ".".join(path)[:120]


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
