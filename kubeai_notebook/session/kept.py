"""What is kept of each kind of object: the fields that `core` and the faces read, and no more."""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]

JOBS_OF_CACHES = ("load-cache-", "evict-cache-")
_MODEL_PODS = "model-"
_EVENT_KINDS = frozenset({"Pod", "Job", "PersistentVolumeClaim", "Model"})
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ANNOTATIONS = frozenset({"kubeai-notebook/stand-in-for", "model-pod-port", "model-pod-ip"})

_METADATA = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "resourceVersion")
_CONDITION = ("type", "status", "reason", "message", "lastTransitionTime")
_CONTAINER = ("name", "image", "env", "resources")
_CONTAINER_STATUS = ("name", "state", "lastState", "restartCount", "ready", "started")
_EVENT = (
    "reason", "message", "note", "type", "count", "series", "firstTimestamp", "lastTimestamp", "eventTime",
    "reportingComponent",
)  # fmt: skip


def kept_model(model: Object) -> Object:
    """A Model without what the API server and kubectl write for themselves."""
    metadata = {key: value for key, value in model["metadata"].items() if key != "managedFields"}
    annotations = metadata.get("annotations")
    if annotations and _APPLIED in annotations:
        metadata["annotations"] = {key: value for key, value in annotations.items() if key != _APPLIED}
    return {**model, "metadata": metadata}


def kept_pod(pod: Object) -> Object | None:
    """A Pod of a Model, or of the Job that fills its cache."""
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    labels = metadata.get("labels") or {}
    if not model_of_pod(pod):
        return None
    annotations = metadata.get("annotations") or {}
    kept = _only(metadata, _METADATA)
    kept["labels"] = {intern(key): intern(value) for key, value in labels.items()}
    kept["annotations"] = {key: value for key, value in annotations.items() if key in _ANNOTATIONS}
    kept["ownerReferences"] = [_only(owner, ("kind", "name")) for owner in metadata.get("ownerReferences") or []]
    claims = [volume for volume in spec.get("volumes") or [] if "persistentVolumeClaim" in volume]
    containers = [_only(container, _CONTAINER) for container in spec.get("containers") or []]
    return {
        "metadata": kept,
        "spec": {"nodeName": spec.get("nodeName", ""), "containers": containers, "volumes": claims},
        "status": {
            **_only(status, ("phase", "reason", "message")),
            "conditions": [_only(one, _CONDITION) for one in status.get("conditions") or []],
            **{key: [_only(one, _CONTAINER_STATUS) for one in status.get(key) or []] for key in _STATUSES},
        },
    }


_STATUSES = ("containerStatuses", "initContainerStatuses")


def model_of_pod(pod: Mapping[str, Any]) -> str:
    """The name of the Model that this Pod is of; ``""`` for any other Pod."""
    labels = pod["metadata"].get("labels") or {}
    return str(labels.get("model") or model_of_job(str(labels.get("job-name", ""))))


def model_of_job(name: str) -> str:
    """The name of the Model whose cache a Job fills or clears; ``""`` for any other Job."""
    for prefix in JOBS_OF_CACHES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return ""


def kept_event(event: Object) -> Object | None:
    """An Event that may be about a Model's things."""
    about = event.get("involvedObject") or {}
    kind, name = str(about.get("kind")), str(about.get("name", ""))
    if kind not in _EVENT_KINDS or (kind in ("Pod", "Job") and not name.startswith((_MODEL_PODS, *JOBS_OF_CACHES))):
        return None
    kept = _only(event, _EVENT)
    kept["metadata"] = _only(event["metadata"], ("name", "uid", "creationTimestamp", "resourceVersion"))
    kept["involvedObject"] = _only(about, ("kind", "name", "uid"))
    kept["source"] = _only(event.get("source") or {}, ("component",))
    return kept


def kept_job(job: Object) -> Object | None:
    """A Job of a Model's cache."""
    if not model_of_job(job["metadata"]["name"]):
        return None
    return {"metadata": _only(job["metadata"], _METADATA), "status": job.get("status") or {}}


def kept_claim(claim: Object) -> Object:
    """A PersistentVolumeClaim."""
    return {
        "metadata": _only(claim["metadata"], _METADATA),
        "spec": _only(claim.get("spec") or {}, ("accessModes", "resources", "storageClassName", "volumeName")),
        "status": claim.get("status") or {},
    }


def _only(fields: Mapping[str, Any], names: tuple[str, ...]) -> Object:
    """The fields of these names that say something."""
    return {name: _interned(fields[name]) for name in names if fields.get(name) is not None}


def _interned(value: Any) -> Any:
    """Short words come again in thousands of Pods."""
    return intern(value) if type(value) is str and len(value) <= 40 else value
