"""Text from a Model: one completion, or a chat as a stream of Deltas.

Answers are read here and not by the ``openai`` client. It takes whatever an engine sends for granted, so a chunk
without a delta or a web page is an AttributeError of its own, somewhere in the user's code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.chat_messages import Delta, Reply, delta_of, reason_of, usage_of, words_of
from kubeai_notebook.core.framing import lines_of
from kubeai_notebook.core.objects import maps_at

from .errors import explained, object_of, reading, unreadable

if TYPE_CHECKING:
    from .endpoint import Endpoint

LONGEST_EVENT_BYTES = 16 << 20

Turn = Mapping[str, str]
"""One message of a conversation: ``{"role": …, "content": …}``."""


def complete(endpoint: Endpoint, prompt: str, options: Mapping[str, Any]) -> Reply:
    """Continue a text.

    ``options`` are those of the OpenAI API (``max_tokens``, ``temperature`` …).

    Raises:
        CallError: the gateway or the engine refused it, or answered something that cannot be read.
    """
    with explained(endpoint.model, this_machine=endpoint.access.this_machine):
        raw = endpoint.client.completions.with_raw_response
        response: Any = raw.create(model=endpoint.model, prompt=prompt, **options)
    with reading(endpoint.model):
        answer = object_of(response.content, endpoint.model)
        choice = maps_at(answer, "choices")[0]
        return Reply(words_of(choice.get("text")), finish_reason=reason_of(choice), usage=usage_of(answer))


def stream(endpoint: Endpoint, turns: Sequence[Turn], options: Mapping[str, Any]) -> Iterator[Delta]:
    """Stream the next turn of a conversation; closing the iterator ends the request and the engine's work.

    Raises:
        CallError: the gateway or the engine refused it, or the stream broke off or cannot be read.
    """
    settings = {"stream_options": {"include_usage": True}, **options}
    with explained(endpoint.model, this_machine=endpoint.access.this_machine):
        # Any: the client's overloads do not take options that are only known at run time.
        messages: Any = list(turns)
        raw: Any = endpoint.client.chat.completions.with_streaming_response
        with raw.create(model=endpoint.model, messages=messages, stream=True, **settings) as response:
            for event in _events(response, endpoint.model):
                with reading(endpoint.model):
                    delta = delta_of(object_of(event, endpoint.model))
                yield delta


def _events(response: Any, model: str) -> Iterator[bytes]:
    """The data of each server-sent event, up to ``[DONE]``.

    Raises:
        CallError: there is none, or one has no end.
    """
    kind = str(response.headers.get("content-type", ""))
    if kind.startswith("text/html"):
        raise unreadable(model, "it is a web page")
    came, data = False, bytearray()
    lines = lines_of(response.iter_bytes(), LONGEST_EVENT_BYTES)
    while True:
        with reading(model):
            line = next(lines, None)
        if line is not None and line.startswith(b"data:"):
            data += line[len(b"data:") :].strip() + b"\n"
            if len(data) > LONGEST_EVENT_BYTES:
                raise unreadable(model, f"it holds an event of more than {LONGEST_EVENT_BYTES >> 20} MiB")
            continue
        if line is not None and line.strip():
            continue  # the event's name, its number, a comment
        if data.startswith(b"[DONE]"):
            return
        if data:
            came, event, data = True, bytes(data), bytearray()
            yield event
        if line is None:
            break
    if not came:
        raise unreadable(model, "it is empty" if kind.startswith("text/event-stream") else "it is no stream")
