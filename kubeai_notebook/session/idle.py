"""How long Models have been idle, as far as that can be known.

On this machine the gateway is our own and knows each request. In a cluster KubeAI tells one thing only: the average of
requests at work, sampled every few seconds over a window of minutes. More than 0 proves that there was a request in
the window. 0 proves nothing: an embedding or a short chat is answered between two samples.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kubeai_notebook.core.objects import at, map_at, text_at
from kubeai_notebook.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.cluster.client import Cluster

AUTOSCALER_STATE = "kubeai-autoscaler-state"


def idle_seconds(cluster: Cluster) -> Mapping[str, float]:
    """For how long each Model had no request, by its name; nothing of one of which that is not known.

    0: it is in use or, in a cluster, was within the window over which KubeAI averages.
    """
    try:
        if here := cluster.machine_catalog(cluster.namespace):
            return here.idle_seconds
        models = json.loads(text_at(cluster.config_map(AUTOSCALER_STATE), "data", "models"))
    except (ClusterError, ValueError, RecursionError):
        return {}
    averages = {name: at(state, "averageActiveRequests") for name, state in map_at(models, "models").items()}
    return {name: 0.0 for name, average in averages.items() if isinstance(average, int | float) and average > 0}
