"""Builders of small Observations in the API's own shape."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

from kubeai_notebook.core.observation import HttpAnswer, LogTail, Observation, Operator

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
CONFIG = {
    "resourceProfiles": {
        "cpu": {"imageName": "cpu", "requests": {"cpu": "1", "memory": "2Gi"}},
        "nvidia-gpu-l4": {"imageName": "nvidia-gpu", "limits": {"nvidia.com/gpu": "1"}},
    },
    "cacheProfiles": {"standard": {"sharedFilesystem": {"storageClassName": "nfs"}}},
    "modelServers": {
        engine: {"images": {"default": f"{engine.lower()}:1"}}
        for engine in ("OLlama", "VLLM", "Infinity", "FasterWhisper")
    },
}


def ago(seconds):
    return (NOW - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def model(name="m", *, age=600, managed=True, ready=0, pods=1, status=None, metadata=None, **spec):
    spec = {
        "url": "hf://org/repo",
        "engine": "VLLM",
        "features": ["TextGeneration"],
        "resourceProfile": "cpu:1",
        "minReplicas": 1,
        "replicas": 1,
    } | spec
    made = {"name": name, "namespace": "ai", "uid": "u1", "creationTimestamp": ago(age)} | (metadata or {})
    if managed:
        made["labels"] = {"features.kubeai.org/TextGeneration": "true"}
    counted = {"replicas": {"all": pods, "ready": ready}} if managed else {}
    return {"metadata": made, "spec": spec, "status": counted | (status or {})}


def container(name="server", *, running=False, waiting=None, message="", exit_code=None, reason="Error", restarts=0):
    ended = {"terminated": {"exitCode": exit_code, "reason": reason}} if exit_code is not None else {}
    if waiting:
        state = {"waiting": {"reason": waiting, "message": message}}
    elif running:
        state = {"running": {"startedAt": ago(60)}}
    else:
        state = ended
    last = ended if state is not ended else {}
    return {"name": name, "state": state, "lastState": last, "restartCount": restarts, "ready": False}


def pod(name="model-m-abc-1", *containers, ready=False, phase="Running", age=300, hashed="abc", labels=None, **more):
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": ago(120)}, *more.pop("conditions", ())]
    status = {"phase": phase, "conditions": conditions, "containerStatuses": list(containers)} | more.pop("status", {})
    spec = {"nodeName": "node-1"} | more.pop("spec", {})
    metadata = {
        "name": name,
        "uid": f"uid-{name}",
        "creationTimestamp": ago(age),
        "labels": {"pod-hash": hashed, "model": "m"} | (labels or {}),
    } | more.pop("metadata", {})
    return {"metadata": metadata, "spec": spec, "status": status}


def crashed(name="model-m-abc-1", *, exit_code=1, reason="Error", **more):
    waiting = container(
        waiting="CrashLoopBackOff", message="back-off 5m0s restarting", exit_code=exit_code, reason=reason
    )
    return pod(name, waiting, **more)


def unscheduled(message, *, name="model-m-abc-1", reason="Unschedulable", **more):
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return pod(name, phase="Pending", conditions=[condition], spec={"nodeName": ""}, **more)


def waiting(reason, message="", **more):
    return pod("model-m-abc-1", container(waiting=reason, message=message), phase="Pending", **more)


def event(reason, message, *, name="model-m-abc-1", kind="Pod", age=30, count=1, source="", level="Warning"):
    return {
        "involvedObject": {"kind": kind, "name": name},
        "reason": reason,
        "message": message,
        "type": level,
        "count": count,
        "lastTimestamp": ago(age),
        "source": {"component": source},
    }


def log(text, *, pod="model-m-abc-1", container="server", previous=False):
    return LogTail(pod=pod, text=text, container=container, previous=previous)


def seen(model_=None, *pods, events=(), logs=(), config=CONFIG, version=None, operator_namespace="ai", **more):
    operator = Operator(namespace=operator_namespace, version=version, config=config)
    return Observation(
        model=model_ or model(), pods=tuple(pods), events=tuple(events), logs=tuple(logs), operator=operator, **more
    )


def crash(text, model_=None, *, exit_code=1, **more):
    """A crash-looping engine whose last run left this log."""
    return seen(model_, crashed(exit_code=exit_code), logs=[log(text, previous=True)], **more)


def answered(status, body="", model_=None, **more):
    ready = pod("model-m-abc-1", container(running=True), ready=True)
    return seen(model_ or model(ready=1), ready, answer=HttpAnswer(status=status, body=body), **more)


def merged(target, patch):
    """RFC 7386, as the API server applies it."""
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value) if isinstance(value, dict) else value
    return result
