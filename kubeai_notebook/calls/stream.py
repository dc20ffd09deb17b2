"""A chat as a stream of Deltas that any thread can stop, for a ``for`` and for an ``async for``.

The engine works for as long as somebody listens, so whoever stops listening has to say so: a user who interrupts a
cell, a widget's stop button (in another thread, while this one waits), a page that is closed. A generator cannot be
closed while it runs, and one that a traceback holds is never closed. A ChatStream is no generator: the request runs in
the Endpoint's event loop, and `close` cancels it there. That loop serves ``await`` as well: a client of the user's own
loop would keep connections that the next ``asyncio.run`` cannot use.

Requests are written and answers read here and not by the ``openai`` client. It takes whatever an engine sends for
granted, so a chunk without a delta or a web page is an AttributeError of its own, somewhere in the user's code; and it
takes some milliseconds to the first token. What lies below it, login and bounds, is the same.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import aclosing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.chat_messages import Delta, Reply, ReplyInProgress, delta_of
from kubeai_notebook.core.foreign import MOST_ERROR_BYTES
from kubeai_notebook.core.framing import EndlessLineError, Events
from kubeai_notebook.core.naming import name_and_adapter
from kubeai_notebook.core.objects import maps_at
from kubeai_notebook.errors import KubeAIError

from .background_loop import Pulled
from .endpoint import ANSWER_SECONDS, CONNECT_SECONDS
from .errors import NO_CHOICE, explained, interrupted, object_of, reading, session_closed, unreadable
from .http import library

if TYPE_CHECKING:
    from kubeai_notebook.core.chat_request import Turn
    from kubeai_notebook.core.reply_schema import ReplySchema
    from kubeai_notebook.errors import CallError

    from .endpoint import Endpoint

LONGEST_EVENT_BYTES = 16 << 20
READ_AHEAD_BYTES = 1 << 20
AT_ONCE_SECONDS = 0.002
"""What comes sooner after the piece before was read from the network together with it."""
REST_SHARE = 0.05
"""How long the reader rests, of the time since the first piece: an engine's tokens/s are wrong by no more."""
PAUSE_SECONDS = 0.125


