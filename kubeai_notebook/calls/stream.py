"""A chat as a stream of Deltas that any thread can stop.

The engine works for as long as somebody listens, so whoever stops listening has to say so: a user who interrupts a
cell, a widget's stop button (in another thread, while this one waits), a page that is closed. A generator cannot be
closed while it runs, and one that a traceback holds is never closed. A ChatStream is no generator: the request runs in
the Endpoint's event loop, and `close` cancels it there.

Answers are read here and not by the ``openai`` client. It takes whatever an engine sends for granted, so a chunk
without a delta or a web page is an AttributeError of its own, somewhere in the user's code.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.chat_messages import Delta, delta_of
from kubeai_notebook.core.foreign import MOST_ERROR_BYTES
from kubeai_notebook.core.framing import EndlessLineError, events_of
from kubeai_notebook.core.objects import maps_at

from .background_loop import Pulled
from .errors import NO_CHOICE, explained, interrupted, object_of, reading, session_closed, unreadable

if TYPE_CHECKING:
    import openai

    from kubeai_notebook.errors import CallError

    from .endpoint import Endpoint

LONGEST_EVENT_BYTES = 16 << 20

Turn = Mapping[str, str]
"""One message of a conversation: ``{"role": …, "content": …}``."""


class ChatStream(Iterator[Delta]):
    """The next turn of a conversation, one Delta after the other; the request is sent with the first.

    ``options`` are those of the OpenAI API (``max_tokens``, ``temperature`` …).

    `close` ends the request, and with it the engine's work, from any thread; iteration then ends. The end of a ``with``
    block closes it, and so do an error, an interrupt while it waits, and the end of the last reference.

    Raises, while it is read:
        CallError: the gateway or the engine refused it, or the stream broke off or cannot be read.
        WaitInterruptedError: interrupted, while it waits or anywhere in its ``with`` block; the request is cancelled.
    """

    def __init__(self, endpoint: Endpoint, model: str, turns: Sequence[Turn], **options: Any) -> None:
        self._model, self._endpoint = model, endpoint
        asked = {"model": model, "messages": list(turns), "stream_options": {"include_usage": True}, **options}
        self._pieces = Pulled(endpoint.loop, _answer(endpoint.own_client, asked))
        # Not a method: a generator that holds this object would keep it from ending with its last reference.
        self._deltas = _deltas(self._pieces, model)
        self._reading = threading.Lock()

    def __next__(self) -> Delta:
        """Wait for the next Delta."""
        delta = None
        try:
            with self._reading, explained(self._model, self._endpoint):
                delta = None if self._pieces.closed else next(self._deltas, None)
        except CancelledError:
            if not self._pieces.closed:
                raise session_closed() from None
        finally:
            if delta is None:
                self.close()
        if delta is None:
            raise StopIteration
        return delta

    def close(self) -> None:
        """End the request and the engine's work on it, also while another thread waits for a Delta."""
        self._pieces.close()

    def __enter__(self) -> ChatStream:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close()
        if kind is KeyboardInterrupt:
            raise interrupted(self._model) from None

    def __del__(self) -> None:
        if hasattr(self, "_pieces"):  # unlike where making it has failed
            self.close()


async def _answer(client: openai.AsyncOpenAI, asked: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
    """The body of the engine's answer, piece by piece."""
    # Any: the client's overloads do not take options that are only known at run time.
    completions: Any = client.chat.completions
    async with completions.with_streaming_response.create(stream=True, **asked) as response:
        async for piece in response.iter_bytes():
            yield piece


def _deltas(pieces: Iterator[bytes], model: str) -> Iterator[Delta]:
    """What the server-sent events of a body hold, up to ``[DONE]``."""
    beginning: list[bytes] = []
    has_choice = False
    for event in _events(_kept(pieces, beginning), model):
        with reading(model):
            answer = object_of(event, model)
            delta = delta_of(answer)
        has_choice = has_choice or bool(maps_at(answer, "choices"))
        yield delta
    if not has_choice:
        raise _without_choice(b"".join(beginning), model)


def _events(pieces: Iterator[bytes], model: str) -> Iterator[bytes]:
    try:
        for event in events_of(pieces, LONGEST_EVENT_BYTES):
            if event.startswith(b"[DONE]"):
                return
            yield event
    except EndlessLineError:
        raise unreadable(model, f"it holds an event of more than {LONGEST_EVENT_BYTES >> 20} MiB") from None


def _kept(pieces: Iterator[bytes], beginning: list[bytes]) -> Iterator[bytes]:
    """The pieces; what a body begins with is kept, for whatever it is when it is no stream."""
    size = 0
    for piece in pieces:
        if size < MOST_ERROR_BYTES:
            beginning.append(piece[: MOST_ERROR_BYTES - size])
            size += len(piece)
        yield piece


def _without_choice(beginning: bytes, model: str) -> CallError:
    """The error of a stream that held no answer: often it is no stream but an object that tells why, or a page."""
    if b"data:" in beginning:
        return unreadable(model, NO_CHOICE)
    if beginning.strip():
        object_of(beginning, model)
    return unreadable(model, "it holds no event of a stream")
