"""What is free on a cluster's nodes, where they may be read: many users may not, and then nothing is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.cluster.api import CORE
from kubeai_notebook.core.free_units import free_units, units_on_one_node
from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.errors import ClusterError, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from kubeai_notebook.cluster.client import Cluster

    from .facts import Facts

Objects = list[dict[str, "Any"]]
_RUNNING = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}


def free_of(cluster: Cluster, facts: Facts) -> Mapping[str, int] | None:
    """Units of each profile that could start now; ``None`` on this machine, and where nodes or Pods may not be read."""
    if facts.this_machine:
        return None
    try:
        return free_units(facts.operator_config.profiles.values(), *_seen(cluster))
    except ClusterError:
        return None


def free_on_a_node(cluster: Cluster, config: Mapping[str, Any]) -> Mapping[str, int] | None:
    """Units of each profile that one node could take now; ``None`` where nodes or Pods may not be read."""
    try:
        return units_on_one_node(operator_config_of(config).profiles.values(), *_seen(cluster))
    except (ClusterError, SpecError):
        return None


def _seen(cluster: Cluster) -> tuple[Objects, Objects]:
    return cluster.listed(f"{CORE}/nodes"), cluster.listed(f"{CORE}/pods", query=_RUNNING)
