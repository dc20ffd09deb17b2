"""Subscription: the one way to hear of changes, for a loop, for a wait, and for a coroutine.

A callback would run in the publisher's thread: one that is slow or fails would cost all the others, and everybody who
wants an iterator or a wait would build one around it. So the publisher only leaves the newest Change of each Model
here, and whoever reads takes it when there is time. What was not read is replaced, never queued: one that never reads
holds a Change for each Model, and those are shared by all.
"""

from __future__ import annotations

import asyncio
import enum
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from kubeai_notebook.errors import SessionClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from kubeai_notebook.core.view import View


class Everything(enum.Enum):
    """Stands for the names of all Models, those to come included."""

    ALL = "all"


ALL = Everything.ALL
Names = frozenset[str] | Literal[Everything.ALL]


@dataclass(frozen=True, slots=True)
class Change:
    """What is new about one Model."""

    name: str
    view: View | None
    """The Model as it is now; ``None``: there is none of this name."""
    revision: int
    """Grows from item to item; all Subscriptions of one publisher count alike."""


class Subscription:
    """The Changes of some Models, or of all; made by `Publisher.subscribe`.

    The first items tell how each Model is now, also that there is none of a name; under ``ALL`` nothing is told of
    what is not there. When the Session is closed, each Model comes a last time with a link that is ``closed``, and
    iteration ends. Any number of threads and event loops may read; each item goes to one of them.
    """

    def __init__(
        self,
        names: Collection[str] | Literal[Everything.ALL],
        *,
        looks: bool = True,
        latest: Callable[[str], View | None] = lambda _name: None,
        on_names: Callable[[], None] = lambda: None,
    ) -> None:
        self.names: Names = ALL if names is ALL else frozenset([names] if isinstance(names, str) else names)
        self.looks = looks
        """Whether somebody looks: only then the passing of time counts, and logs are read."""
        self._latest, self._on_names = latest, on_names
        self._changed = threading.Condition()
        self._pending: dict[str, Change] = {}
        self._given_revision = 0
        self._new = self.names
        self._ended = ""
        self._wakers: list[Callable[[], None]] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Change:
        change = None
        with suppress(SessionClosedError):
            change = self._next(None)
        if change is None:
            raise StopIteration
        return change

    def until(self, predicate: Callable[[Change], bool], timeout_seconds: float | None = None) -> Change | None:
        """The first Change for which this holds; ``None`` after the time. Those before it are taken as well.

        Raises:
            SessionClosedError: nothing more can come.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while (change := self._next(deadline)) is not None:
            if predicate(change):
                return change
        return None

    def latest(self, name: str) -> View | None:
        """The newest View of this Model that is there already, without taking or computing anything."""
        return self._latest(name)

    def close(self) -> None:
        """End it: whoever waits here goes on at once."""
        self.end("The Subscription was closed.", drop=True)
        self._on_names()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        loop = asyncio.get_running_loop()
        while True:
            come: asyncio.Future[None] = loop.create_future()

            def wake(come: asyncio.Future[None] = come) -> None:
                loop.call_soon_threadsafe(_resolve, come)

            with self._changed:
                if self._pending:
                    return self._take()
                if self._ended:
                    raise StopAsyncIteration
                self._wakers.append(wake)
            try:
                await come
            finally:
                with self._changed, suppress(ValueError):
                    self._wakers.remove(wake)

    # What follows is the publisher's side.

    def covers(self, name: str) -> bool:
        """Whether it is about this Model."""
        return self.names is ALL or name in self.names

    @property
    def ended(self) -> str:
        """Why nothing more comes; ``""`` as long as something may."""
        return self._ended

    def add(self, name: str) -> None:
        """Be about this Model as well; how it is now comes first."""
        with self._changed:
            if self.names is ALL or self._new is ALL or name in self.names:
                return
            self.names |= {name}
            self._new |= {name}
        self._on_names()

    def drop(self, name: str) -> None:
        """Be about this Model no more."""
        with self._changed:
            if self.names is ALL or self._new is ALL:
                return
            self.names -= {name}
            self._new -= {name}
            self._pending.pop(name, None)
        self._on_names()

    def take_new(self) -> Names:
        """The names of which nothing was told so far: from now on that is done."""
        with self._changed:
            new, self._new = self._new, frozenset()
            return new

    def tell_later(self, names: Collection[str]) -> None:
        """Nothing can be told of these names at present."""
        with self._changed:
            if self._new is not ALL and self.names is not ALL:
                self._new |= self.names.intersection(names)

    def put(self, change: Change, *, born: int = 0) -> None:
        """Leave a Change in place of an older one; ``born`` is the revision of the Model's first View."""
        with self._changed:
            if self._ended:
                return
            self._pending.pop(change.name, None)
            # One that came and went unread is forgotten, or a reader that never reads would hold ever more.
            if self.names is not ALL or change.view is not None or born <= self._given_revision:
                self._pending[change.name] = change
                self._wake()

    def end(self, why: str, last: Iterable[Change] = (), *, drop: bool = False) -> None:
        """Let nothing come but these; ``drop``: and nothing that was not read."""
        with self._changed:
            if self._ended:
                return
            if drop:
                self._pending = {}
            for change in last:
                self._pending.pop(change.name, None)
                self._pending[change.name] = change
            self._ended = why
            self._wake()

    def _next(self, deadline: float | None) -> Change | None:
        with self._changed:
            while not self._pending:
                if self._ended:
                    raise SessionClosedError(self._ended)
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return None
                self._changed.wait(left)
            return self._take()

    def _take(self) -> Change:
        change = self._pending.pop(next(iter(self._pending)))
        self._given_revision = max(self._given_revision, change.revision)
        if not self._pending:
            self._pending = {}  # a dict that was large once stays so
        return change

    def _wake(self) -> None:
        self._changed.notify_all()
        wakers, self._wakers = self._wakers, []
        for wake in wakers:
            with suppress(RuntimeError):  # its event loop is closed: nobody waits there any more
                wake()


def _resolve(come: asyncio.Future[None]) -> None:
    if not come.done():
        come.set_result(None)
