"""The operator's configuration for Observations: read once in the background, and seldom again."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from kubeai_notebook.cluster.operator import operator_of
from kubeai_notebook.core.observation import Operator
from kubeai_notebook.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.cluster.timing import Timing

    from .pool import Pool


class Installation:
    """What is known of the KubeAI installation; nothing is asked unless somebody looks."""

    def __init__(self, cluster: Cluster, on_change: Callable[[], None], *, pool: Pool, timing: Timing) -> None:
        self.known = Operator()
        self._api = cluster.api.apart()
        self._cluster, self._on_change, self._pool, self._timing = cluster, on_change, pool, timing
        self._due_at = 0.0
        self._idle = threading.Event()
        self._idle.set()

    def look(self) -> None:
        """Somebody looks at a Model: read what is known anew, where that is old."""
        if self._idle.is_set() and time.monotonic() >= self._due_at:
            self._idle.clear()
            self._pool.submit("installation", "", self._read)

    def wait(self, timeout_seconds: float) -> None:
        """Wait for what is being read."""
        self._idle.wait(timeout_seconds)

    def close(self) -> None:
        """End what is being read."""
        self._due_at = float("inf")
        self._api.close()
        self._idle.set()

    def _read(self) -> None:
        pause = self._timing.installation_retry
        try:
            operator = operator_of(self._api, self._cluster.namespace)
            pause = self._timing.installation_fresh
            if operator != self.known:
                self.known = operator
                self._on_change()
        except ClusterError:
            pass  # what was known before is still the best
        finally:
            self._due_at = max(self._due_at, time.monotonic() + pause)
            self._idle.set()
