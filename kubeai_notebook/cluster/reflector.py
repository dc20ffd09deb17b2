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

from kubeai_notebook.errors import ClusterError, ForbiddenError, NotInstalledError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .client import Api, Query

WATCH_SECONDS = 240
# A healthy server sends a bookmark about once a minute: longer silence than a whole watch is a dead link.
DEAD_LINK_SECONDS = WATCH_SECONDS + 15.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
PAGE = 500


_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Link:
    """How a reflector stands with the API server."""

    state: Literal["starting", "live", "reconnecting", "forbidden", "closed"]
    error: ClusterError | None = None
    since_seconds: float = field(default_factory=time.time, compare=False)
    """Unix time at which it came into this state."""


class Reflector:
    """Keeps ``objects()`` equal to what the API server has, in a thread of its own.

    ``on_change`` is called from that thread after every change of the objects or of ``link``.
    The copy survives a lost link: it is then old, and ``link`` says so.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        *,
        query: Query | None = None,
        keep: Callable[[dict[str, Any]], dict[str, Any]] = lambda item: item,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.link = Link("starting")
        self._api, self._path, self._query = api, path, dict(query or {})
        self._keep, self._on_change = keep, on_change
        self._items: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._listed = threading.Event()
        self._stream: urllib3.BaseHTTPResponse | None = None
        self._thread = threading.Thread(target=self._run, name=f"kubeai-watch {path}", daemon=True)
        self._thread.start()

    def objects(self) -> tuple[dict[str, Any], ...]:
        """All objects, as last seen."""
        with self._lock:
            return tuple(self._items.values())

    def wait_listed(self, timeout_seconds: float) -> bool:
        """Wait until the first list arrived, or failed; ``False`` after the time."""
        return self._listed.wait(timeout_seconds)

    def close(self) -> None:
        """End the thread at once, also from within a silent watch."""
        self._closed.set()
        with self._lock:
            _interrupt(self._stream)
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
            except ClusterError as error:
                refused = isinstance(error, ForbiddenError | UnauthorizedError | NotInstalledError)
                self._set_link(Link("forbidden" if refused else "reconnecting", error))
            except Exception as error:  # the thread's outermost frame: shown as the state of the link
                _logger.exception("The watch of %s failed and begins anew.", self._path)
                self._set_link(Link("reconnecting", ClusterError(f"What the API sent could not be read ({error!r}).")))
            version = ""
            self._listed.set()
            # Jitter, so that many notebooks do not return to a recovering server at once.
            jitter = random.uniform(0.5, 1.0)  # noqa: S311 - no secret is made of it
            self._closed.wait(pause * jitter)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _list(self) -> str:
        """Take in all objects, page by page, and return the version to watch from."""
        items: dict[str, dict[str, Any]] = {}
        token = ""
        while True:
            query = {**self._query, "limit": PAGE, **({"continue": token} if token else {})}
            page = self._api.request("GET", self._path, query=query)
            items.update((item["metadata"]["uid"], self._keep(item)) for item in page.get("items", []))
            token = page["metadata"].get("continue", "")
            if not token:
                break
        with self._lock:
            self._items = items
        self._set_link(Link("live"))
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
        stream = self._api.open("GET", self._path, query=query, read_seconds=DEAD_LINK_SECONDS)
        with self._lock:
            self._stream = stream
        try:
            if self._closed.is_set():
                return version
            self._set_link(Link("live"))
            for event in _events(stream):
                if event["type"] == "ERROR":
                    return ""  # 410: the history from here is gone, so list and compare
                version = event["object"]["metadata"]["resourceVersion"]
                self._apply(event["type"], event["object"])
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            # Cut or silent: the version is still good, and the next watch says if it is not.
            if not self._closed.is_set():
                self._set_link(Link("reconnecting"))
                self._closed.wait(FIRST_PAUSE_SECONDS)
        finally:
            with self._lock:
                self._stream = None
            stream.close()
        return version

    def _apply(self, kind: str, item: dict[str, Any]) -> None:
        if kind == "BOOKMARK":
            return
        with self._lock:
            if kind == "DELETED":
                self._items.pop(item["metadata"]["uid"], None)
            else:
                self._items[item["metadata"]["uid"]] = self._keep(item)
        self._on_change()

    def _set_link(self, link: Link) -> None:
        if link != self.link:
            self.link = link
        self._on_change()


def _events(stream: urllib3.BaseHTTPResponse) -> Iterator[Mapping[str, Any]]:
    """Decode a watch: one JSON document a line, lines cut anywhere."""
    rest = b""
    while data := stream.read1():
        *lines, rest = (rest + data).split(b"\n")
        yield from (json.loads(line) for line in lines if line.strip())


def _interrupt(stream: urllib3.BaseHTTPResponse | None) -> None:
    """Wake a thread that reads this stream."""
    if stream is not None:
        # Gone already, or being closed by its own thread.
        with contextlib.suppress(OSError, ValueError, AttributeError, urllib3.exceptions.HTTPError):
            stream.shutdown()
