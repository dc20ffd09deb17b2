"""How long Models have been idle and what KubeAI averages of them, as far as that can be known.

On this machine the gateway is our own and knows each request. In a cluster KubeAI tells one thing only: the average of
requests at work, sampled every few seconds over a window of minutes. More than 0 proves that there was a request in
the window. 0 proves nothing: an embedding or a short chat is answered between two samples.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.core.kubeai.scaling import scaling_of
from kubeai_notebook.core.objects import at, map_at, name_of, text_at
from kubeai_notebook.errors import ClusterError, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.core.observation import Operator
    from kubeai_notebook.core.view import View

AUTOSCALER_STATE = "kubeai-autoscaler-state"


def idle_seconds(cluster: Cluster, operator: Operator) -> Mapping[str, float]:
    """For how long each Model had no request, by its name; nothing of one of which that is not known.

    0: it is in use or, in a cluster, was within the window over which KubeAI averages.
    """
    try:
        if here := cluster.machine_catalog(cluster.namespace):
            return here.idle_seconds
    except ClusterError:
        return {}
    return {name: 0.0 for name, average in _averages(cluster, operator).items() if average > 0}


def _averages(cluster: Cluster, operator: Operator) -> Mapping[str, float]:
    """The average of each Model's requests at work, as KubeAI writes them down; nothing where that cannot be read."""
    state = text_at(operator.config, "modelAutoscaling", "stateConfigMapName") or AUTOSCALER_STATE
    try:
        models = json.loads(text_at(cluster.config_map(state, operator.namespace), "data", "models"))
    except (ClusterError, ValueError, RecursionError):
        return {}
    written = {name: at(entry, "averageActiveRequests") for name, entry in map_at(models, "models").items()}
    return {name: float(average) for name, average in written.items() if isinstance(average, int | float)}


def why_scaled(cluster: Cluster, view: View) -> str:
    """Why the Model has the replicas that it has, in a line; ``""`` where that is not known."""
    operator, name = view.observation.operator, name_of(view.model)
    try:
        config = operator_config_of(operator.config)
        here = cluster.machine_catalog(cluster.namespace)
    except (ClusterError, SpecError):
        return ""
    average = _averages(cluster, operator).get(name)
    return scaling_of(view.model, average, config, idle_seconds=here.idle_seconds.get(name) if here else None)
