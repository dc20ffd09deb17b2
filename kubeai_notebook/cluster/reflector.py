"""A live copy of one kind of object in one namespace: list, then watch, and again for ever."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import urllib3

from kubeai_notebook.errors import ClusterError, ForbiddenError, NotFoundError, NotInstalledError, UnauthorizedError

from .api import allow_silence
from .errors import BusyError, ExpiredError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .api import Api, Query

WATCH_SECONDS = 240
# API servers send a bookmark once a minute: much longer silence than that is a dead link. One that
# sends them more often is missed sooner.
SILENCE_SECONDS, SHORTEST_SILENCE_SECONDS = 75.0, 15.0
# The server answers a watch at once; only its events take time.
OPEN_SECONDS = 10.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
# A right is granted, or a kind installed, once in a blue moon; a login is renewed within minutes.
LONGEST_PAUSE_REFUSED_SECONDS = 300.0
PAGE = 500

_REFUSED = (ForbiddenError, NotFoundError, NotInstalledError)

_logger = logging.getLogger(__name__)

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """How a reflector stands with the API server."""

    state: Literal["starting", "live", "reconnecting", "forbidden", "closed"]
    error: ClusterError | None = None
    since_seconds: float = field(default_factory=time.time, compare=False)
    """Unix time from which on it is so: for a lost link, when the server was last heard."""


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
    ) -> None:
        self.link = Link("starting")
        self._api, self._path, self._query = api.apart(), path, dict(query or {})
        self._keep, self._group, self._on_change = keep, group, on_change
        self._groups: dict[str, dict[str, Item]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._listed = threading.Event()
        self._stream: urllib3.BaseHTTPResponse | None = None
        self._heard_at = time.time()
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

    def doubt(self) -> None:
        """Give up the present watch and begin another: somebody found that the server does not answer."""
        with self._lock:
            stream = self._stream
        if stream is not None:
            # Gone already, or being closed by its own thread.
            with contextlib.suppress(OSError, ValueError, AttributeError, RuntimeError, urllib3.exceptions.HTTPError):
                stream.shutdown()

    def close(self) -> None:
        """End the thread at once, in whatever it waits."""
        self._closed.set()
        self._api.close()
        self.doubt()  # a server that ends its connections hides them from the pool
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=3)

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        version = ""
        while not self._closed.is_set():
            began = time.monotonic()
            try:
                version = self._watch(version) if version else self._list()
                pause = FIRST_PAUSE_SECONDS
                if time.monotonic() - began < pause and self._listed.is_set():
                    self._closed.wait(pause)  # a server that ends each watch at once is not asked in a loop
                self._listed.set()
                continue
            except ExpiredError:
                version = ""
                self._closed.wait(FIRST_PAUSE_SECONDS)
                continue
            except ClusterError as error:
                version = self._failed(error, version)
                asked = error.retry_after_seconds if isinstance(error, BusyError) else 0.0
                refused = isinstance(error, _REFUSED)
            except Exception as error:  # the thread's outermost frame: shown as the state of the link
                _logger.exception("The watch of %s failed and begins anew.", self._path)
                version = self._failed(ClusterError(f"What the API sent could not be read ({error!r})."), "")
                asked, refused = 0.0, False
            self._listed.set()
            # Jitter, so that many notebooks do not return to a recovering server at once.
            self._closed.wait(max(asked, pause * random.uniform(0.5, 1.0)))  # noqa: S311 - no secret is made of it
            pause = min(pause * 2, LONGEST_PAUSE_REFUSED_SECONDS if refused else LONGEST_PAUSE_SECONDS)

    def _failed(self, error: ClusterError, version: str) -> str:
        """Show it; the version to go on from, where the server may still know it."""
        if self._closed.is_set():
            return ""
        if isinstance(error, (*_REFUSED, UnauthorizedError)):
            self._set_link(Link("forbidden", error))
            return ""
        self._set_link(Link("reconnecting", error, self._heard_at))
        return version

    def _list(self) -> str:
        """Take in all objects, page by page, and return the version to watch from."""
        groups: dict[str, dict[str, Item]] = {}
        token = ""
        while True:
            query = {**self._query, "limit": PAGE, **({"continue": token} if token else {})}
            page = self._api.request("GET", self._path, query=query, patient=False)
            for item in page.get("items") or []:
                kept = self._keep(item)
                if kept is not None:
                    groups.setdefault(self._group(kept), {})[item["metadata"]["uid"]] = kept
            token = page["metadata"].get("continue", "")
            if not token:
                break
        with self._lock:
            self._groups = groups
        self._heard()
        self._on_change(None)
        return str(page["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> str:
        """Follow changes until the server ends the watch; return the version to go on from, ``""`` to list again."""
        query = {
            **self._query,
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": WATCH_SECONDS,
        }
        stream = self._api.open(
            "GET", self._path, query=query, read_seconds=OPEN_SECONDS, silence_seconds=SILENCE_SECONDS
        )
        with self._lock:
            self._stream = stream
        try:
            if self._closed.is_set():
                return version
            self._heard()
            for event in _timed(stream, _events(stream)):
                self._heard()
                if event["type"] == "ERROR":
                    return ""  # 410: the history from here is gone, so list and compare
                version = event["object"]["metadata"]["resourceVersion"]
                self._apply(event["type"], event["object"])
        except urllib3.exceptions.ReadTimeoutError:
            return version  # silent: whether the server is still there, the next watch says
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            # Cut: the version is still good, and the next watch says if it is not.
            if not self._closed.is_set():
                self._set_link(Link("reconnecting", since_seconds=self._heard_at))
                self._closed.wait(FIRST_PAUSE_SECONDS)
        finally:
            with self._lock:
                self._stream = None
            stream.close()
        return version

    def _apply(self, kind: str, item: Item) -> None:
        if kind == "BOOKMARK":
            return
        kept = self._keep(item)
        if kept is None:
            return
        group, uid = self._group(kept), item["metadata"]["uid"]
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
        self._heard_at = time.time()
        if self.link.state != "live":
            self._set_link(Link("live"))

    def _set_link(self, link: Link) -> None:
        if link != self.link:
            self.link = link
            self._on_change(None)


def _timed(stream: urllib3.BaseHTTPResponse, events: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Pass events on; how often the server sends bookmarks tells how long it may be silent."""
    marked_at: float | None = None
    for event in events:
        if event["type"] == "BOOKMARK":
            before, marked_at = marked_at, time.monotonic()
            if before is not None:
                usual = max(2 * (marked_at - before), SHORTEST_SILENCE_SECONDS)
                allow_silence(stream, min(usual, SILENCE_SECONDS))
        yield event


def _events(stream: urllib3.BaseHTTPResponse) -> Iterator[Mapping[str, Any]]:
    """Decode a watch: one JSON document a line, lines cut anywhere."""
    rest = b""
    while data := stream.read1():
        *lines, rest = (rest + data).split(b"\n")
        yield from (json.loads(line) for line in lines if line.strip())
