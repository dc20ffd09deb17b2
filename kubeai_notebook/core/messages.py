"""Sentences about wrong fields: from pydantic's errors to Notices, never showing a value that may be secret."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from .notice import wrong

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .notice import Notice

_EXPECTED = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of names to values",
}
_BOUNDS = {
    "ge": "be {} or more",
    "max_length": "have {} characters or fewer",
    "pattern": "match {}",
}


def problem_of(detail: Mapping[str, Any], known: Iterable[str]) -> Notice:
    """One sentence of one pydantic error, from ``loc``, ``type`` and limits only: ``input`` may be a secret."""
    field = ".".join(str(part) for part in detail["loc"])
    kind, limits = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return wrong(field, "Required", f'The field "{field}" is missing.')
    if kind == "extra_forbidden":
        near = did_you_mean(field, known) if len(detail["loc"]) == 1 else ""
        return wrong(field, "UnknownField", f'A Model has no field "{field[:80]}".{near}')
    if kind == "literal_error":
        return wrong(field, "UnsupportedValue", f'The field "{field}" must be {limits["expected"]}.')
    if kind in _EXPECTED:
        return wrong(field, "WrongType", f'The field "{field}" {_EXPECTED[kind]}.')
    bounds = " and ".join(_BOUNDS[name].format(bound) for name, bound in limits.items() if name in _BOUNDS)
    return wrong(field, "InvalidValue", f'The field "{field}" must {bounds or "have another value"}.')


# The API server quotes the value before the rule's sentence; 1.35 and later leave "object" out.
_QUOTED_VALUE = re.compile(r'^Invalid value: (("(\\.|[^"])*"|[\w.+-]+): )?')


def sentence_of(message: str) -> str:
    """An API server's cause without the value that it quotes: the value may be long, or a secret."""
    return _QUOTED_VALUE.sub("", message)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``' Did you mean "x"?'`` for the nearest known word, or ``""``."""
    by_lower = {name.lower(): name for name in known}
    nearest = difflib.get_close_matches(word[:80].lower(), by_lower, n=1, cutoff=0.6)
    return f' Did you mean "{by_lower[nearest[0]]}"?' if nearest else ""


_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def duration(seconds: float, *, exact: bool = False) -> str:
    """A length of time as people say it: about how long it is or, ``exact``, its two largest units.

    >>> duration(200), duration(200, exact=True), duration(90), duration(7500, exact=True)
    ('3 min', '3 min 20 s', '90 s', '2 h 5 min')
    """
    whole = max(int(seconds), 0)
    if not exact:
        # Below two of a unit, the smaller one says more: 90 min, not 2 h.
        unit, length = next((one for one in _UNITS if whole >= 2 * one[1]), _UNITS[-1])
        return f"{whole / length:.0f} {unit}"
    first = next((index for index, (_, length) in enumerate(_UNITS) if whole >= length), len(_UNITS) - 1)
    words = []
    for unit, length in _UNITS[first : first + 2]:
        amount, whole = divmod(whole, length)
        words.append(f"{amount} {unit}")
    return " ".join(words)
