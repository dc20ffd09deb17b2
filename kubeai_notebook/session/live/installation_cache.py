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

# Its change restarts KubeAI, so it is rare; and a user who changed it looks at a Model afterwards.
FRESH_SECONDS, RETRY_SECONDS = 300.0, 10.0


class OperatorWatch:
    """What is known of the KubeAI installation; nothing is asked unless somebody looks."""

    def __init__(self, cluster: Cluster, on_change: Callable[[], None]) -> None:
        self.known = Operator()
        self._api = cluster.api.apart()
        self._cluster, self._on_change = cluster, on_change
        self._lock = threading.Lock()
        self._due_at = 0.0
        self._closed = False
        self._reader: threading.Thread | None = None

    def look(self) -> None:
        """Somebody looks at a Model: read what is known anew, where that is old."""
        with self._lock:
            reading = self._reader is not None and self._reader.is_alive()
            if self._closed or reading or time.monotonic() < self._due_at:
                return
            self._reader = threading.Thread(target=self._read, name="kubeai-operator", daemon=True)
            self._reader.start()

    def wait(self, timeout_seconds: float) -> None:
        """Wait for what is being read."""
        if self._reader and self._reader is not threading.current_thread():
            self._reader.join(timeout_seconds)

    def close(self) -> None:
        """End what is being read."""
        self._closed = True
        self._api.close()
        self.wait(3.0)

    def _read(self) -> None:
        try:
            found = operator_of(self._api, self._cluster.namespace)
        except ClusterError:
            self._due_at = time.monotonic() + RETRY_SECONDS
            return
        self._due_at = time.monotonic() + FRESH_SECONDS
        if found != self.known:
            self.known = found
            self._on_change()
