"""A Model's Pod, as KubeAI makes it, with the engine of this machine in it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.rules.quantity import quantity_of, to_quantity
from kubeai_notebook.local.engines.base import STAND_IN_ANNOTATION, image_of, stands_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.local.api.resources import Object

    from .system import System

HASH_LABEL = "pod-hash"
PORT_ANNOTATION = "model-pod-port"
ADDRESS_ANNOTATION = "model-pod-ip"
IMAGE_ANNOTATION = "kubeai-notebook/image-not-used"
ENGINES = ("OLlama", "VLLM", "FasterWhisper", "Infinity")
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_PROFILE = re.compile(r"([^:]*):\+?(\d{1,9})")
_PRIORITY_CLASSES = (None, "", "system-cluster-critical", "system-node-critical")
"""Those that every cluster has; this one has no others."""
_FROM_PROFILE = ("nodeSelector", "affinity", "tolerations", "schedulerName", "runtimeClassName")
# Environment variable and key of the Secret that the operator's configuration names for a url's scheme.
_CREDENTIALS = {
    "hf": ("huggingface", {"HF_TOKEN": "token"}),
    "s3": ("aws", {"AWS_ACCESS_KEY_ID": "accessKeyID", "AWS_SECRET_ACCESS_KEY": "secretAccessKey"}),
    "oss": ("alibaba", {"OSS_ACCESS_KEY_ID": "accessKeyID", "OSS_ACCESS_KEY_SECRET": "accessKeySecret"}),
}


class UnusableSpecError(Exception):
    """The operator cannot act on a Model; in KubeAI only its log says so."""


def pod_of(model: Object, system: System) -> Object:
    """Build the Pod that a Model's spec asks for.

    Raises:
        UnusableSpecError: its profile, cache profile or priority class is not there.

    Source: KubeAI 0.22.1, the model controller's Pod plan and engine files.
    """
    metadata, engine = model["metadata"], model["spec"]["engine"]
    name = metadata["name"]
    spec, image = _pod_spec(model, system), model["spec"].get("image")
    # The image that is asked for runs nowhere here, but a change of it makes a new Pod all the same.
    pod_hash = safe_hash(json.dumps([spec, image], sort_keys=True))
    annotations = {PORT_ANNOTATION: "8000"} | ({IMAGE_ANNOTATION: image} if image else {})
    kind = engine.lower()
    common = {"name": kind, "instance": f"{kind}-{name}", "managed-by": "kubeai"}
    labels = {"app": "model", "model": name, HASH_LABEL: pod_hash}
    made: Object = {
        "generateName": f"model-{name}-{pod_hash}-",
        "namespace": metadata["namespace"],
        "labels": labels | {f"app.kubernetes.io/{key}": value for key, value in common.items()},
        "annotations": annotations | ({STAND_IN_ANNOTATION: engine} if stands_in(engine) else {}),
        "ownerReferences": [owner_of(model)],
    }
    return {"metadata": made, "spec": spec, "status": {"phase": "Pending"}}


def files_of(model: Object) -> Object | None:
    """Build the ConfigMap with a Model's files, if it has some; of two paths with one key the last wins."""
    name, files = model["metadata"]["name"], model["spec"].get("files")
    metadata = {"name": f"model-{name}-files", "namespace": model["metadata"]["namespace"]}
    metadata["ownerReferences"] = [owner_of(model)]
    return {"metadata": metadata, "data": {_key(file["path"]): file["content"] for file in files}} if files else None


