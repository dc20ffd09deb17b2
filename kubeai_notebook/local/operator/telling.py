"""What a Pod's life leaves to be read: Events as scheduler and kubelet write them, and the container's log."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from kubeai_notebook.core.kubernetes.kinds import EVENTS, Object, Ref, ref_of
from kubeai_notebook.core.kubernetes.kubelet import event_of
from kubeai_notebook.local.api.store import Store, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEPT = timedelta(hours=1)
"""How long an API server keeps Events."""
MAX_BYTES = 10 * 1024 * 1024
"""The kubelet's default; what went before is kept once beside it, so that a run takes twice this at most."""
EVENT_SECONDS = 0.5
LOG_SHARE = 0.1


class Recorder:
    """Writes Events on Pods; what repeats is counted on one Event instead of written again."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, pod: Object, reason: str, message: str, *, warning: bool = False, update: bool = False) -> None:
        """Record; with ``update`` an Event of this reason gets the new message in place."""
        self._forget_old()
        uid, moment = pod["metadata"]["uid"], timestamp(self._store.now())
        for event in self._store.items(EVENTS, pod["metadata"]["namespace"]):
            same = event.get("involvedObject", {}).get("uid") == uid and event.get("reason") == reason
            if same and (update or event["message"] == message):
                counted = {"message": message, "count": event.get("count", 1) + 1, "lastTimestamp": moment}
                self._store.patch(ref_of(EVENTS, event), counted)
                return
        event = event_of(pod, reason, message, warning=warning)
        event["metadata"]["name"] += f".{uuid4().hex[:16]}"
        self._store.create(EVENTS, event | {"count": 1, "firstTimestamp": moment, "lastTimestamp": moment})

    def _forget_old(self) -> None:
        oldest = self._store.now() - KEPT
        for event in self._store.items(EVENTS):
            last = event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
            if datetime.strptime(last, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) < oldest:
                self._store.remove(Ref(EVENTS, event["metadata"]["namespace"], event["metadata"]["name"]))


class RunLog:
    """The log of one run, each line behind its time as a kubelet keeps it; a full file becomes ``path.old``."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._file = path.open("ab", buffering=0)
        self._begun = b""

    def write(self, words: bytes) -> None:
        """Append the lines that an engine said; one that it has only begun waits for its end."""
        *lines, self._begun = (self._begun + words).split(b"\n")
        moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} ".encode()
        text = b"".join(moment + line + b"\n" for line in lines)
        if 0 < self._file.tell() > self._max_bytes - len(text):
            self._file.close()
            self._path.replace(self._path.with_suffix(".old"))
            self._file = self._path.open("ab", buffering=0)
        self._file.write(text)

    def say(self, text: str) -> None:
        """Append a line of ours."""
        self.flush()
        self.write(f"{text}\n".encode())

    def flush(self) -> None:
        """End the line that is begun."""
        self.write(b"\n" * bool(self._begun))

    def forget(self) -> None:
        """Delete the files."""
        self._file.close()
        for path in (self._path, self._path.with_suffix(".old")):
            path.unlink(missing_ok=True)


class Pulling:
    """Tells how far a download of weights is, as a ``Progress``: ``note`` writes the Event, ``say`` a log line."""

    def __init__(self, url: str, *, note: Callable[[str], None], say: Callable[[str], None]) -> None:
        self._text = f'Pulling weights "{url}"'
        self._note = note
        self._say = say
        self._began = time.monotonic()
        self._noted = float("-inf")
        self._said_share = 0.0
        self.total: int | None = None
        """Bytes; None as long as nothing had to be fetched at all."""
        note(self._text)
        say(self._text)

    def __call__(self, done: int, total: int | None) -> None:
        """Say how far it is: the Event at most twice a second, the log at each tenth."""
        self.total = total or 0
        message = self._text + (f": {done / 1e6:.0f} of {total / 1e6:.0f} MB" if total else "")
        finished = done == total
        if finished or time.monotonic() - self._noted >= EVENT_SECONDS:
            self._noted = time.monotonic()
            self._note(message)
        if total and (finished or done / total - self._said_share >= LOG_SHARE):
            self._said_share = done / total
            self._say(message)

    def end(self) -> str:
        """What was fetched, and how long that took."""
        size = f"{self.total / 1e6:.0f} MB in " if self.total else ""
        return f"{size}{time.monotonic() - self._began:.0f} s"
