"""KubeAI's autoscaling: replicas from a moving average of the requests in flight."""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from .rollout import bounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubeai_notebook.core.kubeai.operator_config import OperatorConfig

MIN_INTERVAL_SECONDS = 0.05


class Autoscaling:
    """What follows from tick to tick; ``before`` are the averages of the operator's last life.

    Source: KubeAI 0.22.1, the modelautoscaler.
    """

    def __init__(self, config: OperatorConfig, before: Mapping[str, float]) -> None:
        self.interval_seconds = max(MIN_INTERVAL_SECONDS, config.autoscaling_interval_seconds)
        self.averages: dict[str, float] = {}
        self._length = max(1, _intervals(config.autoscaling_window_seconds, self.interval_seconds))
        self._before = before
        self._samples: dict[str, deque[float]] = {}
        self._wishes = Counter[str]()
        """How many ticks in a row wanted fewer replicas. A Model made anew under an old name goes on from the old's."""

    def tick(self, models: Iterable[Mapping[str, Any]], active: Mapping[str, int]) -> dict[str, int]:
        """Take a sample of every Model; the replicas of those that are to be scaled.

        ``active`` counts requests by the name they asked for, so an adapter's do not count.
        """
        self.averages, scaled = {}, {}
        for model in models:
            name, spec = model["metadata"]["name"], model.get("spec") or {}
            if not _is_scaled(spec) or spec.get("autoscalingDisabled"):
                continue
            first = [self._before.get(name, 0.0)] * self._length
            samples = self._samples.setdefault(name, deque(first, maxlen=self._length))
            samples.append(active.get(name, 0))
            self.averages[name] = sum(samples) / self._length
            wanted = bounded(spec, math.ceil(self.averages[name] / spec["targetRequests"]))
            if self._now(name, spec, wanted):
                scaled[name] = wanted
        return scaled

    def _now(self, name: str, spec: Mapping[str, Any], wanted: int) -> bool:
        """Up at once; down when it was wanted for the Model's delay, and from then on at every tick that wants it."""
        present, delay = spec.get("replicas", 0), _intervals(spec["scaleDownDelaySeconds"], self.interval_seconds)
        if wanted >= present:
            self._wishes[name] = 0
        elif self._wishes[name] < delay:
            self._wishes[name] += 1
            return False
        return bool(wanted != present)


def _intervals(seconds: float, interval: float) -> int:
    """How many intervals a time takes, a part of one being one; Go counts in whole nanoseconds."""
    return math.ceil(round(seconds * 1e9) / round(interval * 1e9))


def _is_scaled(spec: Mapping[str, Any]) -> bool:
    """Whether a spec holds what scaling needs; one that does not must not stop the others."""
    target, delay = spec.get("targetRequests"), spec.get("scaleDownDelaySeconds")
    return isinstance(target, int | float) and target > 0 and isinstance(delay, int | float)
