"""What is kept of each kind of object: the fields that `core` and the faces read, and no more.

Here objects come in from the API server, so here their outer shape is made sure: metadata with a name
and a uid, a spec that is a mapping. What cannot be sorted is not kept. The types of all inner fields
are open; `core.objects` reads them.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.kubeai.labels import ADAPTER_WEIGHTS, IGNORED_ANNOTATION, WEIGHTS_ANNOTATION
from kubeai_notebook.core.masking import secret_values
from kubeai_notebook.core.objects import map_at, maps_at, name_of, text_at, texts_at, texts_in, uid_of
from kubeai_notebook.core.observation import HOOKS
from kubeai_notebook.core.served import LAST_SERVED

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]

JOBS_OF_CACHES = ("load-cache-", "evict-cache-")
_MODEL_PODS = "model-"
_EVENT_KINDS = frozenset({"Pod", "Job", "PersistentVolumeClaim", "Model"})
_NOTES = frozenset({"kubectl.kubernetes.io/last-applied-configuration", LAST_SERVED})
_ANNOTATIONS = (
    *("kubeai-notebook/stand-in-for", IGNORED_ANNOTATION, "model-pod-port", "model-pod-ip"),
    *(WEIGHTS_ANNOTATION, ADAPTER_WEIGHTS),
)
"""What they begin with."""

_METADATA = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "resourceVersion")
_CONDITION = ("type", "status", "reason", "message", "lastTransitionTime")
_CONTAINER = ("name", "image", "command", "args", "env", "resources")
_CONTAINER_STATUS = ("name", "imageID", "state", "lastState", "restartCount", "ready", "started")
_EVENT = (
    "reason", "message", "note", "type", "count", "series", "firstTimestamp", "lastTimestamp", "eventTime",
    "reportingComponent",
)  # fmt: skip


def kept_model(model: Object) -> Object | None:
    """A Model without what the API server and kubectl write for themselves; one without a spec has an empty one."""
    if not _is_stored(model):
        return None
    metadata = {key: value for key, value in model["metadata"].items() if key != "managedFields"}
    annotations = map_at(metadata, "annotations")
    if _NOTES & annotations.keys():
        metadata["annotations"] = {key: value for key, value in annotations.items() if key not in _NOTES}
    return {**model, "metadata": metadata, "spec": dict(map_at(model, "spec"))}


def kept_pod(pod: Object) -> Object | None:
    """A Pod of a Model, or of the Job that fills its cache."""
    if not _is_stored(pod) or not model_of_pod(pod):
        return None
    metadata = map_at(pod, "metadata")
    kept = _only(metadata, _METADATA)
    kept["labels"] = {intern(key): intern(value) for key, value in texts_in(metadata, "labels").items()}
    annotations = texts_in(metadata, "annotations")
    # One that holds a secret is kept too: whoever shows what the Pod says has to hide it.
    kept["annotations"] = {
        key: value
        for key, value in annotations.items()
        if key.startswith(_ANNOTATIONS) or secret_values({"annotations": {key: value}})
    }
    kept["ownerReferences"] = [_only(owner, ("kind", "name")) for owner in maps_at(metadata, "ownerReferences")]
    claims = [volume for volume in maps_at(pod, "spec", "volumes") if "persistentVolumeClaim" in volume]
    containers = {
        key: [_kept_container(container) for container in maps_at(pod, "spec", key)]
        for key in ("containers", "initContainers")
        if maps_at(pod, "spec", key) or key == "containers"
    }
    return {
        "metadata": kept,
        "spec": {
            "nodeName": text_at(pod, "spec", "nodeName"),
            **containers,
            "volumes": claims,
            **_only(map_at(pod, "spec"), ("schedulingGates",)),
        },
        "status": {
            **_only(map_at(pod, "status"), ("phase", "reason", "message")),
            "conditions": [_only(item, _CONDITION) for item in maps_at(pod, "status", "conditions")],
            **{key: [_only(item, _CONTAINER_STATUS) for item in maps_at(pod, "status", key)] for key in _STATUSES},
        },
    }


def _kept_container(container: Mapping[str, Any]) -> Object:
    """A container, with what its probes and hooks run and send: KubeAI names there the model that Ollama pulls."""
    kept = _only(container, _CONTAINER)
    for path in HOOKS:
        hook = map_at(container, *path)
        command, headers = texts_at(hook, "exec", "command"), maps_at(hook, "httpGet", "httpHeaders")
        run = {"exec": {"command": list(command)}} if command else {}
        sent = {"httpGet": {"httpHeaders": [_only(header, ("name", "value")) for header in headers]}} if headers else {}
        if run or sent:
            *within, last = path
            place = kept
            for key in within:
                place = place.setdefault(key, {})
            place[last] = {**run, **sent}
    return kept


_STATUSES = ("containerStatuses", "initContainerStatuses")


def model_of_pod(pod: Mapping[str, Any]) -> str:
    """The name of the Model that this Pod is of; ``""`` for any other Pod."""
    labels = map_at(pod, "metadata", "labels")
    return text_at(labels, "model") or model_of_job(text_at(labels, "job-name"))


def model_of_job(name: str) -> str:
    """The name of the Model whose cache a Job fills or clears; ``""`` for any other Job."""
    for prefix in JOBS_OF_CACHES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return ""


def kept_event(event: Object) -> Object | None:
    """An Event that may be about a Model's things."""
    kind, name = text_at(event, "involvedObject", "kind"), text_at(event, "involvedObject", "name")
    if kind not in _EVENT_KINDS or (kind in ("Pod", "Job") and not name.startswith((_MODEL_PODS, *JOBS_OF_CACHES))):
        return None
    if not uid_of(event):
        return None
    kept = _only(event, _EVENT)
    kept["metadata"] = _only(map_at(event, "metadata"), ("name", "uid", "creationTimestamp", "resourceVersion"))
    kept["involvedObject"] = _only(map_at(event, "involvedObject"), ("kind", "name", "uid"))
    kept["source"] = _only(map_at(event, "source"), ("component",))
    return kept


def kept_job(job: Object) -> Object | None:
    """A Job of a Model's cache."""
    if not _is_stored(job) or not model_of_job(name_of(job)):
        return None
    return {"metadata": _only(map_at(job, "metadata"), _METADATA), "status": map_at(job, "status")}


def kept_claim(claim: Object) -> Object | None:
    """A PersistentVolumeClaim."""
    if not _is_stored(claim):
        return None
    return {
        "metadata": _only(map_at(claim, "metadata"), _METADATA),
        "spec": _only(map_at(claim, "spec"), ("accessModes", "resources", "storageClassName", "volumeName")),
        "status": map_at(claim, "status"),
    }


def _is_stored(item: Any) -> bool:
    """Whether an API server can have sent it: it has a name and a uid, which all that is kept is sorted by."""
    return bool(name_of(item) and uid_of(item))


def _only(fields: Mapping[str, Any], names: tuple[str, ...]) -> Object:
    """The fields of these names that say something."""
    return {name: _interned(fields[name]) for name in names if fields.get(name) is not None}


def _interned(value: Any) -> Any:
    """Short words come again in thousands of Pods."""
    return intern(value) if type(value) is str and len(value) <= 40 else value
