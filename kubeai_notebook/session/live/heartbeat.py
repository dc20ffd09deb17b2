"""Whether the API still answers, asked only while somebody waits for something and the watches are silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.errors import ClusterError, UnreachableError

if TYPE_CHECKING:
    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.cluster.timing import Timing

    from .informers import Informers
    from .pool import Pool


class Heartbeat:
    """Asks the API for a sign of life, and begins the watches anew where there is none."""

    def __init__(self, cluster: Cluster, watches: Informers, *, pool: Pool, timing: Timing) -> None:
        self._api, self._watches, self._pool, self._timing = cluster.api.apart(), watches, pool, timing
        self._felt_at = timing.now()
        self._asking = self._closed = False

    def look(self) -> None:
        """Somebody looks at something that may change: ask, where nothing was heard for long."""
        silent = self._timing.now() - max(self._felt_at, self._watches.heard_at_seconds)
        if self._closed or self._asking or silent < self._timing.heartbeat_silence:
            return
        if self._watches.link.state == "live":
            self._asking = True
            self._pool.submit("heartbeat", "", self._feel)

    def close(self) -> None:
        """End what is being asked."""
        self._closed = True
        self._api.close()

    def _feel(self) -> None:
        try:
            self._api.request("GET", "version", read_seconds=self._timing.heartbeat_answer, patient=False)
        except UnreachableError:
            if not self._closed:
                self._watches.doubt()
        except ClusterError:
            pass  # refused or busy: it lives
        finally:
            self._felt_at, self._asking = self._timing.now(), False
