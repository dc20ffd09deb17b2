"""A live copy of one kind of object in one namespace: list, then watch, and again for ever."""

from __future__ import annotations

import json
import logging
import math
import random
import threading
import time
from typing import TYPE_CHECKING, Any

import urllib3

from kubeai_notebook.core.framing import EndlessLineError, lines_of
from kubeai_notebook.core.objects import at, text_at
from kubeai_notebook.core.view import Link
from kubeai_notebook.errors import (
    ClusterError,
    ForbiddenError,
    NotFoundError,
    NotInstalledError,
    UnauthorizedError,
    UnreachableError,
)

from .answer import items_of, no_api
from .api import BROKEN, allow_silence, cut
from .errors import BusyError, ExpiredError
from .timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubernetes.client import Configuration

    from .api import Api, Query

GRACE_SECONDS = 60.0
"""How much longer than it was asked for a watch may go on."""
# etcd takes objects of 1.5 MB; a server may add to them what it knows besides.
LONGEST_EVENT_BYTES = 16 << 20

_PIECE_BYTES = 64 << 10
_KINDS = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})
_REFUSED = (ForbiddenError, NotFoundError, NotInstalledError)

_logger = logging.getLogger(__name__)

Item = dict[str, Any]


class Reflector:
    """Keeps its objects equal to what the API server has, in a thread of its own.

    ``keep`` takes from an object what is to be kept, or gives ``None`` to forget the whole;
    ``group`` sorts objects into groups that `of` gives at once. ``on_change`` is called from that
    thread with the group that changed, and with ``None`` when all may have, or ``link`` has.
    The copy survives a lost link: it is then old, and ``link`` says so.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        *,
        query: Query | None = None,
        keep: Callable[[Item], Item | None] = lambda item: item,
        group: Callable[[Item], str] = lambda item: str(item["metadata"]["name"]),
        on_change: Callable[[str | None], None] = lambda _group: None,
        timing: Timing | None = None,
    ) -> None:
        self._timing = timing or Timing()
        self.link = Link("starting", since_seconds=self._timing.now())
        self.back_at_seconds = 0.0
        """Unix time at which a lost link was last found again; 0.0: it never was."""
        self._api, self._path, self._query = api.apart(), path, dict(query or {})
        self._keep, self._group, self._on_change = keep, group, on_change
        self._groups: dict[str, dict[str, Item]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._listed = threading.Event()
        self._live = threading.Event()
        self._hurried = threading.Event()
        self._hurried_at = -math.inf
        self._stream: urllib3.BaseHTTPResponse | None = None
        self._heard_at = self._timing.now()
        self._thread = threading.Thread(target=self._run, name=f"kubeai-watch {path}", daemon=True)
        self._thread.start()

    def objects(self) -> tuple[Item, ...]:
        """All objects, as last seen."""
        with self._lock:
            return tuple(item for group in self._groups.values() for item in group.values())

    def of(self, group: str) -> tuple[Item, ...]:
        """The objects of one group, as last seen."""
        with self._lock:
            return tuple(self._groups.get(group, {}).values())

    def groups(self) -> tuple[str, ...]:
        """The groups that hold an object."""
        with self._lock:
            return tuple(self._groups)

    @property
    def heard_at_seconds(self) -> float:
        """Unix time at which the server last said something."""
        return self._heard_at

    def wait_listed(self, timeout_seconds: float) -> bool:
        """Wait until the first list arrived, or failed; ``False`` after the time."""
        return self._listed.wait(timeout_seconds)

    def wait_live(self, timeout_seconds: float) -> bool:
        """Wait until the server is heard; ``False`` after the time."""
        return self._live.wait(timeout_seconds)

    def doubt(self) -> None:
        """Give up the present watch and begin another: somebody found that the server does not answer."""
        with self._lock:
            stream = self._stream
        if stream is not None:
            cut(stream)

    def hurry(self) -> None:
        """Try a lost link again now: somebody looks. Those who look all the time cost no more than one try a pause."""
        now = time.monotonic()
        if self.link.lost and now - self._hurried_at >= self._timing.first_pause:
            self._hurried_at = now
            self._hurried.set()

    def close(self) -> None:
        """End the thread at once, in whatever it waits."""
        self._closed.set()
        self._hurried.set()
        self._api.close()
        self.doubt()  # a server that ends its connections hides them from the pool
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=3)

    def _run(self) -> None:
        timing = self._timing
        pause, version = timing.first_pause, ""
        while not self._closed.is_set():
            before, listed = self._api.login.configuration, version
            began, asked, longest = math.inf, 0.0, self._longest_pause()
            try:
                version = version or self._list()
                self._listed.set()
                began = time.monotonic()
                version = self._watch(version)
                pause = timing.first_pause
                if time.monotonic() - began < pause:
                    self._closed.wait(pause)  # a server that ends each watch at once is not asked in a loop
                continue
            except (ExpiredError, _OddWatchError) as error:
                if isinstance(error, ExpiredError) and listed:
                    version = ""
                    continue  # a version of old: a list shows what is new, and at once
                version = self._failed(error, "")
            except ClusterError as error:
                version = self._failed(error, version)
                asked = error.retry_after_seconds if isinstance(error, BusyError) else 0.0
                longest = timing.longest_pause_refused if isinstance(error, _REFUSED) else longest
            except Exception as error:  # the thread's outermost frame: shown as the state of the link
                _logger.exception("The watch of %s failed and begins anew.", self._path)
                message = f"What the API sent could not be read ({error!r})."
                version = self._failed(ClusterError(message, "It is asked again by itself."), "")
            self._listed.set()
            # A list that came does not count, however long it took: where only the watch is refused, or its events
            # are odd, listing again and again would be no better than polling.
            pause = timing.first_pause if time.monotonic() - began > timing.lived else pause
            # Jitter, so that many notebooks do not return to a recovering server at once.
            seconds = max(asked, pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret is made of it
            lost = self.link.lost
            woken = self._rest(seconds, before if lost else self._api.login.configuration)
            # A daemon tells where it is a little before it answers there.
            pause = timing.first_pause if woken and lost else min(pause * 2, longest)

    def _longest_pause(self) -> float:
        """How long to rest at most before the next try."""
        if self._api.where.this_machine:
            return self._timing.longest_pause_here
        is_new = self._timing.now() - self._heard_at < self._timing.at_first
        return self._timing.longest_pause_at_first if is_new else self._timing.longest_pause

    def _rest(self, seconds: float, before: Configuration) -> bool:
        """Wait, but not once the server has another address or the login is renewed: whether that is so."""
        login, until = self._api.login, time.monotonic() + seconds
        if login.configuration is not before:
            return True
        self._hurried.clear()
        if self._closed.is_set():  # `close` has hurried it before that was cleared
            return False
        while (left := until - time.monotonic()) > 0 and not self._hurried.wait(min(left, self._timing.look)):
            login.look()
            if login.configuration is not before:
                return True
        return False

    def _failed(self, error: ClusterError, version: str) -> str:
        """Show it; the version to go on from, where the server may still know it."""
        if self._closed.is_set():
            return ""
        if isinstance(error, (*_REFUSED, UnauthorizedError)):
            self._set_link(Link("forbidden", error, self._heard_at))
            return ""
        self._set_link(Link("reconnecting", error, self._heard_at))
        # What comes back after it was away may be another server, whose versions count anew.
        return "" if isinstance(error, UnreachableError) else version

    def _list(self) -> str:
        """Take in all objects, page by page, and return the version to watch from."""
        groups: dict[str, dict[str, Item]] = {}
        version = ""
        for page in self._api.pages(self._path, query=self._query, patient=False):
            for item in items_of(page, self._api.where.address):
                kept = self._keep(item)
                if kept is not None:
                    groups.setdefault(self._group(kept), {})[_key(item)] = kept
            version = text_at(page, "metadata", "resourceVersion")
        if not version:
            raise no_api(self._api.where.address, "its list has no version to watch from")
        with self._lock:
            self._groups = groups
        self._heard_at = self._timing.now()
        if self.link.state != "forbidden":
            self._heard()
        # Else the watch may be what is refused: the link is good again when it opens, and does not flicker until then.
        self._on_change(None)
        return version

    def _watch(self, version: str) -> str:
        """Follow changes until the server ends the watch; return the version to go on from, ``""`` to list again."""
        query = {
            **self._query,
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": int(self._timing.watch),
        }
        stream = self._api.open("GET", self._path, query=query, read_seconds=self._timing.open)
        allow_silence(stream, self._timing.silence, whole_seconds=self._timing.watch + GRACE_SECONDS)
        with self._lock:
            self._stream = stream
        try:
            if self._closed.is_set():
                return version
            self._heard()
            for kind, item in self._timed(stream, _events(stream)):
                self._heard()
                if kind == "ERROR":
                    raise ExpiredError("The history from here is gone.")  # so list and compare
                version = item["metadata"]["resourceVersion"]
                self._apply(kind, item)
        except urllib3.exceptions.ReadTimeoutError:
            return version  # silent: whether the server is still there, the next watch says
        except BROKEN:
            # What answers after a cut may be another server already, whose versions count anew: it would send nothing
            # that is newer than ours. Only a list tells.
            if not self._closed.is_set():
                self._set_link(Link("reconnecting", since_seconds=self._heard_at))
                self._closed.wait(self._timing.first_pause * random.uniform(0.5, 1.0))  # noqa: S311 - as above
            return ""
        finally:
            with self._lock:
                self._stream = None
            stream.close()
        return version

    def _timed(
        self, stream: urllib3.BaseHTTPResponse, events: Iterator[tuple[str, Item]]
    ) -> Iterator[tuple[str, Item]]:
        """Pass events on; how often the server sends bookmarks tells how long it may be silent."""
        timing = self._timing
        marked_at: float | None = None
        for kind, item in events:
            if kind == "BOOKMARK":
                before, marked_at = marked_at, time.monotonic()
                if before is not None:
                    usual = max(2 * (marked_at - before), timing.shortest_silence)
                    allow_silence(stream, min(usual, timing.silence), whole_seconds=timing.watch + GRACE_SECONDS)
            yield kind, item

    def _apply(self, kind: str, item: Item) -> None:
        if kind == "BOOKMARK":
            return
        kept = self._keep(item)
        if kept is None:
            return
        group, uid = self._group(kept), _key(item)
        with self._lock:
            if kind == "DELETED":
                members = self._groups.get(group, {})
                members.pop(uid, None)
                if not members:
                    self._groups.pop(group, None)
            else:
                self._groups.setdefault(group, {})[uid] = kept
        self._on_change(group)

    def _heard(self) -> None:
        self._heard_at = self._timing.now()
        if self.link.state != "live":
            if self.link.state != "starting":
                self.back_at_seconds = self._heard_at
            self._set_link(Link("live", since_seconds=self._heard_at))

    def _set_link(self, link: Link) -> None:
        news, self.link = link != self.link, link
        (self._live.set if link.state == "live" else self._live.clear)()
        if news:
            self._on_change(None)


class _OddWatchError(ClusterError):
    """A watch sent what no Kubernetes API sends: its history is not believed from here on."""


def _key(item: Item) -> str:
    return text_at(item, "metadata", "uid") or str(item["metadata"]["name"])


def _events(stream: urllib3.BaseHTTPResponse) -> Iterator[tuple[str, Item]]:
    """Decode a watch: one JSON document a line, lines cut anywhere.

    Raises:
        _OddWatchError: it sends something else.
    """
    pieces = iter(lambda: stream.read1(_PIECE_BYTES), b"")
    lines = lines_of(pieces, LONGEST_EVENT_BYTES, rest=False)
    while True:
        try:
            line = next(lines, None)
        except EndlessLineError:
            raise _OddWatchError("The watch sends an event without an end.") from None
        if line is None:
            return
        if line.strip():
            yield _event_of(line)


def _event_of(line: bytes) -> tuple[str, Item]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        event = None
    kind, item = text_at(event, "type"), at(event, "object")
    named = kind in _KINDS and text_at(item, "metadata", "resourceVersion")
    if kind == "ERROR" or (named and (kind == "BOOKMARK" or text_at(item, "metadata", "name"))):
        return kind, item
    raise _OddWatchError("The watch sends something that is no event of a Kubernetes API.")
