"""What a Pod's life leaves to be read: Events as scheduler and kubelet write them, and the container's log."""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.messages import duration
from kubeai_notebook.core.objects import Event
from kubeai_notebook.local.api.store import Store, timestamp
from kubeai_notebook.local.emulation.kinds import EVENTS, Object, ref_of
from kubeai_notebook.local.emulation.kubelet_states import event_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import FileIO
    from pathlib import Path

KEPT = timedelta(hours=1)
"""How long an API server keeps Events."""
MAX_BYTES = 10 * 1024 * 1024
"""The kubelet's default; what went before is kept once beside it, so that a run takes twice this at most."""
MAX_LINE_BYTES = 1 << 20
"""A line that does not end is ended here: an engine that writes no line feed must not fill the memory."""
EVENT_SECONDS = 0.5
LOG_SHARE = 0.1
SPEED_SECONDS = 10.0
"""How far back a download's speed is measured."""


class Recorder:
    """Writes Events on Pods; what repeats is counted on one Event instead of written again."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, pod: Object, reason: str, message: str, *, warning: bool = False, update: bool = False) -> None:
        """Record; with ``update`` an Event of this reason gets the new message in place."""
        self._forget_old()
        message = masked(message)
        uid, moment = pod["metadata"]["uid"], timestamp(self._store.now())
        for event in self._store.items(EVENTS, pod["metadata"]["namespace"]):
            stored = Event(event)
            same = stored.uid == uid and stored.reason == reason
            if same and (update or stored.message == message):
                counted = {"message": message, "count": stored.count + 1, "lastTimestamp": moment}
                self._store.patch(ref_of(EVENTS, event), counted)
                return
        event = event_of(pod, reason, message, warning=warning)
        event["metadata"]["name"] += f".{uuid4().hex[:16]}"
        self._store.create(EVENTS, event | {"count": 1, "firstTimestamp": moment, "lastTimestamp": moment})

    def _forget_old(self) -> None:
        oldest = self._store.now() - KEPT
        for event in self._store.items(EVENTS):
            if Event(event).time < oldest:
                self._store.remove(ref_of(EVENTS, event))


class RunLog:
    """The log of one run, each line behind its time as a kubelet keeps it; a full file becomes ``path.old``.

    A disk that is full costs lines and nothing else: no method raises, and the first line that finds room again is
    told how much was lost.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._file: FileIO | None = None
        self._begun = b""
        self._lost = 0
        self._why = ""
        self.write(b"")

    def write(self, words: bytes) -> None:
        """Append the lines that an engine said; one that it has only begun waits for its end."""
        *lines, self._begun = (self._begun + words).split(b"\n")
        if len(self._begun) > MAX_LINE_BYTES:
            lines, self._begun = [*lines, self._begun], b""
        if self._lost:
            lines.insert(0, f"{self._lost / 1000:.0f} kB of log were lost here: {self._why}".encode())
        moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} ".encode()
        text = b"".join(moment + line + b"\n" for line in lines)
        try:
            self._append(text)
            self._lost = 0
        except OSError as error:
            self._lost += len(words)
            self._why = error.strerror or type(error).__name__

    def say(self, text: str) -> None:
        """Append a line of ours, which may quote a Model's url: a login in it is hidden."""
        self.flush()
        self.write(f"{masked(text)}\n".encode())

    def flush(self) -> None:
        """End the line that is begun."""
        self.write(b"\n" * bool(self._begun))

    def close(self) -> None:
        """Close the file; a later line opens it anew."""
        if self._file:
            with suppress(OSError):
                self._file.close()
        self._file = None

    def forget(self) -> None:
        """Delete the files."""
        self.close()
        for path in (self._path, self._path.with_suffix(".old")):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _append(self, text: bytes) -> None:
        """Write all of it or nothing. OSError when there is no room, or no folder."""
        file = self._file or self._path.open("ab", buffering=0)
        self._file = file
        if 0 < (size := file.tell()) > self._max_bytes - len(text):
            self.close()
            self._path.replace(self._path.with_suffix(".old"))
            file, size = self._path.open("ab", buffering=0), 0
            self._file = file
        if file.write(text) == len(text):
            return
        # Half a line would stand there without its time and its end.
        file.truncate(size)
        file.seek(size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Pulling:
    """Tells how far a download of weights is, as a ``Progress``: ``note`` writes the Event, ``say`` a log line."""

    def __init__(
        self,
        url: str,
        *,
        note: Callable[[str], None],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._text = f'Pulling weights "{url}"'
        self._note = note
        self._say = say
        self._clock = clock
        self._began = clock()
        self._noted = float("-inf")
        self._said_share = 0.0
        self._seen: deque[tuple[float, int]] = deque()
        self._grew = clock()
        self._remark = ""
        self.total: int | None = None
        """Bytes; None as long as nothing had to be fetched at all."""
        note(self._text)
        say(self._text)

    def __call__(self, done: int, total: int | None) -> None:
        """Say how far it is: the Event at most twice a second, the log at each tenth."""
        self.total = total or 0
        message = self._text + (
            f": {done / 1e6:.0f} of {total / 1e6:.0f} MB{self._speed(done, total)}" if total else ""
        )
        message += f". {self._remark}" if self._remark else ""
        finished = done == total
        if finished or self._clock() - self._noted >= EVENT_SECONDS:
            self._noted = self._clock()
            self._note(message)
        if total and (finished or done / total - self._said_share >= LOG_SHARE):
            self._said_share = done / total
            self._say(message)

    def remark(self, text: str) -> None:
        """Write this into the log, and keep it beside the figures: such as that a download broke off and goes on."""
        self._remark = text
        self._say(text)

    def _speed(self, done: int, total: int) -> str:
        """How fast it has been lately, and how long the rest takes at that; what was here before is not counted."""
        now = self._clock()
        if not self._seen or done != self._seen[-1][1]:
            self._grew = now
        if self._seen and done < self._seen[-1][1]:
            # Some had to be fetched again.
            self._seen.clear()
        self._seen.append((now, done))
        while now - self._seen[0][0] > SPEED_SECONDS:
            self._seen.popleft()
        began, before = self._seen[0]
        if now - self._grew >= SPEED_SECONDS:
            return f", nothing has arrived for {duration(now - self._grew)}"
        if done in (before, total):
            return ""
        speed = (done - before) / (now - began)
        return f", {speed / 1e6:.1f} MB/s, {duration((total - done) / speed)} left"

    def end(self) -> str:
        """What was fetched, and how long that took."""
        size = f"{self.total / 1e6:.0f} MB in " if self.total else ""
        return f"{size}{self._clock() - self._began:.0f} s"
