"""What is free on a cluster's nodes, where they may be read: many users may not, and then nothing is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.cluster.api import CORE
from kubeai_notebook.core.free_units import free_units
from kubeai_notebook.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.cluster.client import Cluster

    from .facts import Facts

_RUNNING = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}


def free_of(cluster: Cluster, facts: Facts) -> Mapping[str, int] | None:
    """Units of each profile that could start now; ``None`` on this machine, and where nodes or Pods may not be read."""
    if facts.this_machine:
        return None
    try:
        nodes = cluster.listed(f"{CORE}/nodes")
        pods = cluster.listed(f"{CORE}/pods", query=_RUNNING)
    except ClusterError:
        return None
    return free_units(facts.operator_config.profiles.values(), nodes, pods)