class ChatStream(Iterator[Delta], AsyncIterator[Delta]):
    """The next turn of a conversation, one Delta after the other; the request is sent with the first.

    ``options`` are those of the OpenAI API (``max_tokens``, ``temperature`` …), ``timeout_seconds`` bounds the whole
    answer. `reply` is what came so far, at the end the whole, judged by ``schema`` and ``must_call``; ``on_end`` gets
    it once, unless an error ended the stream.

    `close` ends the request, and with it the engine's work, from any thread; iteration then ends. The end of a ``with``
    block closes it, and so do an error, an interrupt while it waits, and the end of the last reference.

    Raises, while it is read:
        CallError: the gateway or the engine refused it, or the stream broke off or cannot be read.
        SessionClosedError: its Session was closed.
        WaitInterruptedError: interrupted, while it waits or anywhere in its ``with`` block; the request is cancelled.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        turns: Sequence[Turn],
        *,
        schema: ReplySchema | None = None,
        must_call: bool = False,
        max_tokens: int = 0,
        timeout_seconds: float | None = None,
        on_end: Callable[[Reply], None] | None = None,
        **options: Any,
    ) -> None:
        self._asked, self._endpoint, self._on_end = model, endpoint, on_end
        self._schema, self._must_call, self._max_tokens = schema, must_call, max_tokens
        # An adapter's errors are those of its Model, which is attached to by its own name.
        self._model, _ = name_and_adapter(model)
        asked = {"stream": True, "stream_options": {"include_usage": True}, **options}
        asked = {"model": model, "messages": list(turns), **asked}
        self._pieces = Pulled(endpoint.loop, _answer(*endpoint.own_http, asked, seconds=timeout_seconds))
        # Not this object's own methods: a generator that holds it would keep it from ending with its last reference.
        self._reader = _Reader(self._model)
        self._deltas: Iterator[Delta] = iter(())
        self._progress = ReplyInProgress()
        self._begun = self._arrived = self._first = self._last = 0.0
        self._reading, self._ending, self._closed = threading.Lock(), threading.RLock(), threading.Event()

    @property
    def reply(self) -> Reply:
        """What came so far; at the end the whole Reply."""
        reply = self._progress.reply(model=self._asked)
        reply.judge(self._schema, must_call=self._must_call, max_tokens=self._max_tokens)
        if self._first:
            reply.time_to_first_token_seconds = self._first - self._begun
            tokens = reply.usage.completion_tokens if reply.usage else 0
            if tokens > 1 and self._last > self._first:
                reply.tokens_per_second = (tokens - 1) / (self._last - self._first)
        return reply

    def whole(self) -> Reply:
        """Read it to its end, and close it: the whole Reply."""
        with self:
            deque(self, maxlen=0)
            return self.reply

    def __next__(self) -> Delta:
        """Wait for the next Delta."""
        with self._closed_by_errors(), self._reading:
            while (delta := self._taken()) is None and self._goes_on:
                self._deltas = self._deltas_of(next(self._pieces, None))
        if delta is None:
            self.close()
            raise StopIteration
        return delta

    def bursts(self, pause_seconds: float = PAUSE_SECONDS) -> Iterator[list[Delta]]:
        """The Deltas in lists: the first word at once, then all that have come, with a pause behind each list of words.

        For who shows them. A hop between threads costs more than whatever else is done for a token, and a message to a
        page costs some 700 bytes whatever it holds; so does Jupyter's server drop messages that come too fast.
        """
        for delta in self:
            burst = [delta]
            try:
                with self._closed_by_errors(), self._reading:
                    burst.extend(iter(self._taken, None))
            except KubeAIError:
                yield burst
                raise
            yield burst
            # The first event mostly tells a role only, and no word waits behind it.
            if self._goes_on and any(delta.text or delta.reasoning for delta in burst):
                self._closed.wait(pause_seconds)

    async def __anext__(self) -> Delta:
        """Wait for the next Delta; cancelling the task that waits ends the request."""
        with self._closed_by_errors():
            while (delta := self._taken()) is None and self._goes_on:
                self._deltas = self._deltas_of(await anext(self._pieces, None))
        if delta is None:
            self.close()
            raise StopAsyncIteration
        return delta

    @contextmanager
    def _closed_by_errors(self) -> Iterator[None]:
        """Close this where reading fails; nothing more comes where it was closed meanwhile."""
        try:
            with explained(self._model, self._endpoint):
                yield
        except CancelledError:
            was_closed = self._pieces.closed
            if not was_closed:
                self._on_end = None
            self.close()
            if not was_closed:
                raise session_closed() from None
        except BaseException as error:
            if isinstance(error, KubeAIError):
                self._on_end = None
            self.close()
            raise

    @property
    def _goes_on(self) -> bool:
        self._begun = self._begun or time.perf_counter()
        return not self._reader.over and not self._pieces.closed

    def _taken(self) -> Delta | None:
        """The next Delta of those that have arrived."""
        delta = None if self._pieces.closed else next(self._deltas, None)
        if delta is not None and self._progress.add(delta):
            self._last = self._arrived
            self._first = self._first or self._arrived
        return delta

    def _deltas_of(self, piece: tuple[float, bytes] | None) -> Iterator[Delta]:
        """The Deltas of a piece; their time is its own: where a proxy sends all at once there is no pace to tell."""
        self._arrived, data = piece or (time.perf_counter(), None)
        return self._reader.deltas_of(data)

    def close(self) -> None:
        """End the request and the engine's work on it, also while another thread waits for a Delta."""
        self._pieces.close()
        self._closed.set()
        with self._ending:
            on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(self.reply)

    def __enter__(self) -> ChatStream:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close()
        if kind is KeyboardInterrupt:
            raise interrupted(self._model) from None

    async def __aenter__(self) -> ChatStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_ending"):  # unlike where making it has failed
            self.close()


async def _answer(
    http: Any, base_url: str, asked: dict[str, Any], *, seconds: float | None
) -> AsyncGenerator[tuple[float, bytes], None]:
    """The body of the engine's answer, with when it came; raises what the ``openai`` client would, and TimeoutError.

    What arrives while its reader is busy comes as one piece: a hop between threads for each token would be a bound.
    """
    arrived = _Arrived()
    reading = asyncio.create_task(_read(http, base_url, asked, seconds=seconds, into=arrived))
    try:
        while piece := await arrived.piece():
            yield arrived.seconds, piece
        await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


