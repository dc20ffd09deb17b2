"""What a model wants called, as a user is asked to allow it: what is read there is exactly what then runs.

A model writes the arguments as it likes. A sign that no page shows, a name that stands twice or an end that is cut off
would run all the same, so the arguments are read once and shown from what was read.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import UsageError

from .chat_messages import ToolCall
from .objects import maps_at, text_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_CALL = 4_000
"""Characters of a call's arguments that somebody may be asked to read."""
MOST_CALLS = 50
"""Calls of one answer that somebody may be asked to read."""
_HOW = "Refuse the call; the model may ask otherwise."


def calls_of(turn: Mapping[str, Any]) -> list[ToolCall]:
    """The calls that a turn of the assistant's asks for."""
    return [
        ToolCall(
            index=index,
            id=text_at(call, "id"),
            name=text_at(call, "function", "name"),
            arguments=text_at(call, "function", "arguments"),
        )
        for index, call in enumerate(maps_at(turn, "tool_calls"))
    ]


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """The arguments of a call: what is shown before it is allowed, and what then runs.

    Raises:
        UsageError: they cannot be shown as what they are, so nobody could allow them.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a name is given twice")
        return dict(pairs)

    try:
        arguments = json.loads(call.arguments or "{}", object_pairs_hook=once)
        text = json.dumps(arguments)
    except (ValueError, RecursionError):
        raise UsageError(f"The arguments of {call.name} cannot be read.", _HOW) from None
    if not isinstance(arguments, dict) or len(text) > LONGEST_CALL:
        raise UsageError(f"The arguments of {call.name} cannot be shown whole.", _HOW)
    return arguments


def shown_arguments(call: ToolCall) -> str:
    """The arguments in letters that hide nothing: every other sign stands there by its number."""
    try:
        return json.dumps(arguments_of(call))
    except UsageError as error:
        return error.message


def not_shown(calls: Sequence[ToolCall]) -> str:
    """How many calls are too many to be shown, in a sentence; ``""`` where all are."""
    more = len(calls) - MOST_CALLS
    return f"{more} more calls are not shown, so none can be allowed." if more > 0 else ""


def calls_id_of(turns: Sequence[Mapping[str, Any]]) -> str:
    """What stands for the calls that these turns of an answer end with, and for no later ones, be they the same."""
    return sha256(json.dumps(turns, default=str).encode()).hexdigest()[:32]


def check_shown(calls: Sequence[ToolCall]) -> None:
    """See that somebody could read all of these before they allowed them.

    Raises:
        UsageError: there are too many, or the arguments of one cannot be shown.
    """
    if more := not_shown(calls):
        raise UsageError(more, _HOW)
    for call in calls:
        arguments_of(call)
