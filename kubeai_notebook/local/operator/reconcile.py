"""KubeAI's model controller: from each Model to its Pods."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from kubeai_notebook.core.kubeai.pods import HASH_LABEL, UnusableSpecError, files_of
from kubeai_notebook.core.objects import text_at
from kubeai_notebook.core.phase import is_ready
from kubeai_notebook.errors import SpecError
from kubeai_notebook.local.emulation.admission import admitted
from kubeai_notebook.local.emulation.kinds import CONFIG_MAPS, MODELS, PODS, Object, Ref, ref_of
from kubeai_notebook.local.emulation.refusals import StatusError
from kubeai_notebook.local.emulation.rollout import labels_and_bounds, pod_plan

from .pods import local_pod
from .system import CONFIG, NAMESPACE, System, system_of

if TYPE_CHECKING:
    from kubeai_notebook.local.api.store import Store

log = logging.getLogger("kubeai-local")

RETRY_SECONDS = 5.0
"""Until a pass that failed is tried again."""
_NOBODY: Object = {"replicas": {"all": 0, "ready": 0}}


class Reconciler:
    """Reconciles every Model of its own namespace that, or whose Pods, changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._system: System | None = None
        self._failing: set[str] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        version, names = self._store.version, self._all()
        while True:
            failed = {name for name in sorted(names) if not self._reconciled(name)}
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_SECONDS if failed else None):
                    await self._store.changed(version)
            seen, version = version, self._store.version
            names = self._touched(seen) | failed

    def _reconciled(self, name: str) -> bool:
        """One Model must not stop the others; False where it is to be tried again."""
        try:
            self.reconcile(name)
        except Exception:  # (outermost frame of a pass: what is stored may be odd, and the disk full)
            if name not in self._failing:
                log.exception("Reconciler error: %s", name)
            self._failing.add(name)
            return False
        self._failing.discard(name)
        return True

    def reconcile(self, name: str) -> None:
        """One pass: files, labels and bounds, status, Pods; of a wrong spec only the log tells, as in KubeAI."""
        ref = Ref(MODELS, NAMESPACE, name)
        model = self._store.find(ref)
        if model is None:
            return
        deleting = "deletionTimestamp" in model["metadata"]
        try:
            if not model.get("spec"):  # The API takes it, as KubeAI's definition does not ask for one.
                raise UnusableSpecError("it has no spec")
            self._write_files(model)
            model = self._store.patch(ref, labels_and_bounds(model))
            self._system = system_of(self._store, self._system)
            wanted = local_pod(model, self._system)
        except (UnusableSpecError, StatusError, SpecError) as error:
            if isinstance(error, StatusError) and error.code >= 500:
                raise
            log.warning("Reconciler error: %s: %s", name, error)
            if not deleting:
                self._store.patch(ref, {"status": _NOBODY | model.get("status", {})})
            return
        pods = [pod for pod in self._store.items(PODS, NAMESPACE) if _model_of(pod) == name]
        if not deleting:
            # What was fetched stays on this machine for all Models, so a cache needs no Job before the Pods.
            cache = {"cache": {"loaded": True}} if model["spec"].get("cacheProfile") else {}
            replicas = {"all": len(pods), "ready": sum(map(is_ready, pods))}
            self._store.patch(ref, {"status": {"replicas": replicas, **cache}})
        pod_hash, surge = wanted["metadata"]["labels"][HASH_LABEL], self._system.config.surge
        desired = model["spec"].get("replicas", 0)
        doomed, created = pod_plan(pods, pod_hash, replicas=desired, surge=surge)
        for doomed_name in {pod["metadata"]["name"] for pod in pods} if deleting else doomed:
            self._store.delete(Ref(PODS, NAMESPACE, doomed_name))
        for _ in range(0 if deleting else created):
            self._store.create(PODS, wanted)

    def _write_files(self, model: Object) -> None:
        wanted = files_of(model)
        if wanted is None:
            return
        ref, item = ref_of(CONFIG_MAPS, wanted), admitted(CONFIG_MAPS, wanted)[0]
        if present := self._store.find(ref):
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
            item = change.after or change.before or {}
            if change.resource is CONFIG_MAPS and ref_of(CONFIG_MAPS, item) == CONFIG:
                return self._all()
            if change.resource in (MODELS, PODS) and item["metadata"].get("namespace") == NAMESPACE:
                names.add(item["metadata"]["name"] if change.resource is MODELS else _model_of(item))
        return names


def _model_of(pod: Object) -> str:
    return text_at(pod, "metadata", "labels", "model")
