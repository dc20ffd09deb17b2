"""How long Models have been idle, as far as KubeAI's autoscaler tells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kubeai_notebook.core.objects import at, map_at, text_at
from kubeai_notebook.errors import ClusterError

if TYPE_CHECKING:
    from kubeai_notebook.cluster.client import Cluster

AUTOSCALER_STATE = "kubeai-autoscaler-state"


def idle_seconds(cluster: Cluster, window_seconds: float) -> dict[str, float]:
    """For how long at least each Model had no request, by its name; 0 where it is in use, nothing that is not known.

    KubeAI keeps the average of requests at work over a window of time: 0 means that there was none in it.
    """
    try:
        models = json.loads(text_at(cluster.config_map(AUTOSCALER_STATE), "data", "models"))
    except (ClusterError, ValueError, RecursionError):
        return {}
    averages = {name: at(one, "averageActiveRequests") for name, one in map_at(models, "models").items()}
    known = {name: average for name, average in averages.items() if isinstance(average, int | float)}
    return {name: 0.0 if average else window_seconds for name, average in known.items()}
