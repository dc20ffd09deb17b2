"""Feed: what is new of all Models, worked out once for everybody who listens.

Each browser could have a Subscription of its own, and each would turn the same Change into the same JSON. So one thread
reads one Subscription to all, and keeps of each Model its newest text under a number that only grows. A listener is
nothing but the number it has come to: what it has not read is replaced here and never queued, so fifty listeners cost
no more than one, and one that reads slowly gets the newest of each Model when it reads again. The same number is the id
of a server-sent event, by which a browser that was away goes on.

A number means nothing in another process, or after the cluster was changed: so an id carries its feed's own mark, and
whoever comes with another one is told to forget what it knows.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeai_notebook.core.view import Link
from kubeai_notebook.errors import SessionClosedError
from kubeai_notebook.present.card import card_of
from kubeai_notebook.present.models_table import row_of
from kubeai_notebook.present.notices import notices_of
from kubeai_notebook.present.server_wire import ModelChange, link_of
from kubeai_notebook.present.wording import in_sidebar

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.session.live.subscription import Change, Subscription
    from kubeai_notebook.session.session import Session

    from .threads import Threads

TICK_SECONDS = 1.0
"""How often it is seen whether the link changed, and whether anybody listens."""
IDLE_SECONDS = 60.0
"""How long a feed goes on that nobody asks."""
MOST_GONE = 500
"""Models that are gone of which it is remembered that they are."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """What a listener does not know yet."""

    id: str
    """What it has come to with this."""
    reset: bool
    """Whether it is all that there is, so that the listener forgets what it knows."""
    models: tuple[tuple[str, str, str | None], ...]
    """Id, name and JSON of each Model that changed, in the order of the ids; None of one that is gone."""


class Feed:
    """The newest text of each Model of one Session, for the listeners of one event loop."""

    def __init__(self, session: Session, subscription: Subscription, loop: asyncio.AbstractEventLoop) -> None:
        self._publisher, self._where = session.publisher, session.where
        self._namespace = session.cluster.namespace
        self._subscription, self._loop = subscription, loop
        self._mark = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._number = self._forgotten = 0
        self._texts: dict[str, tuple[int, str | None]] = {}
        self._link: Link | None = None
        self.link_text = ""
        """The link as JSON."""
        self.listeners = 0
        self.over = False
        """Whether all has been told, the end included."""
        self._asked_at = time.monotonic()
        self._news = loop.create_future()
        self._take_link()
        self._take(0)  # so that whoever listens first is told of all Models at once
        threading.Thread(target=self._follow, name="kubeai-feed", daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return bool(self._subscription.ended)

    @property
    def news(self) -> asyncio.Future[None]:
        """Done as soon as there is something new; to be had before `since` is asked."""
        return self._news

    def since(self, event_id: str) -> News:
        """What is new since an id; all that there is where the id is not this feed's, or too old."""
        mark, _, digits = event_id.partition("-")
        number = int(digits) if mark == self._mark and re.fullmatch("[0-9]{1,15}", digits) else -1
        with self._lock:
            self._asked_at = time.monotonic()
            reset = not self._forgotten <= number <= self._number
            new = [
                (at, name, text)
                for name, (at, text) in self._texts.items()
                if (text is not None if reset else at > number)
            ]
            newest = self._number
        models = tuple((f"{self._mark}-{at}", name, text) for at, name, text in sorted(new))
        return News(f"{self._mark}-{newest}", reset, models)

    def close(self) -> None:
        """End it."""
        self._subscription.close()

    def _follow(self) -> None:
        try:
            while not self.ended:
                self._take(TICK_SECONDS)
                self._take_link()
                if not self.listeners and time.monotonic() - self._asked_at > IDLE_SECONDS:
                    self.close()
        except Exception:  # the thread's outermost frame: streams end and begin anew, rather than hear nothing more
            _logger.exception("The Models could not be followed any more.")
            self.close()
        self._keep_link(Link("closed", since_seconds=time.time()))
        self.over = True
        self._tell()

    def _take(self, seconds: float) -> None:
        """Take the Changes that come within this time."""
        try:
            self._subscription.until(self._note, seconds)
        except SessionClosedError:
            return

    def _note(self, change: Change) -> bool:
        text = None
        if change.view is not None:
            try:
                card = card_of(change.view, namespace=self._namespace)
                sent = card.model_copy(update={"sent_at_seconds": time.time(), "next_step": in_sidebar(card.next_step)})
                text = ModelChange(row=row_of(change.view), card=sent, uid=change.view.uid).model_dump_json()
            except Exception:  # (a bug costs this Model's news: the others' go on)
                _logger.exception("The Model %s could not be shown.", change.name)
                return False
        with self._lock:
            self._number += 1
            self._texts.pop(change.name, None)  # so that they stand in the order of their numbers
            self._texts[change.name] = self._number, text
            self._forget()
        self._tell()
        return False

    def _forget(self) -> None:
        gone = [(at, name) for name, (at, text) in self._texts.items() if text is None]
        if len(gone) > MOST_GONE:
            self._forgotten, name = gone[0]
            del self._texts[name]

    def _take_link(self) -> None:
        self._keep_link(self._publisher.link)

    def _keep_link(self, link: Link) -> None:
        if link == self._link:
            return
        self._link = link
        self.link_text = link_of(link, self._where, notices_of(link.error) if link.error else ()).model_dump_json()
        self._tell()

    def _tell(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:  # the server's event loop is closed: nobody listens any more
            self.close()

    def _wake(self) -> None:
        # A Future is done once, so whoever asks from now on waits for another one.
        if not self._news.done():
            self._news.set_result(None)
        self._news = self._loop.create_future()


class Feeds:
    """The feed of the Session of now; a new one where the last has ended."""

    def __init__(self, threads: Threads, session: Callable[[], Session]) -> None:
        self._threads, self._session = threads, session
        self._lock = asyncio.Lock()
        self._feed: Feed | None = None

    async def current(self) -> Feed:
        """The feed, begun by whoever asks first.

        Raises:
            KubeAIError: there is no cluster, no KubeAI in it, or Models may not be listed.
        """
        async with self._lock:
            if self._feed is None or self._feed.ended:
                loop = asyncio.get_running_loop()
                self._feed = await self._threads.run(lambda: self._begin(loop))
            return self._feed

    def _begin(self, loop: asyncio.AbstractEventLoop) -> Feed:
        session = self._session()
        return Feed(session, session.subscribe(), loop)
