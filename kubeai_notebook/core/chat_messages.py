"""What a model said: how the pieces of a stream become a Reply, and what else is known of it.

A Reply is a str, so that it goes wherever a text goes. What is not the model's own word (that the answer was cut, that
only reasoning came) stands beside it in `Reply.note`: put into the text it would be stored, sent back and counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import CallError
from kubeai_notebook.text import LONGEST, encodable, plain

from .objects import NOTHING, at, map_at, maps_at, number_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .reply_schema import ReplySchema


# Where its engine does not tell it apart, a model's reasoning stands in the text.
_THINKING = re.compile(r"\A\s*<think>.*?(?:</think>\s*|\Z)", re.DOTALL)


def answer_in(text: str) -> str:
    """What stands behind the reasoning."""
    return _THINKING.sub("", text)


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one request."""

    prompt_tokens: int
    completion_tokens: int

    @property
    def total_tokens(self) -> int:
        """Those of the prompt and of the answer, reasoning included."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A function that the model wants called; in a Delta, a piece of one. Nothing calls it by itself."""

    index: int
    """Which call of the turn this is, from 0: pieces of several calls come mixed."""
    id: str = ""
    name: str = ""
    arguments: str = ""
    """JSON text; complete only at the end of the turn."""

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments by their names: ``functions[call.name](**call.kwargs)``.

        Raises:
            CallError: they are not the JSON of an object, as where `max_tokens` cut them.
        """
        try:
            arguments = json.loads(self.arguments or "{}")
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            message = f'The model wrote arguments for "{self.name}" that are no JSON object.'
            raise CallError(message, "call.arguments holds its words; a higher max_tokens lets it end.", kind="engine")
        return arguments

    def result(self, value: Any) -> dict[str, Any]:
        """The turn that tells the model what the function gave: a text as it is, anything else as JSON."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        return {"role": "tool", "tool_call_id": self.id, "content": text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """One streamed piece, which is not a token; printed, it is its text."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The event as it came."""

    def __str__(self) -> str:
        return self.text


_MORE = "; a higher max_tokens lets it end"


class Reply(str):
    """What a model said: a str, with what else is known of it beside the text."""

    __slots__ = (
        "_lacks_call",
        "_max_tokens",
        "_parsed",
        "_unfit",
        "finish_reason",
        "model",
        "raw",
        "reasoning",
        "time_to_first_token_seconds",
        "tokens_per_second",
        "tool_calls",
        "usage",
    )
    reasoning: str
    """What the model thought before it answered, where its engine tells that apart."""
    tool_calls: tuple[ToolCall, ...]
    """The functions that it wants called; nothing calls them by itself."""
    finish_reason: str | None
    """``stop``, ``length`` (cut by ``max_tokens``), ``tool_calls`` …; None where the stream was stopped."""
    usage: Usage | None
    model: str
    """Who was asked: the Model, with ``_adapter`` behind it where one was named."""
    time_to_first_token_seconds: float | None
    """From the request to the first word, reasoning or tool call; None where nothing was streamed."""
    tokens_per_second: float | None
    """Of the answer, from its first word on; None where the engine counts no tokens."""
    raw: Mapping[str, Any]
    """The answer as the OpenAI API has it, a ``chat.completion``, with whatever the engine added."""
    _parsed: Any
    _unfit: str
    _lacks_call: bool
    _max_tokens: int

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
        reply.model, reply.raw = "", NOTHING
        reply.time_to_first_token_seconds = reply.tokens_per_second = None
        reply._parsed, reply._unfit, reply._lacks_call, reply._max_tokens = None, "", False, 0
        return reply

    def judge(self, schema: ReplySchema | None, *, must_call: bool, max_tokens: int = 0) -> None:
        """Look for what was asked for: `parsed` and `note` tell from now on. ``max_tokens``: 0 where none were."""
        self._max_tokens = max_tokens
        self._lacks_call = must_call and bool(self.finish_reason) and not self.tool_calls
        if schema is not None and not self.tool_calls:
            self._parsed, self._unfit = schema.read(answer_in(self))

    @property
    def parsed(self) -> Any:
        """The answer as ``schema`` says: a pydantic object, a label, or what the JSON holds; None without a schema.

        Raises:
            CallError: the answer is something else, as where it was cut.
        """
        if self._unfit:
            raise CallError(self._unfit, self.note or "The model's words are the Reply itself.", kind="engine")
        return self._parsed

    @property
    def note(self) -> str:
        """Why this is less than a whole answer, in a sentence; ``""`` where it is one."""
        answer = answer_in(self)
        reasoned = bool(self.reasoning) or len(answer) < len(self)
        if self.finish_reason == "length":
            count = self.usage.completion_tokens if self.usage else 0
            tokens = f"{count} token{'s' * (count > 1)}" if count else "all its tokens"
            if reasoned and not answer.strip():
                return f"Its reasoning took {tokens}, so no answer came; a higher max_tokens leaves room for both."
            # Whoever asked for a text of so many tokens has it; what was to have a form needs more of them.
            as_long = bool(self._max_tokens) and count in (0, self._max_tokens)
            is_wanted = as_long and not self._unfit and not self._lacks_call
            cut = f"The answer was cut after {tokens}{', as asked' if is_wanted else _MORE}."
            return f"{cut} Up to there it calls no tool, and one had to be called." if self._lacks_call else cut
        if self._lacks_call:
            return "The model called no tool, and one had to be called: its engine or its chat template knows no tools."
        if self.finish_reason == "content_filter":
            return "The server withheld the answer, or a part of it (content_filter)."
        if not answer.strip() and not self.tool_calls and self.finish_reason:
            return f"The answer is empty: {'the model only reasoned' if reasoned else 'the model ended at once'}."
        return ""

    @property
    def message(self) -> dict[str, Any]:
        """The Reply as a turn of a conversation, which a list of turns may go on with."""
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in self.tool_calls
        ]
        return {"role": "assistant", "content": str(self), **({"tool_calls": calls} if calls else {})}

    def __repr__(self) -> str:
        """As of any str, which writes control characters as escapes; of a huge answer the beginning; then the note."""
        long = len(self) > LONGEST
        text = f"{str(self[:LONGEST])!r} … ({len(self):,} characters)" if long else super().__repr__()
        calls = "".join(f"\n{call.name}({call.arguments[:LONGEST]!r})" for call in self.tool_calls)
        note = f"\n{self.note}" if self.finish_reason and self.note else ""
        return plain(f"{text}{calls}{note}")


