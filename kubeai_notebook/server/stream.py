"""How browsers hear of changes: as server-sent events, or by asking again where a proxy holds those back.

A stream is written piece by piece, and the next piece only when the last one has gone to the network; what changed
meanwhile is in the `Feed`, once for all listeners. So a browser that does not read costs one piece.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from tornado.iostream import StreamClosedError

from .base import KubeAIHandler, guarded

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Iterator

    from .feed import Feed, News

HEARTBEAT_SECONDS = 15.0
"""Proxies close a connection on which nothing comes for 30 s or more."""
STALLED_SECONDS = 60.0
"""How long a piece may take to go out."""
MOST_STREAMS = 200
_AT_ONCE = 50
"""Models in one piece."""
_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx holds answers back otherwise
}


class StreamHandler(KubeAIHandler):
    """All Models now, and then every change, until the browser goes."""

    _track_activity = False  # else an open sidebar would keep an idle server from being culled
    _gone: Future[None] | None = None

    def on_connection_close(self) -> None:
        """End the stream at once."""
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    async def _get(self) -> None:
        feed = await self.service.feeds.current()
        if feed.listeners >= MOST_STREAMS:
            from .problems import problem

            refusal = problem("TooMany", f"{MOST_STREAMS} streams are open already.", "Close other tabs.")
            self.answer(503, refusal.model_dump_json())
            return
        for name, value in _HEADERS.items():
            self.set_header(name, value)
        self.say_if_untold()
        self._gone = asyncio.get_running_loop().create_future()
        feed.listeners += 1
        try:
            await self._write(feed, self._gone)
        except (StreamClosedError, TimeoutError):
            return  # the browser has gone, or does not read
        finally:
            feed.listeners -= 1
        self.finish(set_content_type=_HEADERS["Content-Type"])

    async def _write(self, feed: Feed, gone: Future[None]) -> None:
        event_id = self.request.headers.get("Last-Event-ID", "")
        link = ""
        await self._send("retry: 2000\n\n")
        while not gone.done():
            over, news = feed.over, feed.news
            new = feed.since(event_id)
            event_id = new.id
            for piece in _pieces(new):
                await self._send(piece)
            if feed.link_text != link:
                link = feed.link_text
                await self._send(_event("link", link))
            if over:
                return
            await asyncio.wait({news, gone}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not news.done():
                await self._send(": heartbeat\n\n")

    async def _send(self, piece: str) -> None:
        self.write(piece)
        await asyncio.wait_for(self.flush(), STALLED_SECONDS)

    get = guarded("read", _get)


class ChangesHandler(KubeAIHandler):
    """The same for a browser that asks every few seconds."""

    _track_activity = False

    async def _get(self) -> None:
        feed = await self.service.feeds.current()
        new = feed.since(self.get_query_argument("since", ""))
        models = ",".join(text for _, _, text in new.models if text is not None)
        gone = [{"name": name} for _, name, text in new.models if text is None]
        head = f'"id":{json.dumps(new.id)},"reset":{json.dumps(new.reset)},"gone":{json.dumps(gone)}'
        self.answer(200, f'{{{head},"models":[{models}],"link":{feed.link_text}}}')

    get = guarded("read", _get)


def _pieces(new: News) -> Iterator[str]:
    if new.reset:
        yield "event: reset\ndata: {}\n\n"
    for start in range(0, len(new.models), _AT_ONCE):
        yield "".join(
            _event("gone", json.dumps({"name": name}), event_id) if text is None else _event("model", text, event_id)
            for event_id, name, text in new.models[start : start + _AT_ONCE]
        )


def _event(kind: str, data: str, event_id: str = "") -> str:
    """One event; JSON has no line break of its own."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"event: {kind}\n{head}data: {data}\n\n"
