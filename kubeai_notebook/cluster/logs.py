"""Logs of containers: read once where a run is over, followed where somebody looks; masked before a line is kept."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeai_notebook.core.masking import masked_lines
from kubeai_notebook.core.observation import LogTail
from kubeai_notebook.errors import ClusterError, ForbiddenError

from .pod_logs import TAIL_LINES, LogStream, PodLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .client import Cluster

AT_ONCE = 4
ANSWER_SECONDS = 1.0
"""How long a reader waits for a log; it comes later by ``on_change`` where it takes longer."""
LONGEST_LINE = 8_000
FRESH_SECONDS = 2.0
"""How long the log of a run that goes on is believed where nobody follows it."""
TRIES, PAUSE_SECONDS = 3, 2.0
"""An empty or refused log of a run that is over is asked for again a few times, and then no more."""


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

    lines: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    asked: Future[None] | None = None
    asked_at: float = float("-inf")
    tries: int = 0
    broke_at: float = float("-inf")
    """When the stream ended by itself."""
    stream: LogStream | None = None


class Logs:
    """The last lines of the runs that were asked for."""

    def __init__(self, cluster: Cluster, on_change: Callable[[str], None]) -> None:
        self._pods = PodLogs(cluster.api.apart(), cluster.namespace)
        self._on_change = on_change
        self._lock = threading.Lock()
        self._kept: dict[Run, _Kept] = {}
        self._readers: ThreadPoolExecutor | None = None
        self._threads: list[threading.Thread] = []
        self._closed = False
        self.forbidden = False
        """Whether the right to read logs is missing."""

    def tail(self, run: Run, *, secrets: Collection[str], follow: bool) -> LogTail | None:
        """The end of the run's log, as far as it is here within a second; ``None`` where nothing is known yet."""
        with self._lock:
            kept = self._kept.setdefault(run, _Kept())
            follow = follow and not run.over
            if self._is_due(run, kept, follow=follow):
                (self._follow if follow else self._ask)(run, kept, secrets)
            asked = kept.asked
        if asked is not None and not asked.done():
            wait_for([asked], ANSWER_SECONDS)
        with self._lock:
            text = "\n".join(kept.lines)
        if not text and not run.previous:
            return None
        return LogTail(pod=run.pod, text=text, container=run.container, previous=run.previous)

    def forget(self, model: str, *, but: Collection[Run]) -> None:
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
        """End all streams and requests, and the threads that read them."""
        with self._lock:
            self._closed = True
            streams = [kept.stream for kept in self._kept.values() if kept.stream]
            readers, self._readers = self._readers, None
        self._pods.api.close()
        for stream in streams:
            stream.close()
        if readers:
            readers.shutdown(wait=True, cancel_futures=True)
        for thread in tuple(self._threads):
            thread.join(timeout=3)

    def _is_due(self, run: Run, kept: _Kept, *, follow: bool) -> bool:
        if self._closed or self.forbidden or kept.stream or (kept.asked is not None and not kept.asked.done()):
            return False
        now = time.monotonic()
        if follow:
            return now - kept.broke_at > PAUSE_SECONDS
        age = now - kept.asked_at
        if run.over:
            return not kept.lines and kept.tries < TRIES and age > PAUSE_SECONDS
        return age > FRESH_SECONDS

    def _ask(self, run: Run, kept: _Kept, secrets: Collection[str]) -> None:
        kept.tries += 1
        kept.asked_at = time.monotonic()
        if self._readers is None:
            self._readers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="kubeai-log")
        kept.asked = self._readers.submit(self._read, run, kept, secrets)

    def _read(self, run: Run, kept: _Kept, secrets: Collection[str]) -> None:
        try:
            text = self._pods.read(run.pod, container=run.container, previous=run.previous)
        except ClusterError as error:
            self.forbidden = self.forbidden or isinstance(error, ForbiddenError)
            return
        lines = list(masked_lines(text.rstrip("\n").split("\n"), secrets, limit=LONGEST_LINE)) if text else []
        with self._lock:
            kept.lines.clear()
            kept.lines.extend(lines)
        self._on_change(run.model)

    def _follow(self, run: Run, kept: _Kept, secrets: Collection[str]) -> None:
        kept.stream = self._pods.follow(run.pod, container=run.container)
        kept.lines.clear()
        options = {"kept": kept, "stream": kept.stream, "secrets": secrets}
        thread = threading.Thread(
            target=self._pump, args=(run,), kwargs=options, name=f"kubeai-log {run.pod}", daemon=True
        )
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _pump(self, run: Run, *, kept: _Kept, stream: LogStream, secrets: Collection[str]) -> None:
        try:
            for clean in masked_lines(stream, secrets, limit=LONGEST_LINE):
                with self._lock:
                    if kept.stream is not stream:
                        return
                    kept.lines.append(clean)
                self._on_change(run.model)
        except ClusterError as error:
            self.forbidden = self.forbidden or isinstance(error, ForbiddenError)
        finally:
            with self._lock:
                if kept.stream is stream:
                    kept.stream, kept.broke_at = None, time.monotonic()


def _end(kept: _Kept) -> None:
    stream, kept.stream = kept.stream, None
    if stream is not None:
        stream.close()
