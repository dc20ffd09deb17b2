"""What a feed tells those who listen, whatever becomes of the thread that follows the Models."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.view import Link
from kubeai_notebook.core.whereabouts import Whereabouts
from kubeai_notebook.server.feed import MOST_GONE, Feed
from kubeai_notebook.session.live.subscription import Change
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.server.feed import News


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


class Story(Silence):
    """A Subscription that tells all at once, and nothing more."""

    def __init__(self, *changes: Change) -> None:
        self.changes = list(changes)

    def until(self, hears: Callable[[Change], bool], _seconds: float) -> None:
        for change in self.changes:
            hears(change)
        self.changes.clear()


def feed_of(publisher: Any, subscription: Any) -> Feed:
    where, cluster = Whereabouts(namespace="x"), SimpleNamespace(namespace="x")
    session: Any = SimpleNamespace(publisher=publisher, where=where, cluster=cluster)
    return Feed(session, subscription, asyncio.get_running_loop())


def test_tells_all_anew_to_a_browser_that_was_away_for_longer_than_it_remembers_who_is_gone() -> None:
    names = ["m0", "m1", "m0", *(f"m{number}" for number in range(2, MOST_GONE + 2))]
    gone = [Change(name, None, number) for number, name in enumerate(names)]

    async def asked() -> tuple[News, News, News]:
        feed = feed_of(SimpleNamespace(link=Link("live", since_seconds=0.0)), Story(*gone))
        mark, _, newest = feed.since("").id.partition("-")
        feed.close()
        # Of m1 (2) and then of m0 (3) it is not known any more that they are gone.
        return feed.since(f"{mark}-2"), feed.since(f"{mark}-3"), feed.since(f"{mark}-{newest}")

    too_old, oldest, newest = asyncio.run(asked())
    assert (too_old.reset, too_old.models) == (True, ())
    assert (oldest.reset, len(oldest.models)) == (False, MOST_GONE)
    assert (newest.reset, newest.models) == (False, ())


def test_ends_its_streams_where_the_thread_behind_them_fails() -> None:
    async def ends() -> bool:
        feed = feed_of(BrokenPublisher(), Silence())
        await eventually(lambda: feed.over, 10)
        return feed.ended  # so whoever comes next gets another one

    assert asyncio.run(ends())