@dataclass(slots=True)
class ReplyInProgress:
    """What has come of a Reply. A text that grew piece by piece would be copied whole for each of them."""

    texts: list[str] = field(default_factory=list)
    reasonings: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Usage | None = None
    raw: dict[str, Any] = field(default_factory=dict)
    logprobs: list[Any] = field(default_factory=list)

    def add(self, delta: Delta) -> bool:
        """Take a piece; whether it holds some of the answer."""
        if delta.text:
            self.texts.append(delta.text)
        if delta.reasoning:
            self.reasonings.append(delta.reasoning)
        self.calls += delta.tool_calls
        self.finish_reason, self.usage = delta.finish_reason or self.finish_reason, delta.usage or self.usage
        self.raw.update(delta.raw)
        tokens = at(next(iter(maps_at(delta.raw, "choices")), NOTHING), "logprobs", "content")
        if isinstance(tokens, list):
            self.logprobs += tokens
        return bool(delta.text or delta.reasoning or delta.tool_calls)

    def reply(self, *, model: str = "") -> Reply:
        """The Reply so far."""
        reply = Reply(
            "".join(self.texts),
            reasoning="".join(self.reasonings),
            tool_calls=_joined(self.calls),
            finish_reason=self.finish_reason,
            usage=self.usage,
        )
        reply.model, reply.raw = model, self._raw(reply)
        return reply

    def _raw(self, reply: Reply) -> Mapping[str, Any]:
        """The events as one answer."""
        message = {**reply.message, **({"reasoning_content": reply.reasoning} if reply.reasoning else {})}
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        if self.logprobs:
            choice["logprobs"] = {"content": self.logprobs}
        return {**self.raw, "object": "chat.completion", "choices": [choice]} if self.raw else NOTHING


def _joined(pieces: Iterable[ToolCall]) -> tuple[ToolCall, ...]:
    """The calls that mixed pieces add up to. Engines repeat id and name or send them once: the first ones count.

    Some number no call, or all of them 0: there a name with another id begins the next call.
    """
    by_index: dict[int, list[list[ToolCall]]] = {}
    for piece in pieces:
        calls = by_index.setdefault(piece.index, [])
        if not calls or (piece.name and piece.id and piece.id != calls[-1][0].id):
            calls.append([])
        calls[-1].append(piece)
    in_order = [call for _, calls in sorted(by_index.items()) for call in calls]
    return tuple(
        ToolCall(
            index=index,
            id=next((piece.id for piece in same if piece.id), ""),
            name=next((piece.name for piece in same if piece.name), ""),
            arguments="".join(piece.arguments for piece in same),
        )
        for index, same in enumerate(in_order)
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
        raw=chunk,
    )


def words_of(content: Any) -> str:
    """The text of a content, which may come in parts; halves of characters, which cannot be shown, are replaced."""
    if isinstance(content, str):
        return encodable(content)
    if isinstance(content, list):
        return "".join(words_of(part.get("text") if isinstance(part, Mapping) else part) for part in content)
    return ""


def reason_of(choice: Mapping[str, Any]) -> str | None:
    """Why a turn ended, where it did."""
    return words_of(choice.get("finish_reason")) or None


def usage_of(answer: Mapping[str, Any]) -> Usage | None:
    """The token counts, where the engine tells them."""
    usage = map_at(answer, "usage")
    prompt, completion = number_at(usage, "prompt_tokens"), number_at(usage, "completion_tokens")
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
