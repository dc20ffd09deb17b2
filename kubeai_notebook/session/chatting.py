"""A Model's turn: the Model is looked at and woken, then it is asked, for a ``for`` and for an ``async for``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from kubeai_notebook.calls.chat import complete as ask_to_complete
from kubeai_notebook.calls.stream import ChatStream
from kubeai_notebook.core.chat_messages import Delta, Reply
from kubeai_notebook.core.chat_request import ChatRequest, adapter_url, chat_request, complete_request
from kubeai_notebook.core.naming import request_name
from kubeai_notebook.errors import KubeAIError

from . import presenter
from .calling import TICK_SECONDS, awaken, check_serves, until_callable
from .waiting import look_at
from .waiting_line import answering_shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .connection import Connection


def stream(
    session: Connection,
    name: str,
    prompt: Any,
    *,
    fields: Mapping[str, Any],
    shown: bool = True,
    on_end: Callable[[Reply], None] | None = None,
) -> ChatStream:
    """The Model's next turn, once it answers; ``shown`` as for `awaken`, ``on_end`` as for `ChatStream`."""
    request = chat_request(prompt, fields)
    asked = _asked(session, name, request)
    awaken(session, name, session.settings.wait_timeout_seconds, shown=shown)
    return _stream(session, asked, request, on_end=on_end)


def whole(session: Connection, name: str, deltas: ChatStream) -> Reply:
    """Read it to its end, and say meanwhile how far it is where that takes long: nothing else bounds an answer."""

    def tokens() -> int:
        usage = deltas.reply.usage
        return usage.completion_tokens if usage else 0

    shown = session.settings.show_waiting
    with deltas, answering_shown(name, partial(presenter.face().line, name), tokens, shown=shown) as show:
        for delta in deltas:
            if delta.text or delta.reasoning:
                show()
        return deltas.reply


def complete(session: Connection, name: str, prompt: Any, *, fields: Mapping[str, Any]) -> Reply:
    """How the Model goes on with a text, once it answers."""
    request = complete_request(prompt, fields)
    asked = _asked(session, name, request)
    awaken(session, name, session.settings.wait_timeout_seconds)
    body = dict(request.body)
    reply = ask_to_complete(
        session.endpoint, asked, body.pop("prompt"), timeout_seconds=request.timeout_seconds, extra_body=body
    )
    reply.judge(None, must_call=False, max_tokens=request.max_tokens)
    return reply


class AsyncChatStream(AsyncIterator[Delta]):
    """The Model's next turn for an ``async for``; nothing is asked of anybody before the first Delta is awaited.

    `reply` is what came so far, at the end the whole. The end of an ``async with`` block, an error and the end of the
    task that reads it end the request, and with it the engine's work.
    """

    def __init__(
        self,
        session: Connection,
        name: str,
        request: ChatRequest,
        *,
        on_end: Callable[[Reply], None] | None = None,
    ) -> None:
        self._session, self._name, self._request, self._on_end = session, name, request, on_end
        self._stream: ChatStream | None = None
        self._closed = False

    @property
    def reply(self) -> Reply:
        """What came so far; at the end the whole Reply."""
        return Reply() if self._stream is None else self._stream.reply

    async def whole(self) -> Reply:
        """Read it to its end, and close it: the whole Reply."""
        async with self:
            async for _ in self:
                pass
            return self.reply

    async def __anext__(self) -> Delta:
        """Wait for the next Delta, and before the first one until the Model answers."""
        if self._closed:
            raise StopAsyncIteration
        if self._stream is None:
            asked = await asyncio.to_thread(self._begin)
            with closing(until_callable(self._session, self._name)) as views:
                for _ in views:
                    await asyncio.sleep(TICK_SECONDS)
                    if self._closed:  # meanwhile, by another task
                        break
            if self._closed:
                raise StopAsyncIteration
            self._stream = _stream(self._session, asked, self._request, on_end=self._on_end)
        return await anext(self._stream)

    def _begin(self) -> str:
        """The name to ask for; and all that would stop an event loop: imports, clients, the way to the gateway."""
        asked = _asked(self._session, self._name, self._request)
        with suppress(KubeAIError):  # whoever needs the gateway is told
            _ = self._session.endpoint.own_http
        return asked

    def close(self) -> None:
        """End the request and the engine's work on it."""
        self._closed = True
        if self._stream is not None:
            self._stream.close()

    async def __aenter__(self) -> AsyncChatStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def _asked(session: Connection, name: str, request: ChatRequest) -> str:
    """The name that the gateway is asked for, of a Model that was served for this; another is not even woken."""
    view = look_at(session.publisher, name)
    check_serves(session, view, "TextGeneration")
    adapter_url(view.model, request.adapter)
    return request_name(name, request.adapter)


def _stream(
    session: Connection, asked: str, request: ChatRequest, *, on_end: Callable[[Reply], None] | None
) -> ChatStream:
    body = dict(request.body)
    return ChatStream(
        session.endpoint,
        asked,
        body.pop("messages"),
        schema=request.schema,
        must_call=request.must_call,
        max_tokens=request.max_tokens,
        timeout_seconds=request.timeout_seconds,
        on_end=on_end,
        extra_body=body,
    )
