"""Events, as the scheduler and the kubelet write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from kubeai_notebook.local.api.resources import EVENTS, Object, Ref, ref_of
from kubeai_notebook.local.api.store import Store, timestamp

_SCHEDULERS = ("Scheduled", "FailedScheduling")
KEPT = timedelta(hours=1)
"""How long an API server keeps Events."""


class Recorder:
    """Writes Events on Pods; what repeats is counted on one Event instead of written again."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, pod: Object, reason: str, message: str, *, warning: bool = False, update: bool = False) -> None:
        """Record; with ``update`` an Event of this reason gets the new message in place."""
        self._forget_old()
        uid, moment = pod["metadata"]["uid"], timestamp(self._store.now())
        for event in self._store.items(EVENTS, pod["metadata"]["namespace"]):
            same = event.get("involvedObject", {}).get("uid") == uid and event.get("reason") == reason
            if same and (update or event["message"] == message):
                counted = {"message": message, "count": event.get("count", 1) + 1, "lastTimestamp": moment}
                self._store.patch(ref_of(EVENTS, event), counted)
                return
        event = _event(pod, reason, message, warning=warning)
        self._store.create(EVENTS, event | {"count": 1, "firstTimestamp": moment, "lastTimestamp": moment})

    def _forget_old(self) -> None:
        oldest = self._store.now() - KEPT
        for event in self._store.items(EVENTS):
            last = event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
            if datetime.strptime(last, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) < oldest:
                self._store.remove(Ref(EVENTS, event["metadata"]["namespace"], event["metadata"]["name"]))


def _event(pod: Object, reason: str, message: str, *, warning: bool) -> Object:
    metadata, scheduling = pod["metadata"], reason in _SCHEDULERS
    component = "default-scheduler" if scheduling else "kubelet"
    involved = {key: metadata[key] for key in ("namespace", "name", "uid", "resourceVersion")}
    part = {} if scheduling else {"fieldPath": "spec.containers{server}"}
    return {
        "metadata": {"name": f"{metadata['name']}.{uuid4().hex[:16]}", "namespace": metadata["namespace"]},
        "involvedObject": {"kind": "Pod", "apiVersion": "v1", **involved, **part},
        "reason": reason,
        "message": message,
        "type": "Warning" if warning else "Normal",
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "this-machine",
    }
