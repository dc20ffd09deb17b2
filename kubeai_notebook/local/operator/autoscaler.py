"""KubeAI's autoscaler: replicas from a moving average of the requests in flight."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections import Counter, deque
from typing import TYPE_CHECKING

from kubeai_notebook.local.api.resources import CONFIG_MAPS, MODELS, Object, Ref, ref_of
from kubeai_notebook.local.api.store import Store, timestamp

from .reconcile import bounded
from .system import NAMESPACE, system_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger("kubeai-local")

MIN_INTERVAL_SECONDS = 0.05
_STATE = Ref(CONFIG_MAPS, NAMESPACE, "kubeai-autoscaler-state")


class Autoscaler:
    """Scales at every tick. ``active`` counts requests by the name they asked for, so an adapter's do not count."""

    def __init__(self, store: Store, active: Callable[[], Mapping[str, int]]) -> None:
        self._store = store
        self._active = active
        catalog = system_of(store).catalog
        self._interval_seconds = max(MIN_INTERVAL_SECONDS, catalog.autoscaling_interval_seconds)
        self._length = max(1, int(catalog.autoscaling_window_seconds / self._interval_seconds))
        self._before = self._averages_of_the_last_life()
        self._samples: dict[str, deque[float]] = {}
        self._wishes = Counter[str]()
        """How many ticks in a row wanted fewer replicas."""

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await asyncio.sleep(self._interval_seconds)
            try:
                self.tick()
            except Exception:  # (outermost frame of a tick: a full disk must not end the daemon)
                log.exception("the autoscaler could not work")

    def tick(self) -> None:
        """Take a sample of every Model, scale it, and write the averages down."""
        active, averages = self._active(), {}
        for model in self._store.items(MODELS, NAMESPACE):
            if model.get("spec", {"autoscalingDisabled": True}).get("autoscalingDisabled"):
                continue
            name = model["metadata"]["name"]
            first = [self._before.get(name, 0.0)] * self._length
            samples = self._samples.setdefault(name, deque(first, maxlen=self._length))
            samples.append(active.get(name, 0))
            averages[name] = sum(samples) / self._length
            self._scale(model, math.ceil(averages[name] / model["spec"]["targetRequests"]))
        self._samples = {name: self._samples[name] for name in averages}
        self._write(averages)

    def _scale(self, model: Object, replicas: int) -> None:
        """Up at once; down when it was wanted for the Model's delay."""
        name, spec = model["metadata"]["name"], model["spec"]
        wanted, present = bounded(spec, replicas), spec.get("replicas", 0)
        if wanted < present and self._wishes[name] < math.ceil(spec["scaleDownDelaySeconds"] / self._interval_seconds):
            self._wishes[name] += 1
            return
        self._wishes[name] = 0
        if wanted != present:
            self._store.patch(ref_of(MODELS, model), {"spec": {"replicas": wanted}})

    def _averages_of_the_last_life(self) -> dict[str, float]:
        state = self._store.find(_STATE) or {}
        try:
            models = json.loads(state["data"]["models"])["models"]
            return {name: float(entry["averageActiveRequests"]) for name, entry in models.items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            return {}  # The first life, or somebody has edited it; KubeAI begins anew too.

    def _write(self, averages: Mapping[str, float]) -> None:
        models = {name: {"averageActiveRequests": average} for name, average in averages.items()}
        state = {"models": models, "lastCalculationTime": timestamp(self._store.now())}
        data = {"data": {"models": json.dumps(state)}}
        if self._store.find(_STATE) is None:
            self._store.create(CONFIG_MAPS, {"metadata": {"name": _STATE.name, "namespace": NAMESPACE}, **data})
        else:
            self._store.patch(_STATE, data)
