"""KubeAI's model controller: from each Model to its Pods."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from kubeai_notebook.errors import SpecError
from kubeai_notebook.local.api.admission import admitted
from kubeai_notebook.local.api.errors import StatusError
from kubeai_notebook.local.api.resources import CONFIG_MAPS, MODELS, PODS, Object, Ref, ref_of

from .pods import HASH_LABEL, UnusableSpecError, files_of, is_ready, pod_of
from .system import NAMESPACE, System, system_of

if TYPE_CHECKING:
    from kubeai_notebook.local.api.store import Store

log = logging.getLogger("kubeai-local")

_FEATURE = "features.kubeai.org/"
_NOBODY: Object = {"replicas": {"all": 0, "ready": 0}}


class Operator:
    """Reconciles every Model of its own namespace that, or whose Pods, changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._system: System | None = None

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
        """One pass: files, labels and bounds, status, Pods; of a wrong spec only the log tells, as in KubeAI."""
        ref = Ref(MODELS, NAMESPACE, name)
        model = self._store.find(ref)
        if model is None:
            return
        deleting = "deletionTimestamp" in model["metadata"]
        try:
            if "spec" not in model:  # The API takes it, as KubeAI's definition does not ask for one.
                raise UnusableSpecError("it has no spec")
            self._write_files(model)
            model = self._store.patch(ref, _labels_and_bounds(model))
            self._system = system_of(self._store, self._system)
            wanted = pod_of(model, self._system)
        except (UnusableSpecError, StatusError, SpecError) as error:
            log.warning("Reconciler error: %s: %s", name, error)
            if not deleting:
                self._store.patch(ref, {"status": _NOBODY | model.get("status", {})})
            return
        pods = [
            pod for pod in self._store.items(PODS, NAMESPACE) if pod["metadata"].get("labels", {}).get("model") == name
        ]
        if deleting:
            for pod in pods:
                self._store.delete(ref_of(PODS, pod))
            return
        self._store.patch(ref, {"status": {"replicas": {"all": len(pods), "ready": sum(map(is_ready, pods))}}})
        self._roll(model["spec"].get("replicas", 0), pods, wanted)

    def _roll(self, replicas: int, pods: list[Object], wanted: Object) -> None:
        """Create and delete towards the wanted number; outdated Pods go one by one while all others are ready.

        Pods that are ending count as replicas until they are gone, but are not deleted again.
        """
        pod_hash = wanted["metadata"]["labels"][HASH_LABEL]
        living = sorted(
            (pod for pod in pods if "deletionTimestamp" not in pod["metadata"]),
            key=lambda pod: _keep_rank(pod, pod_hash),
        )
        outdated = [pod for pod in living if pod["metadata"]["labels"].get(HASH_LABEL) != pod_hash]
        surge = self._system.catalog.surge if self._system else 0
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
        for name in doomed:
            self._store.delete(Ref(PODS, NAMESPACE, name))
        for _ in range(created + replaced):
            self._store.create(PODS, wanted)

    def _write_files(self, model: Object) -> None:
        wanted = files_of(model)
        if wanted is None:
            return
        ref, item = ref_of(CONFIG_MAPS, wanted), admitted(CONFIG_MAPS, wanted)[0]
        if present := self._store.find(ref):
            if present.get("data") != item["data"]:
                self._store.replace(ref, {**present, "data": item["data"]})
        else:
            self._store.create(CONFIG_MAPS, item)

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
            metadata = (change.after or change.before or {})["metadata"]
            if metadata.get("namespace") != NAMESPACE:
                continue
            if change.resource is MODELS:
                names.add(metadata["name"])
            elif change.resource is PODS:
                names.add(metadata.get("labels", {}).get("model", ""))
            elif change.resource is CONFIG_MAPS and metadata["name"] == "kubeai-config":
                names |= self._all()
        return names


def bounded(spec: Object, replicas: int) -> int:
    """Replicas within the Model's bounds."""
    wanted = int(max(replicas, spec.get("minReplicas", 0)))
    return min(wanted, int(spec.get("maxReplicas", wanted)))


def _labels_and_bounds(model: Object) -> Object:
    """The merge patch with feature labels (stale ones removed) and replicas within their bounds."""
    spec = model["spec"]
    stale = {key: None for key in model["metadata"].get("labels") or {} if key.startswith(_FEATURE)}
    labels = stale | {f"{_FEATURE}{feature}": "true" for feature in spec["features"]}
    patch: Object = {"metadata": {"labels": labels}}
    if not spec.get("autoscalingDisabled"):
        least = spec.get("minReplicas", 0)
        patch["spec"] = {"minReplicas": least, "replicas": bounded(spec, spec.get("replicas", least))}
    return patch


def _keep_rank(pod: Object, pod_hash: str) -> tuple[bool, bool, bool, float]:
    """Lowest goes first: not ready, not scheduled, of another hash, youngest."""
    metadata = pod["metadata"]
    age = datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()
    return is_ready(pod), "nodeName" in pod["spec"], metadata["labels"].get(HASH_LABEL) == pod_hash, -age
