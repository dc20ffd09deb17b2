"""KubeAI's model controller: from each Model to its Pods."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

import yaml

from kubeai_notebook.local.api.errors import StatusError
from kubeai_notebook.local.api.resources import CONFIG_MAPS, MODELS, PODS, Object, Ref, ref_of

from .pods import HASH_LABEL, is_ready, pod_of
from .preload import NAMESPACE

if TYPE_CHECKING:
    from kubeai_notebook.local.api.store import Store

log = logging.getLogger("kubeai-local")

_FEATURE = "features.kubeai.org/"


class Operator:
    """Reconciles every Model of its own namespace that, or whose Pods, changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._system_text = ""
        self._system: Any = {}

    async def run(self) -> None:
        """Work until cancelled."""
        version, names = self._store.version, self._all()
        while True:
            for name in sorted(names):
                try:
                    self.reconcile(name)
                except Exception:  # (outermost frame of a pass: one Model must not stop the others)
                    log.exception("Reconciler error: %s", name)
            await self._store.changed(version)
            seen, version = version, self._store.version
            names = self._touched(seen)

    def reconcile(self, name: str) -> None:
        """One pass: labels and bounds, then status, then Pods; what is wrong with a spec stays unsaid, as in KubeAI."""
        model = self._store.find(Ref(MODELS, NAMESPACE, name))
        if model is None:
            return
        self._read_system()
        model = self._store.patch(ref_of(MODELS, model), _labels_and_bounds(model))
        pods = [
            pod
            for pod in self._store.items(PODS, NAMESPACE)
            if pod["metadata"].get("labels", {}).get("model") == model["metadata"]["name"]
        ]
        wanted = pod_of(model, self._system)
        counted = {"all": len(pods), "ready": sum(map(is_ready, pods))} if wanted else {"all": 0, "ready": 0}
        if "deletionTimestamp" in model["metadata"]:
            return
        self._store.patch(ref_of(MODELS, model), {"status": {"replicas": counted}})
        if wanted is not None:
            self._roll(model, pods, wanted)

    def _roll(self, model: Object, pods: list[Object], wanted: Object) -> None:
        """Create and delete towards the wanted number; outdated Pods go one by one while a new one is ready."""
        living = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        pod_hash = wanted["metadata"]["labels"][HASH_LABEL]
        outdated = [pod for pod in living if pod["metadata"]["labels"].get(HASH_LABEL) != pod_hash]
        surge = (self._system.get("modelRollouts") or {}).get("surge", 0)
        replicas = model["spec"].get("replicas", 0)
        desired = replicas + (surge if outdated and replicas else 0)
        if len(living) > desired:
            doomed = sorted(living, key=lambda pod: _keep_rank(pod, pod_hash))[: len(living) - desired]
        else:
            doomed = [pod for pod in outdated if not is_ready(pod)]
            if not doomed and outdated and sum(map(is_ready, living)) == desired:
                doomed = outdated[:1]
        for pod in doomed:
            self._store.delete(ref_of(PODS, pod))
        for _ in range(desired - len(living) + (len(doomed) if len(living) <= desired else 0)):
            self._store.create(PODS, wanted)

    def _read_system(self) -> None:
        config = self._store.find(Ref(CONFIG_MAPS, NAMESPACE, "kubeai-config"))
        text = config["data"].get("system.yaml", "") if config else ""
        if text != self._system_text:
            self._system = yaml.safe_load(text) or {}
            self._system_text = text

    def _all(self) -> set[str]:
        return {model["metadata"]["name"] for model in self._store.items(MODELS, NAMESPACE)}

    def _touched(self, version: int) -> set[str]:
        """Names of the Models that changed since a version; all when too much has happened, or the configuration."""
        try:
            changes = self._store.changes_since(version)
        except StatusError:
            return self._all()
        names: set[str] = set()
        for change in changes:
            item = change.after or change.before or {}
            if item.get("metadata", {}).get("namespace") != NAMESPACE:
                continue
            if change.resource is MODELS:
                names.add(item["metadata"]["name"])
            elif change.resource is PODS:
                names.add(item["metadata"].get("labels", {}).get("model", ""))
            elif change.resource is CONFIG_MAPS:
                names |= self._all()
        return names


def _labels_and_bounds(model: Object) -> Object:
    """The merge patch with feature labels (stale ones removed) and replicas within their bounds."""
    spec = model["spec"]
    stale = {key: None for key in model["metadata"].get("labels") or {} if key.startswith(_FEATURE)}
    labels = stale | {f"{_FEATURE}{feature}": "true" for feature in spec["features"]}
    patch: Object = {"metadata": {"labels": labels}}
    if not spec.get("autoscalingDisabled"):
        least = spec.get("minReplicas", 0)
        replicas = max(spec.get("replicas", least), least)
        patch["spec"] = {"minReplicas": least, "replicas": min(replicas, spec.get("maxReplicas", replicas))}
    return patch


def _keep_rank(pod: Object, pod_hash: str) -> tuple[bool, bool, bool, float]:
    """Lowest goes first: not ready, not scheduled, of another hash, youngest."""
    metadata = pod["metadata"]
    age = datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()
    return is_ready(pod), "nodeName" in pod["spec"], metadata["labels"].get(HASH_LABEL) == pod_hash, -age
