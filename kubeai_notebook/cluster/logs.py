"""Logs of containers: read once where a run is over, followed where somebody looks; masked before a line is kept."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeai_notebook.core.masking import masked_lines
from kubeai_notebook.core.observation import LogTail
from kubeai_notebook.errors import ClusterError, ForbiddenError

from .pod_logs import TAIL_LINES, LogStream, PodLogs
from .timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from .client import Cluster

LONGEST_LINE = 8_000
MOST_STATES = 4
"""Of a line that a program wrote over, as a progress bar does: each is a line to whoever reads the log."""
MOST_STREAMS = 32
"""Logs that are followed at the same time; the others are read again and again."""
TRIES = 3
"""An empty log of a run that is over is asked for again a few times, and then no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one container."""

    model: str
    pod: str
    uid: str
    container: str
    restarts: int
    over: bool
    previous: bool = False
    """Whether the container waits to be started again, so that its log is that of the run before."""


@dataclass(slots=True)
class _Kept:
    """What is known of one run's log."""

    lines: deque[str] = field(default_factory=deque)
    asking: bool = False
    asked_at: float = 0.0
    """Monotonic seconds of the last answer, or of a stream's end; 0: there was none."""
    tries: int = 0
    refused: bool = False
    stream: LogStream | None = None


class Logs:
    """The last lines of the runs that were asked for; whoever owns it calls `read` in a thread that may wait."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        on_read: Callable[[str], None],
        on_line: Callable[[str], None],
        timing: Timing | None = None,
    ) -> None:
        self._pods = PodLogs(cluster.api.apart(), cluster.namespace)
        self._on_read, self._on_line = on_read, on_line
        self._timing = timing or Timing()
        self._lock = threading.Lock()
        self._kept: dict[Run, _Kept] = {}
        self._threads: list[threading.Thread] = []
        self._closed = False

    def tail(self, run: Run) -> LogTail | None:
        """The end of the run's log, as far as it is here; ``None`` where nothing is known yet."""
        with self._lock:
            kept = self._kept.get(run)
            text = "\n".join(kept.lines) if kept else ""
            if not text and not (kept and kept.asked_at and run.previous):
                return None
        return LogTail(pod=run.pod, text=text, container=run.container, previous=run.previous)

    def pending(self, run: Run) -> bool:
        """Whether it is being read for the first time."""
        with self._lock:
            kept = self._kept.get(run)
            return kept is not None and kept.asking and not kept.asked_at

    def refused(self, runs: Collection[Run]) -> bool:
        """Whether the right to read the log of one of these was missing when it was last asked for."""
        with self._lock:
            return any(run in self._kept and self._kept[run].refused for run in runs)

    def ask(self, run: Run, *, secrets: Collection[str], follow: bool) -> bool:
        """Whether the caller is to `read` the run's log now; begins to follow it where it was read already."""
        with self._lock:
            kept = self._kept.setdefault(run, _Kept())
            if self._closed or not self._is_due(run, kept, follow=follow):
                return False
            streams = sum(other.stream is not None for other in self._kept.values())
            if follow and kept.asked_at and not (run.over or kept.refused) and streams < MOST_STREAMS:
                self._follow(run, kept, secrets)
                return False
            kept.asking = True
            return True

    def read(self, run: Run, *, secrets: Collection[str]) -> None:
        """Ask for the end of the run's log, and wait for it."""
        lines: list[str] = []
        refused = False
        try:
            text = self._pods.read(run.pod, container=run.container, previous=run.previous)
            if text:
                lines = list(_kept_of(text.rstrip("\n").split("\n"), secrets))
        except ClusterError as error:
            refused = isinstance(error, ForbiddenError)
        with self._lock:
            kept = self._kept.get(run)
            if kept is None:
                return
            kept.asking, kept.asked_at, kept.refused = False, time.monotonic(), refused
            kept.tries += not refused
            if lines:
                kept.lines = deque(lines, maxlen=TAIL_LINES)
        self._on_read(run.model)

    def forget(self, model: str, *, but: Collection[Run] = ()) -> None:
        """Drop this Model's runs other than these."""
        with self._lock:
            for run in [run for run in self._kept if run.model == model and run not in but]:
                _end(self._kept.pop(run))

    def unfollow(self, model: str) -> None:
        """End this Model's streams; what they brought is kept."""
        with self._lock:
            for run, kept in self._kept.items():
                if run.model == model:
                    _end(kept)

    def close(self) -> None:
        """End all streams and requests, and the threads that follow."""
        with self._lock:
            self._closed = True
            streams = [kept.stream for kept in self._kept.values() if kept.stream]
        self._pods.api.close()
        for stream in streams:
            stream.close()
        for thread in tuple(self._threads):
            thread.join(timeout=3)

    def _is_due(self, run: Run, kept: _Kept, *, follow: bool) -> bool:
        if kept.asking or kept.stream:
            return False
        if not kept.asked_at:
            return True
        timing, age = self._timing, time.monotonic() - kept.asked_at
        if kept.refused:
            return age > timing.log_refused
        if run.over:
            return not kept.lines and kept.tries < TRIES and age > timing.log_pause
        return age > (timing.log_fresh if follow else timing.log_glance)

    def _follow(self, run: Run, kept: _Kept, secrets: Collection[str]) -> None:
        kept.stream = self._pods.follow(run.pod, container=run.container)
        options = {"kept": kept, "stream": kept.stream, "secrets": secrets}
        thread = threading.Thread(
            target=self._pump, args=(run,), kwargs=options, name=f"kubeai-log {run.pod}", daemon=True
        )
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _pump(self, run: Run, *, kept: _Kept, stream: LogStream, secrets: Collection[str]) -> None:
        fresh: deque[str] = deque(maxlen=TAIL_LINES)
        refused = False
        try:
            for clean in _kept_of(stream, secrets):
                with self._lock:
                    if kept.stream is not stream:
                        return
                    fresh.append(clean)
                    kept.lines = fresh
                self._on_line(run.model)
        except ClusterError as error:
            refused = isinstance(error, ForbiddenError)
        finally:
            with self._lock:
                if kept.stream is stream:
                    kept.stream, kept.asked_at, kept.refused = None, time.monotonic(), refused


def _kept_of(lines: Iterable[str], secrets: Collection[str]) -> Iterator[str]:
    for line in masked_lines(lines, secrets, limit=LONGEST_LINE):
        yield "\n".join(line.rsplit("\n", MOST_STATES)[-MOST_STATES:])


def _end(kept: _Kept) -> None:
    stream, kept.stream = kept.stream, None
    if stream is not None:
        stream.close()
