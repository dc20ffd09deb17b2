"""KubeAI's autoscaler: a tick now and then, and the averages written down."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

from kubeai_notebook.local.api.store import Store, timestamp
from kubeai_notebook.local.emulation.autoscaling import Autoscaling
from kubeai_notebook.local.emulation.kinds import CONFIG_MAPS, MODELS, Ref

from .system import NAMESPACE, system_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger("kubeai-local")

_STATE = Ref(CONFIG_MAPS, NAMESPACE, "kubeai-autoscaler-state")


class Autoscaler:
    """Scales at every tick; ``active`` counts requests by the name they asked for."""

    def __init__(self, store: Store, active: Callable[[], Mapping[str, int]]) -> None:
        self._store = store
        self._active = active
        self._scaling = Autoscaling(system_of(store).config, self._averages_of_the_last_life())

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await asyncio.sleep(self._scaling.interval_seconds)
            try:
                scaled = self._scaling.tick(self._store.items(MODELS, NAMESPACE), self._active())
                for name, replicas in scaled.items():
                    self._scale(name, replicas)
                self._write(self._scaling.averages)
            except Exception:  # (outermost frame of a tick: a full disk must not end the daemon)
                log.exception("the autoscaler could not work")

    def _scale(self, name: str, replicas: int) -> None:
        try:
            self._store.patch(Ref(MODELS, NAMESPACE, name), {"spec": {"replicas": replicas}})
        except Exception:  # (one Model must not stop the others)
            log.exception("the autoscaler could not scale %s", name)

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
