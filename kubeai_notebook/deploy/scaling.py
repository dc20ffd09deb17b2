"""Patches that change how many replicas a Model has, empty where it is so already; pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.merge_patch import merged
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.objects import count_at, map_at, number_at, text_at
from kubeai_notebook.errors import SpecError
from kubeai_notebook.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

ANNOTATION = "kubeai-notebook/paused"
"""What a paused Model's scaling was."""
_FIELDS = ("minReplicas", "replicas", "autoscalingDisabled")


def scaled(model: Mapping[str, Any], replicas: int) -> dict[str, Any]:
    """The patch for a number of replicas that stays.

    With autoscaling on KubeAI keeps the number between two bounds, so these are moved as well: fewer than
    asked for are never left. 0 lets the Model sleep until a request comes. Of a paused Model a number of replicas
    takes the pause back first; 0 is what it has.

    Raises:
        SpecError: no whole number from 0 up.
    """
    check_replicas(replicas)
    if replicas and is_paused(model):
        awake = resumed(model)
        number = scaled(without_pause(model), replicas)
        return {**awake, "spec": {**awake["spec"], **map_at(number, "spec")}}
    spec = map_at(model, "spec")
    wanted = {"replicas": replicas}
    if spec.get("autoscalingDisabled") is not True:
        wanted["minReplicas"] = replicas
        most = number_at(spec, "maxReplicas")
        wanted |= {"maxReplicas": replicas} if most is not None and most < replicas else {}
    return {} if all(spec.get(field) == number for field, number in wanted.items()) else {"spec": wanted}


def check_replicas(replicas: object) -> None:
    """Whether it is a number of replicas.

    Raises:
        SpecError: no whole number from 0 up.
    """
    if type(replicas) is not int or replicas < 0:
        shown = f'the text "{one_line(replicas, 20)}"' if isinstance(replicas, str) else one_line(str(replicas), 20)
        message = f"replicas must be a whole number from 0 up, not {shown}. 0 puts the Model to sleep."
        raise SpecError([wrong("replicas", "InvalidValue", message)])


def is_less(model: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether ``wanted`` has fewer replicas than the Model: fewer now, fewer at least, or at most fewer than now."""
    now, then = map_at(model, "spec"), map_at(wanted, "spec")
    most = number_at(then, "maxReplicas")
    too_many = most is not None and most < count_at(now, "replicas")
    return too_many or any(count_at(then, field) < count_at(now, field) for field in ("replicas", "minReplicas"))


def paused(model: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that takes all Pods away until `resumed`: no request wakes the Model meanwhile."""
    spec, wanted = map_at(model, "spec"), {"autoscalingDisabled": True, "replicas": 0}
    if is_paused(model):
        # Somebody may have scaled it by hand since; what its scaling was before the first pause stays.
        return {} if all(spec.get(field) == value for field, value in wanted.items()) else {"spec": wanted}
    before = {field: spec[field] for field in _FIELDS if spec.get(field) is not None}
    return {"metadata": {"annotations": {ANNOTATION: json.dumps(before)}}, "spec": wanted}


def resumed(model: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that takes `paused` back."""
    if not is_paused(model):
        return {}
    before = _before(model)
    # Without autoscaling the number is the user's own; with it, the operator's, from the lower bound up.
    replicas = count_at(before, "replicas") or count_at(before, "minReplicas")
    stated = before.get("autoscalingDisabled")
    fields = {"autoscalingDisabled": stated if isinstance(stated, bool) else None, "replicas": replicas}
    return {"metadata": {"annotations": {ANNOTATION: None}}, "spec": fields}


def without_pause(model: Mapping[str, Any]) -> dict[str, Any]:
    """The Model as it is without its pause."""
    awake: dict[str, Any] = merged(model, resumed(model))
    return awake


def _before(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """The scaling before the pause, as the annotation tells it; empty if it holds anything else."""
    try:
        return map_at(json.loads(text_at(model, "metadata", "annotations", ANNOTATION)))
    except (ValueError, RecursionError):
        return {}


def is_paused(model: Mapping[str, Any]) -> bool:
    """Whether `paused` was sent and not taken back."""
    return ANNOTATION in map_at(model, "metadata", "annotations")
