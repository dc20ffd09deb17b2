"""Pool: where everything is asked that a View does not wait for.

One request that takes long must cost its own Model only. So at most one of a kind goes on for one Model, and a few for
all together: eight Models must be slow at the same time before a ninth waits. Threads are daemons, unlike those of
``concurrent.futures``: a kernel that ends waits for no log.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE = 8
"""Jobs of one kind that go on at the same time."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    kind: str
    model: str
    work: Callable[[], None]


class Pool:
    """Runs jobs in the order in which they came, as far as the bounds let it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Job] = []
        self._running: dict[threading.Thread, _Job] = {}
        self._closed = False

    def submit(self, kind: str, model: str, work: Callable[[], None]) -> None:
        """Do this soon; ``work`` ends early when its owner is closed."""
        with self._lock:
            self._waiting.append(_Job(kind, model, work))
            self._start()

    def close(self) -> None:
        """Forget what has not begun, and wait for what has: its owners have cut it off already."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            running = tuple(self._running)
        for thread in running:
            if thread is not threading.current_thread():
                thread.join(timeout=3)

    def _start(self) -> None:
        busy = [(job.kind, job.model) for job in self._running.values()]
        kinds = [kind for kind, _ in busy]
        for job in () if self._closed else tuple(self._waiting):
            if kinds.count(job.kind) < AT_ONCE and (job.kind, job.model) not in busy:
                self._waiting.remove(job)
                busy.append((job.kind, job.model))
                kinds.append(job.kind)
                thread = threading.Thread(target=self._run, args=(job,), name=f"kubeai-{job.kind}", daemon=True)
                self._running[thread] = job
                thread.start()

    def _run(self, job: _Job) -> None:
        try:
            job.work()
        except Exception:  # the thread's outermost frame: what was asked stays unknown
            _logger.exception("A %s of %s failed.", job.kind, job.model or "the cluster")
        finally:
            with self._lock:
                del self._running[threading.current_thread()]
                self._start()
