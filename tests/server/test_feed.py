"""What a feed tells those who listen, whatever becomes of the thread that follows the Models."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from kubeai_notebook.core.view import Link
from kubeai_notebook.server.feed import Feed
from tests.support.waiting import eventually


class BrokenPublisher:
    """Whose link can be read once, as a mistake of ours would have it."""

    def __init__(self) -> None:
        self.times = 0

    @property
    def link(self) -> Link:
        self.times += 1
        if self.times > 1:
            raise ValueError("a mistake")
        return Link("live", since_seconds=0.0)


class Silence:
    """A Subscription of which nothing is heard."""

    ended = False

    def until(self, *_: Any) -> None:
        return

    def close(self) -> None:
        self.ended = True


def test_ends_its_streams_where_the_thread_behind_them_fails() -> None:
    where, cluster = SimpleNamespace(mark="m"), SimpleNamespace(namespace="x")
    session: Any = SimpleNamespace(publisher=BrokenPublisher(), where=where, cluster=cluster)
    subscription: Any = Silence()

    async def ends() -> bool:
        feed = Feed(session, subscription, asyncio.get_running_loop())
        await eventually(lambda: feed.over, 10)
        return feed.ended  # so whoever comes next gets another one

    assert asyncio.run(ends())
