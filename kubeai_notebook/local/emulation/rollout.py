"""How KubeAI keeps a Model's replicas: within their bounds, and with its Pods replaced one by one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.kubeai.labels import FEATURE_LABEL
from kubeai_notebook.core.kubeai.pods import HASH_LABEL
from kubeai_notebook.core.objects import text_at
from kubeai_notebook.core.phase import is_ready

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def bounded(spec: Mapping[str, Any], replicas: int) -> int:
    """Replicas within the Model's bounds."""
    wanted = int(max(replicas, spec.get("minReplicas", 0)))
    return min(wanted, int(spec.get("maxReplicas", wanted)))


def labels_and_bounds(model: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch with feature labels (stale ones removed) and replicas within their bounds."""
    spec = model["spec"]
    stale = {key: None for key in model["metadata"].get("labels") or {} if key.startswith(FEATURE_LABEL)}
    labels = stale | {f"{FEATURE_LABEL}{feature}": "true" for feature in spec["features"]}
    patch: dict[str, Any] = {"metadata": {"labels": labels}}
    if not spec.get("autoscalingDisabled"):
        least = spec.get("minReplicas", 0)
        patch["spec"] = {"minReplicas": least, "replicas": bounded(spec, spec.get("replicas", least))}
    return patch


def pod_plan(pods: Sequence[Mapping[str, Any]], pod_hash: str, *, replicas: int, surge: int) -> tuple[set[str], int]:
    """The names of the Pods that have to go, and how many have to come.

    Outdated Pods are replaced at once while they are not ready, else one by one and only when all the others
    are. Pods that are ending count as replicas until they are gone, but are not deleted again.

    Source: KubeAI 0.22.1, the model controller's Pod plan.
    """
    living = sorted(
        (pod for pod in pods if "deletionTimestamp" not in pod["metadata"]), key=lambda pod: _keep_rank(pod, pod_hash)
    )
    outdated = [pod for pod in living if pod["metadata"]["labels"].get(HASH_LABEL) != pod_hash]
    desired = replicas + (surge if outdated else 0)
    doomed = {pod["metadata"]["name"] for pod in living[: max(0, len(living) - desired)]}
    created, replaced = max(0, desired - len(pods)), 0
    ready = sum(map(is_ready, living))
    for pod in outdated:
        if is_ready(pod) and ready != desired:
            continue
        doomed.add(pod["metadata"]["name"])
        if replaced < len(outdated) - surge:  # The surge Pod is there already.
            replaced += 1
        if is_ready(pod):
            break
    return doomed, created + replaced


def _keep_rank(pod: Mapping[str, Any], pod_hash: str) -> tuple[bool, bool, bool, float]:
    """Lowest goes first: not ready, not scheduled, of another hash, youngest."""
    metadata = pod["metadata"]
    age = datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()
    return is_ready(pod), text_at(pod, "spec", "nodeName") != "", metadata["labels"].get(HASH_LABEL) == pod_hash, -age