def owner_of(model: Object) -> Object:
    """The reference by which what is made for a Model goes with it."""
    who = {"apiVersion": "kubeai.org/v1", "kind": "Model", "name": model["metadata"]["name"]}
    return who | {"uid": model["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}


def engine_of(pod: Object) -> str:
    """The engine that the Model asks for, as the CRD spells it."""
    label = pod["metadata"]["labels"]["app.kubernetes.io/name"]
    return next(engine for engine in ENGINES if engine.lower() == label)


def url_of(pod: Object) -> str:
    """The model url in a Pod that ``pod_of`` made."""
    return str(pod["spec"]["containers"][0]["args"][0]).removeprefix("--model=")


def features_of(pod: Object) -> list[str]:
    """The features in a Pod that ``pod_of`` made."""
    text = str(pod["spec"]["containers"][0]["args"][1]).removeprefix("--features=")
    return text.split(",") if text else []


def adapters_of(pod: Object) -> dict[str, str]:
    """Url by name of the Model's adapters, from a Pod that ``pod_of`` made."""
    adapters = json.loads(pod["spec"]["containers"][0]["args"][2].removeprefix("--adapters="))
    return {adapter["name"]: adapter["url"] for adapter in adapters}


def user_arguments_of(pod: Object) -> list[str]:
    """``spec.args`` of the Model, from a Pod that ``pod_of`` made."""
    return list(pod["spec"]["containers"][0]["args"][3:])


def lacking(pod: Object) -> str | None:
    """The first thing the Pod asks for that this machine has none of: a GPU, by its resource name."""
    resources = pod["spec"]["containers"][0].get("resources", {})
    asked = {**resources.get("requests", {}), **resources.get("limits", {})}
    return next((name for name in asked if "/" in name), None)


def is_ready(pod: Object) -> bool:
    """Whether the Pod's condition Ready is true."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def safe_hash(text: str) -> str:
    """FNV-1a of 32 bits, its decimal digits in Kubernetes' alphabet without vowels.

    >>> safe_hash("hf://jashing/tinyllama-colorist-lora")
    '985b56ffb'
    """
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(value))


def _pod_spec(model: Object, system: System) -> Object:
    spec, name = model["spec"], model["metadata"]["name"]
    profile, resources = _profile(spec, system)
    files = spec.get("files", ())
    mounts = [
        {"name": "model-files", "mountPath": file["path"], "subPath": _key(file["path"]), "readOnly": True}
        for file in files
    ]
    own = [f"--model={spec['url']}", f"--features={','.join(spec['features'])}"]
    server: Object = {
        "name": "server",
        "image": image_of(spec["engine"]),
        "command": ["llama-server"],
        "args": [*own, f"--adapters={json.dumps(spec.get('adapters', []))}", *spec.get("args", ())],
        "env": [{"name": key, "value": value} for key, value in sorted(spec.get("env", {}).items())]
        + list(_credentials(spec["url"], system)),
        "ports": [{"containerPort": 8000, "name": "http", "protocol": "TCP"}],
        "resources": resources,
        "volumeMounts": [{"name": "dshm", "mountPath": "/dev/shm"}, *mounts],  # noqa: S108  (a Pod's, not ours)
    }
    if spec.get("envFrom"):
        server["envFrom"] = spec["envFrom"]
    volumes: list[Object] = [{"name": "dshm", "emptyDir": {"medium": "Memory"}}]
    if files:
        volumes.append({"name": "model-files", "configMap": {"name": f"model-{name}-files"}})
    if spec.get("priorityClassName") not in _PRIORITY_CLASSES:
        raise UnusableSpecError(f"no PriorityClass with name {spec['priorityClassName']} was found")
    chosen = {key: profile[key] for key in _FROM_PROFILE if profile.get(key)}
    common = {"restartPolicy": "Always", "serviceAccountName": "kubeai-models", "volumes": volumes}
    return {"containers": [server], **common, **chosen}


def _profile(spec: Object, system: System) -> tuple[Object, Object]:
    """The profile as it is configured, and its quantities times the multiple."""
    text = spec.get("resourceProfile", "")
    match, catalog = _PROFILE.fullmatch(text), system.catalog
    if match is None:
        raise UnusableSpecError(
            f'invalid resource profile: "{text}", should match <name>:<multiple>, example: nvidia-gpu-l4:2'
        )
    if (profile := catalog.profiles.get(match[1])) is None:
        raise UnusableSpecError(f'resource profile not found: "{match[1]}"')
    if spec.get("cacheProfile"):
        why = "is not supported on this machine" if spec["cacheProfile"] in catalog.cache_profiles else "not found"
        raise UnusableSpecError(f'cache profile {why}: "{spec["cacheProfile"]}"')
    if not spec.get("image") and catalog.image_of(spec["engine"], match[1]) is None:
        raise UnusableSpecError("looking up server image: missing default server image")
    given = {"requests": profile.requests, "limits": profile.limits}
    resources = {
        kind: {name: to_quantity(quantity_of(text) * int(match[2])) for name, text in quantities.items()}
        for kind, quantities in given.items()
        if quantities
    }
    raw: Any = system.raw["resourceProfiles"].get(match[1])
    return raw or {}, resources


def _credentials(url: str, system: System) -> Iterator[Object]:
    store, keys = _CREDENTIALS.get(url.partition("://")[0], ("", {}))
    for variable, key in keys.items():
        reference = {"name": system.catalog.secret_names.get(store, ""), "key": key, "optional": True}
        yield {"name": variable, "valueFrom": {"secretKeyRef": reference}}


def _key(path: str) -> str:
    return path.replace("/", "_")
