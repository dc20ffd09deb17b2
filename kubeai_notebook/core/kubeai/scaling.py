"""Why KubeAI scales a Model, or does not: the average of its requests, the target, and when it goes down.

KubeAI tells nobody: no Event, no condition. What it averages stands in a ConfigMap that it writes for its own next
life, and what follows from an average is its rule: ``ceil(average / targetRequests)`` within the bounds, up at once,
down after a delay. An average falls to 0 only when the last request has left the window, so a Model goes to sleep
minutes after it and not, as ``scaleDownDelaySeconds`` lets one think, after seconds.

Source: KubeAI 0.22.1, the modelautoscaler.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kubeai_notebook.core.messages import duration
from kubeai_notebook.core.objects import at, count_at, map_at, number_at

if TYPE_CHECKING:
    from kubeai_notebook.core.kubeai.operator_config import OperatorConfig
    from kubeai_notebook.core.objects import KubernetesObject


def scaling_of(
    model: KubernetesObject, average: float | None, config: OperatorConfig, *, idle_seconds: float | None = None
) -> str:
    """Why the Model has the replicas that it has, and when that changes; ``""`` where it is not known.

    ``average``: of its requests at work, as KubeAI last wrote it. ``idle_seconds``: since its last request, where
    that is known.
    """
    spec = map_at(model, "spec")
    replicas, least, most = count_at(spec, "replicas"), count_at(spec, "minReplicas"), at(spec, "maxReplicas")
    if at(spec, "autoscalingDisabled") is True:
        return f"Autoscaling is off: it keeps {_replicas(replicas)}, whatever is asked of it."
    if not config.has_gateway:
        return "KubeAI takes no requests here (proxy.mode: external), so it neither wakes nor scales Models."
    target, delay = number_at(spec, "targetRequests"), number_at(spec, "scaleDownDelaySeconds") or 0.0
    if average is None or not target or target < 0:
        return ""
    needed = math.ceil(average / target)
    wanted = max(min(needed, most) if isinstance(most, int) else needed, least)
    window = config.autoscaling_window_seconds
    if average > 0:
        # Three digits of an average that is next to none say no more than that.
        about = f"{average:.3g}" if average >= 0.05 else "hardly any"
        begin = f"it had {about} requests at work on average, and one replica is for {target:g}"
    else:
        begin = "KubeAI counted no requests at work"  # it looks now and then
    parts = [f"Over {duration(window)} {begin}: {_verdict(replicas, needed=needed, wanted=wanted)}"]
    pause = delay + config.autoscaling_interval_seconds
    if average > 0 and replicas > least:
        left = window + pause - min(idle_seconds or 0.0, window)
        when = "in about" if idle_seconds is not None else "at the latest in"
        parts.append(f"Without another request it goes down to {_replicas(least)} {when} {duration(left, exact=True)}.")
    elif wanted < replicas:
        parts.append(f"It goes down to {_replicas(wanted)} within {duration(pause, exact=True)}.")
    if at(spec, "adapters"):
        parts.append("Requests to its adapters do not count.")
    return " ".join(parts)


def _verdict(replicas: int, *, needed: int, wanted: int) -> str:
    if needed > wanted:
        return f"that would be {_replicas(needed)}, and scaling.max_replicas allows {wanted}."
    if wanted > needed:
        if not needed:
            return f"scaling.min_replicas keeps {_replicas(wanted)}."
        return f"that would be {_replicas(needed)}, and scaling.min_replicas keeps {wanted}."
    if wanted > replicas:
        return f"KubeAI goes from {replicas} to {_replicas(wanted)} at its next look."
    return f"{_replicas(wanted)} are enough." if wanted != 1 else "1 replica is enough."


def _replicas(number: int) -> str:
    return f"{number} replica{'' if number == 1 else 's'}"
