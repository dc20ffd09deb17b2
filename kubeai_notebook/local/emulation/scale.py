"""The scale subresource: a Model seen as no more than a number of replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .refusals import StatusError

if TYPE_CHECKING:
    from kubeai_notebook.local.emulation.kinds import Object

_SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(model: Object, *, absent: int | None = None) -> Object:
    """The Model as a Scale; ``absent`` stands for replicas that nobody has set, else StatusError 500."""
    replicas = model.get("spec", {}).get("replicas", absent)
    if replicas is None:
        why = 'the spec replicas field ".spec.replicas" does not exist'
        message, details = f"Internal error occurred: {why}", {"causes": [{"message": why}]}
        raise StatusError(500, "InternalError", message, details=details)
    metadata = {key: model["metadata"][key] for key in _SHOWN if key in model["metadata"]}
    present = model.get("status", {}).get("replicas", {}).get("all", 0)
    body = {"metadata": metadata, "spec": {"replicas": replicas}, "status": {"replicas": present}}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", **body}


def rescaled(model: Object, scale: Object, *, status: int) -> Object:
    """Return the Model with a Scale's replicas. StatusError of ``status`` when that is no Scale."""
    spec = scale.get("spec") or {}
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else spec
    if type(replicas) is not int:
        why = "json: cannot unmarshal it into Go struct field ScaleSpec.spec.replicas of type int32"
        reason = "BadRequest" if status == 400 else "Invalid"
        raise StatusError(status, reason, f'Scale in version "v1" cannot be handled as a Scale: {why}')
    return {**model, "spec": {**model.get("spec", {}), "replicas": replicas}}
