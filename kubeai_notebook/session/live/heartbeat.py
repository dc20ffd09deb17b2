"""Whether the API still answers, asked only while somebody waits for something and the watches are silent."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from kubeai_notebook.errors import ClusterError, UnreachableError

if TYPE_CHECKING:
    from kubeai_notebook.cluster.client import Cluster

    from .informers import Watches

# A watch says nothing while nothing happens, and a frozen server looks the same.
SILENCE_SECONDS, ANSWER_SECONDS = 15.0, 5.0


class Pulse:
    """Asks the API for a sign of life, and begins the watches anew where there is none."""

    def __init__(self, cluster: Cluster, watches: Watches) -> None:
        self._api, self._watches = cluster.api.apart(), watches
        self._lock = threading.Lock()
        self._felt_at = time.time()
        self._feeler: threading.Thread | None = None
        self._closed = False

    def look(self) -> None:
        """Somebody looks at something that may change: ask, where nothing was heard for long."""
        with self._lock:
            silent = time.time() - max(self._felt_at, self._watches.heard_at_seconds)
            busy = self._feeler is not None and self._feeler.is_alive()
            if self._closed or busy or silent < SILENCE_SECONDS or self._watches.link.state != "live":
                return
            self._feeler = threading.Thread(target=self._feel, name="kubeai-pulse", daemon=True)
            self._feeler.start()

    def close(self) -> None:
        """End what is being asked."""
        with self._lock:
            self._closed = True
        self._api.close()
        if self._feeler is not None:
            self._feeler.join(timeout=3)

    def _feel(self) -> None:
        try:
            self._api.request("GET", "version", read_seconds=ANSWER_SECONDS, patient=False)
        except UnreachableError:
            if not self._closed:
                self._watches.doubt()
        except ClusterError:
            pass  # refused or busy: it lives
        self._felt_at = time.time()
