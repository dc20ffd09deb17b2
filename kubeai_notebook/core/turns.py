"""A conversation: what the model said, and how its pieces become a Reply."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one request."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """One streamed piece; not a token."""

    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None


class Reply(str):
    """What a model said: text, with ``finish_reason`` and ``usage`` beside it."""

    __slots__ = ("finish_reason", "usage")
    finish_reason: str | None
    usage: Usage | None

    def __new__(cls, text: str = "", *, finish_reason: str | None = None, usage: Usage | None = None) -> Reply:
        """Make a Reply of its whole text."""
        reply = super().__new__(cls, text)
        reply.finish_reason = finish_reason
        reply.usage = usage
        return reply


def fold(reply: Reply, delta: Delta) -> Reply:
    """The Reply after one more Delta; the old one is unchanged."""
    return Reply(
        reply + delta.text,
        finish_reason=delta.finish_reason or reply.finish_reason,
        usage=delta.usage or reply.usage,
    )


def reply_of(deltas: Iterable[Delta]) -> Reply:
    """The Reply that a whole stream adds up to."""
    return reduce(fold, deltas, Reply())
