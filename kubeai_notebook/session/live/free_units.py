"""What is free on the nodes, for a Model that waits for one: asked while somebody looks at it, and seldom."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kubeai_notebook.deploy.free import free_on_a_node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.cluster.timing import Timing
    from kubeai_notebook.core.view import View

    from .pool import Pool

_WAITS = frozenset(
    {
        *("InsufficientGpu", "InsufficientCpuOrMemory", "NodeSelectorMismatch", "UntoleratedTaint"),
        *("AutoscalerAtLimit", "AutoscalerCannotHelp"),
    }
)
"""Findings of a Model for which another profile may have room."""


class FreeUnits:
    """The units of each profile that one node could take, as they were last seen; ``on_change`` gets who asked."""

    def __init__(self, cluster: Cluster, on_change: Callable[[str], None], *, pool: Pool, timing: Timing) -> None:
        self.known: Mapping[str, int] | None = None
        self._cluster, self._on_change, self._pool, self._timing = cluster, on_change, pool, timing
        self._due_at = 0.0
        self._asking = ""
        """The uid of the Model for which it is being asked."""

    def pending(self, uid: str) -> bool:
        """Whether the answer is still to come to the Model that asked."""
        return uid == self._asking != ""

    def look(self, view: View) -> bool:
        """Ask where the Model waits for a node and what is known is old; gives whether it was asked now."""
        config = view.observation.operator.config
        waits = any(finding.code in _WAITS for finding in view.findings)
        if not waits or config is None or view.observation.this_machine or time.monotonic() < self._due_at:
            return False
        self._due_at = time.monotonic() + self._timing.free_fresh
        self._asking = view.uid
        self._pool.submit("free units", "", lambda: self._ask(view.name, config))
        return True

    def _ask(self, name: str, config: Mapping[str, object]) -> None:
        try:
            self.known = free_on_a_node(self._cluster, config)
        finally:
            self._asking = ""
        self._on_change(name)