class _Arrived:
    """Bytes between the task that reads a body and the one that passes it on; b"" at the end.

    The reader rests while nobody waits for more: to wake up for each token costs more than to read it.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size, self._first, self._asked, self.seconds = 0, 0.0, 0.0, 0.0
        self._resting = self._over = False
        self._news, self._room, self._wanted = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def put(self, piece: bytes) -> None:
        """Add this, and wait while there is too much: a reader that pauses makes the other side pause."""
        self._pieces.append(piece)
        self._size, self.seconds = self._size + len(piece), time.perf_counter()
        self._first = self._first or self.seconds
        self._news.set()
        if self._size > READ_AHEAD_BYTES:
            self._room.clear()
            await self._room.wait()
        # A piece that came at once was read together with the one before, and so may be the next one.
        elif self.seconds - self._asked > AT_ONCE_SECONDS:
            await self._rest()
        self._asked = time.perf_counter()

    async def _rest(self) -> None:
        """Wait until more is wanted, but not long: the time at which a piece is read tells an engine's pace."""
        self._resting = True
        with suppress(TimeoutError):
            async with asyncio.timeout(min(PAUSE_SECONDS, REST_SHARE * (self.seconds - self._first))):
                await self._wanted.wait()
        self._resting = False

    def end(self) -> None:
        """No more comes."""
        self._over = True
        self._news.set()

    async def piece(self) -> bytes:
        """Wait for more, and take all of it."""
        self._wanted.set()
        if self._resting:  # then more may have come than what was read before it
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(AT_ONCE_SECONDS):
                    await self._news.wait()
        while not self._pieces and not self._over:
            self._news.clear()
            await self._news.wait()
        self._wanted.clear()
        piece, self._pieces, self._size = b"".join(self._pieces), [], 0
        self._room.set()
        return piece


async def _read(http: Any, base_url: str, asked: dict[str, Any], *, seconds: float | None, into: _Arrived) -> None:
    import openai

    more, added = asked.pop("extra_body", {}), asked.pop("extra_headers", {})
    timeout = asked.pop("timeout", openai.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS))
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream", **added}
    body = json.dumps({**asked, **more}, ensure_ascii=False, separators=(",", ":")).encode()
    url = f"{base_url}/chat/completions"
    request = http.build_request("POST", url, content=body, headers=headers, timeout=timeout)
    try:
        async with asyncio.timeout(seconds):
            try:
                response = await http.send(request, stream=True)
            except (library().HTTPError, OSError, ValueError) as error:
                raise openai.APIConnectionError(request=request) from error
            async with aclosing(response):
                if not response.is_success:
                    await response.aread()
                    raise openai.APIStatusError("refused", response=response, body=None)
                async for piece in response.aiter_bytes():
                    if piece:
                        await into.put(piece)
    finally:
        into.end()


class _Reader:
    """What the server-sent events of a body hold, up to ``[DONE]``."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._events = Events(LONGEST_EVENT_BYTES)
        # For whatever it is when it is no stream.
        self._beginning = b""
        self._has_choice = False
        self.over = False

    def deltas_of(self, piece: bytes | None) -> Iterator[Delta]:
        """The Deltas that this piece completes; None: no piece comes any more."""
        if piece is not None and len(self._beginning) < MOST_ERROR_BYTES:
            self._beginning += piece[: MOST_ERROR_BYTES - len(self._beginning)]
        try:
            for event in self._events.rest() if piece is None else self._events.of(piece):
                if event.startswith(b"[DONE]"):
                    self.over = True
                    break
                yield self._delta_of(event)
        except EndlessLineError:
            why = f"it holds an event of more than {LONGEST_EVENT_BYTES >> 20} MiB"
            raise unreadable(self._model, why) from None
        self.over = self.over or piece is None
        if self.over and not self._has_choice:
            raise _without_choice(self._beginning, self._model)

    def _delta_of(self, event: bytes) -> Delta:
        with reading(self._model):
            answer = object_of(event, self._model)
            delta = delta_of(answer)
        self._has_choice = self._has_choice or bool(maps_at(answer, "choices"))
        return delta


def _without_choice(beginning: bytes, model: str) -> CallError:
    """The error of a stream that held no answer: often it is no stream but an object that tells why, or a page."""
    if b"data:" in beginning:
        return unreadable(model, NO_CHOICE)
    if beginning.strip():
        object_of(beginning, model)
    return unreadable(model, "it holds no event of a stream")
