"""Tolerant reading of the API's objects: a field that is missing or of another type is simply not known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

NOTHING: Mapping[str, Any] = {}


def at(value: Any, *path: str) -> Any:
    """The value behind the keys, or None.

    >>> at({"status": {"phase": "Pending"}}, "status", "phase")
    'Pending'
    """
    for key in path:
        # The first test is for speed: isinstance against an abstract class costs ten times as much.
        if type(value) is not dict and not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def map_at(value: Any, *path: str) -> Mapping[str, Any]:
    """The mapping behind the keys; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, Mapping) else NOTHING


def text_at(value: Any, *path: str) -> str:
    """The text behind the keys; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def number_at(value: Any, *path: str) -> int | None:
    """The whole number behind the keys."""
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def maps_at(value: Any, *path: str) -> tuple[Mapping[str, Any], ...]:
    """The mappings of the list behind the keys."""
    found = at(value, *path)
    if not isinstance(found, list | tuple):
        return ()
    return tuple(item for item in found if type(item) is dict or isinstance(item, Mapping))


def texts_at(value: Any, *path: str) -> tuple[str, ...]:
    """The texts of the list behind the keys."""
    found = at(value, *path)
    return tuple(item for item in found if isinstance(item, str)) if isinstance(found, list | tuple) else ()


def time_at(value: Any, *path: str) -> datetime | None:
    """The time behind the keys; without a zone it is UTC."""
    try:
        time = datetime.fromisoformat(text_at(value, *path))
    except ValueError:
        return None
    return in_utc(time)


def in_utc(time: datetime) -> datetime:
    """The time with a zone, so that it can be compared."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)
