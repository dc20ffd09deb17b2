"""A conversation: what the model said, and how its pieces become a Reply."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeai_notebook.text import LONGEST

from .objects import map_at, maps_at, number_at

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one request."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A function that the model wants called; in a Delta, a piece of one."""

    index: int
    """Which call of the turn this is, from 0: pieces of several calls come mixed."""
    id: str = ""
    name: str = ""
    arguments: str = ""
    """JSON text; complete only at the end of the turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """One streamed piece; not a token."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None


class Reply(str):
    """What a model said: text, with reasoning, tool calls, ``finish_reason`` and ``usage`` beside it."""

    __slots__ = ("finish_reason", "reasoning", "tool_calls", "usage")
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str | None
    usage: Usage | None

    def __new__(
        cls,
        text: str = "",
        *,
        reasoning: str = "",
        tool_calls: tuple[ToolCall, ...] = (),
        finish_reason: str | None = None,
        usage: Usage | None = None,
    ) -> Reply:
        """Make a Reply of its whole text."""
        reply = super().__new__(cls, text)
        reply.reasoning = reasoning
        reply.tool_calls = tool_calls
        reply.finish_reason = finish_reason
        reply.usage = usage
        return reply

    def __repr__(self) -> str:
        """As of any str, which writes control characters as escapes; of a huge answer the beginning."""
        if len(self) <= LONGEST:
            return super().__repr__()
        return f"{str(self[:LONGEST])!r} … ({len(self):,} characters)"


def fold(reply: Reply, deltas: Iterable[Delta]) -> Reply:
    """The Reply after further Deltas; the old one is unchanged.

    All Deltas at once, and not one by one: a text that grows piece by piece is copied whole for each of them.
    """
    texts, reasonings = [str(reply)], [reply.reasoning]
    finish_reason, usage = reply.finish_reason, reply.usage
    pieces = [*reply.tool_calls]
    for delta in deltas:
        texts.append(delta.text)
        reasonings.append(delta.reasoning)
        pieces += delta.tool_calls
        finish_reason, usage = delta.finish_reason or finish_reason, delta.usage or usage
    return Reply(
        "".join(texts),
        reasoning="".join(reasonings),
        tool_calls=_joined(pieces),
        finish_reason=finish_reason,
        usage=usage,
    )


def reply_of(deltas: Iterable[Delta]) -> Reply:
    """The Reply that a whole stream adds up to."""
    return fold(Reply(), deltas)


def _joined(pieces: Iterable[ToolCall]) -> tuple[ToolCall, ...]:
    """The calls that mixed pieces add up to. Engines repeat id and name or send them once: the first ones count."""
    by_index: dict[int, list[ToolCall]] = {}
    for piece in pieces:
        by_index.setdefault(piece.index, []).append(piece)
    return tuple(
        ToolCall(
            index=index,
            id=next((piece.id for piece in same if piece.id), ""),
            name=next((piece.name for piece in same if piece.name), ""),
            arguments="".join(piece.arguments for piece in same),
        )
        for index, same in sorted(by_index.items())
    )


def delta_of(chunk: Mapping[str, Any]) -> Delta:
    """One event of a chat's stream; what an engine leaves out or spells in its own way is empty.

    >>> delta_of({"choices": [{"delta": {"content": "Hi"}}]}).text
    'Hi'
    """
    choice = next(iter(maps_at(chunk, "choices")), {})
    piece = map_at(choice, "delta")
    return Delta(
        text=words_of(piece.get("content")),
        # Reasoning is no field of OpenAI's; engines spell it in two ways.
        reasoning=words_of(piece.get("reasoning_content")) or words_of(piece.get("reasoning")),
        tool_calls=tuple(_call_of(number, call) for number, call in enumerate(maps_at(piece, "tool_calls"))),
        finish_reason=reason_of(choice),
        usage=usage_of(chunk),
    )


def words_of(content: Any) -> str:
    """The text of a content, which may come in parts; halves of characters, which cannot be shown, are replaced."""
    if isinstance(content, str):
        return content if content.isascii() else content.encode("utf-8", "replace").decode()
    if isinstance(content, list):
        return "".join(words_of(part.get("text") if isinstance(part, Mapping) else part) for part in content)
    return ""


def reason_of(choice: Mapping[str, Any]) -> str | None:
    """Why a turn ended, where it did."""
    return words_of(choice.get("finish_reason")) or None


def usage_of(answer: Mapping[str, Any]) -> Usage | None:
    """The token counts, where the engine tells them."""
    prompt, completion = (number_at(answer, "usage", f"{kind}_tokens") for kind in ("prompt", "completion"))
    return None if prompt is None and completion is None else Usage(prompt or 0, completion or 0)


def _call_of(number: int, call: Mapping[str, Any]) -> ToolCall:
    index, function = number_at(call, "index"), map_at(call, "function")
    arguments = function.get("arguments")
    return ToolCall(
        index=number if index is None else index,
        id=words_of(call.get("id")),
        name=words_of(function.get("name")),
        arguments=json.dumps(arguments) if isinstance(arguments, Mapping) else words_of(arguments),
    )
