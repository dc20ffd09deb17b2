"""A Model's Pod, as KubeAI makes it: names, labels, hash, resources, environment and files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.profile import ResourceProfile
from kubeai_notebook.core.rules.quantity import quantity_of, to_quantity
from kubeai_notebook.core.source import Source

from .credentials import CREDENTIALS, Credentials

if TYPE_CHECKING:
    from kubeai_notebook.core.kubeai.operator_config import OperatorConfig

HASH_LABEL = "pod-hash"
PORT_ANNOTATION = "model-pod-port"
ADDRESS_ANNOTATION = "model-pod-ip"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_FROM_PROFILE = ("nodeSelector", "affinity", "tolerations", "schedulerName", "runtimeClassName")

Object = Mapping[str, Any]


class UnusableSpecError(Exception):
    """The operator cannot act on a Model; in KubeAI only its log says so."""


def pod_of(model: Object, config: OperatorConfig, *, profiles: Object, container: Object) -> dict[str, Any]:
    """Build the Pod that a Model's spec asks for.

    ``profiles`` are those of ``system.yaml`` as they stand there; ``container`` is what starts the engine
    (``image``, ``command``, ``args``).

    Raises:
        UnusableSpecError: its profile, cache profile or priority class is not there.

    Source: KubeAI 0.22.1, the model controller's Pod plan and engine files.
    """
    metadata, kind = model["metadata"], model["spec"]["engine"].lower()
    name = metadata["name"]
    spec = _pod_spec(model, config, profiles=profiles, container=container)
    pod_hash = safe_hash(json.dumps([spec, model["spec"]["engine"], model["spec"].get("image")], sort_keys=True))
    common = {"name": kind, "instance": f"{kind}-{name}", "managed-by": "kubeai"}
    labels = {"app": "model", "model": name, HASH_LABEL: pod_hash}
    made = {
        "generateName": f"model-{name}-{pod_hash}-",
        "namespace": metadata["namespace"],
        "labels": labels | {f"app.kubernetes.io/{key}": value for key, value in common.items()},
        "annotations": {PORT_ANNOTATION: "8000"},
        "ownerReferences": [owner_of(model)],
    }
    return {"metadata": made, "spec": spec, "status": {"phase": "Pending"}}


def files_of(model: Object) -> dict[str, Any] | None:
    """Build the ConfigMap with a Model's files, if it has some; of two paths with one key the last wins."""
    name, files = model["metadata"]["name"], model["spec"].get("files")
    metadata = {"name": f"model-{name}-files", "namespace": model["metadata"]["namespace"]}
    data = {_key(file["path"]): file["content"] for file in files or ()}
    return {"metadata": metadata | {"ownerReferences": [owner_of(model)]}, "data": data} if files else None


def owner_of(model: Object) -> dict[str, Any]:
    """The reference by which what is made for a Model goes with it."""
    who = {"apiVersion": "kubeai.org/v1", "kind": "Model", "name": model["metadata"]["name"]}
    return who | {"uid": model["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}


def safe_hash(text: str) -> str:
    """FNV-1a of 32 bits, its decimal digits in Kubernetes' alphabet without vowels.

    >>> safe_hash("hf://jashing/tinyllama-colorist-lora")
    '985b56ffb'
    """
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(value))


def _pod_spec(model: Object, config: OperatorConfig, *, profiles: Object, container: Object) -> dict[str, Any]:
    spec, name = model["spec"], model["metadata"]["name"]
    profile, multiple = _profile(spec, config)
    files = spec.get("files", ())
    mounts = [
        {"name": "model-files", "mountPath": file["path"], "subPath": _key(file["path"]), "readOnly": True}
        for file in files
    ]
    environment = [{"name": key, "value": value} for key, value in sorted(spec.get("env", {}).items())]
    server = {
        "name": "server",
        **container,
        "env": environment + list(_credentials(spec["url"], config)),
        "ports": [{"containerPort": 8000, "name": "http", "protocol": "TCP"}],
        "resources": _resources(config, profile, multiple),
        "volumeMounts": [{"name": "dshm", "mountPath": "/dev/shm"}, *mounts],  # noqa: S108  (a Pod's, not ours)
    }
    server |= {"envFrom": spec["envFrom"]} if spec.get("envFrom") else {}
    volumes: list[Object] = [{"name": "dshm", "emptyDir": {"medium": "Memory"}}]
    if files:
        volumes.append({"name": "model-files", "configMap": {"name": f"model-{name}-files"}})
    chosen = {key: value for key, value in (profiles.get(profile) or {}).items() if key in _FROM_PROFILE and value}
    chosen |= {"priorityClassName": spec["priorityClassName"]} if spec.get("priorityClassName") else {}
    common = {"restartPolicy": "Always", "serviceAccountName": "kubeai-models", "volumes": volumes}
    return {"containers": [server], **common, **chosen}


def _profile(spec: Object, config: OperatorConfig) -> tuple[str, int]:
    """The profile's name and its multiple."""
    profile = ResourceProfile(spec.get("resourceProfile", ""))
    name, multiple = profile.name, profile.multiple
    if multiple is None:
        raise UnusableSpecError(
            f'invalid resource profile: "{profile}", should match <name>:<multiple>, example: nvidia-gpu-l4:2'
        )
    if name not in config.profiles:
        raise UnusableSpecError(f'resource profile not found: "{name}"')
    if spec.get("cacheProfile") and spec["cacheProfile"] not in config.cache_profiles:
        raise UnusableSpecError(f'cache profile not found: "{spec["cacheProfile"]}"')
    if not spec.get("image") and config.image_of(spec["engine"], name) is None:
        raise UnusableSpecError("looking up server image: missing default server image")
    return name, multiple


def _resources(config: OperatorConfig, profile: str, multiple: int) -> dict[str, dict[str, str]]:
    unit = config.profiles[profile]
    return {
        kind: {name: to_quantity(quantity_of(text) * multiple) for name, text in quantities.items()}
        for kind, quantities in (("requests", unit.requests), ("limits", unit.limits))
        if quantities
    }


def _credentials(url: str, config: OperatorConfig) -> Iterator[Object]:
    # The file of gs:// is left out: engines load such a url from the cache only, and the cache's Job gets the file.
    credentials = CREDENTIALS.get(Source(url).scheme, Credentials(store=""))
    for variable, key in credentials.keys.items():
        reference = {"name": config.secret_names.get(credentials.store, ""), "key": key, "optional": True}
        yield {"name": variable, "valueFrom": {"secretKeyRef": reference}}


def _key(path: str) -> str:
    return path.replace("/", "_")
