"""Patches that change how many replicas a Model has; pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import ConflictError, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

ANNOTATION = "kubeai-notebook/paused"
"""What a paused Model's scaling was."""
_FIELDS = ("minReplicas", "replicas", "autoscalingDisabled")


def scaled(model: Mapping[str, Any], replicas: int) -> dict[str, Any]:
    """The patch for a number of replicas that stays.

    With autoscaling on KubeAI keeps the number between two bounds, so these are moved as well: fewer than
    asked for are never left. 0 lets the Model sleep until a request comes.

    Raises:
        SpecError: a number below 0.
    """
    if replicas < 0:
        raise SpecError([Problem("replicas", "InvalidValue", f"{replicas} replicas cannot be: 0 lets a Model sleep.")])
    spec = model["spec"]
    if spec.get("autoscalingDisabled"):
        return {"spec": {"replicas": replicas}}
    bounds = {"minReplicas": replicas, "replicas": replicas}
    most = spec.get("maxReplicas")
    return {"spec": {**bounds, **({"maxReplicas": replicas} if most is not None and most < replicas else {})}}


def paused(model: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that takes all Pods away until `resumed`: no request wakes the Model meanwhile.

    Raises:
        ConflictError: it is paused already.
    """
    name, spec = model["metadata"]["name"], model["spec"]
    if is_paused(model):
        raise ConflictError(f"{name} is paused already.", "resume() brings it back.")
    before = {field: spec[field] for field in _FIELDS if spec.get(field) is not None}
    annotations = {ANNOTATION: json.dumps(before)}
    return {"metadata": {"annotations": annotations}, "spec": {"autoscalingDisabled": True, "replicas": 0}}


def resumed(model: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that takes `paused` back.

    Raises:
        ConflictError: the Model is not paused.
    """
    if not is_paused(model):
        raise ConflictError(f"{model['metadata']['name']} is not paused.", "scale(n) changes its replicas.")
    before = json.loads(model["metadata"]["annotations"][ANNOTATION])
    # Without autoscaling the number is the user's own; with it, the operator's, from the lower bound up.
    replicas = before.get("replicas") or before.get("minReplicas") or 0
    fields = {"autoscalingDisabled": before.get("autoscalingDisabled"), "replicas": replicas}
    return {"metadata": {"annotations": {ANNOTATION: None}}, "spec": fields}


def is_paused(model: Mapping[str, Any]) -> bool:
    """Whether `paused` was sent and not taken back."""
    return ANNOTATION in (model["metadata"].get("annotations") or {})
