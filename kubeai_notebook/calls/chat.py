"""Text from a Model: one completion, or a chat as a stream of Deltas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.turns import Delta, Reply, ToolCall, Usage

from .errors import explained

if TYPE_CHECKING:
    from .endpoint import Endpoint

Turn = Mapping[str, str]
"""One message of a conversation: ``{"role": …, "content": …}``."""


def complete(endpoint: Endpoint, prompt: str, options: Mapping[str, Any]) -> Reply:
    """Continue a text.

    ``options`` are those of the OpenAI API (``max_tokens``, ``temperature`` …).

    Raises:
        CallError: the gateway or the engine refused it.
    """
    with explained(endpoint.model):
        answer = endpoint.client.completions.create(model=endpoint.model, prompt=prompt, **options)
    choice = answer.choices[0]
    return Reply(choice.text, finish_reason=choice.finish_reason, usage=_usage(answer.usage))


def stream(endpoint: Endpoint, turns: Sequence[Turn], options: Mapping[str, Any]) -> Iterator[Delta]:
    """Stream the next turn of a conversation; closing the iterator ends the request and the engine's work.

    Raises:
        CallError: the gateway or the engine refused it, or the stream broke off.
    """
    settings = {"stream_options": {"include_usage": True}, **options}
    with explained(endpoint.model):
        # Any: the client's overloads do not take options that are only known at run time.
        messages: Any = list(turns)
        chunks: Any = endpoint.client.chat.completions.create(
            model=endpoint.model, messages=messages, stream=True, **settings
        )
        with chunks:
            for chunk in chunks:
                yield _delta_of(chunk)


def _delta_of(chunk: Any) -> Delta:
    usage = _usage(chunk.usage)
    if not chunk.choices:
        return Delta(usage=usage)
    choice = chunk.choices[0]
    piece = choice.delta
    calls = [
        ToolCall(
            index=call.index, id=call.id or "", name=call.function.name or "", arguments=call.function.arguments or ""
        )
        for call in piece.tool_calls or []
    ]
    # Reasoning is no field of OpenAI's; engines spell it in two ways.
    reasoning = getattr(piece, "reasoning_content", None) or getattr(piece, "reasoning", None) or ""
    return Delta(
        text=piece.content or "",
        reasoning=reasoning,
        tool_calls=tuple(calls),
        finish_reason=choice.finish_reason,
        usage=usage,
    )


def _usage(usage: Any) -> Usage | None:
    return Usage(usage.prompt_tokens, usage.completion_tokens) if usage else None
