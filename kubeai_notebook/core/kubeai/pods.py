"""A Model's Pod, as KubeAI makes it: names, labels, hash, resources, environment and files."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.objects import map_at, maps_at, text_at
from kubeai_notebook.core.profile import ResourceProfile
from kubeai_notebook.core.rules.quantity import quantity_of, to_quantity
from kubeai_notebook.core.source import Source

from .credentials import CREDENTIALS, Credentials
from .releases import LABELS_ON_PODS

if TYPE_CHECKING:
    from kubeai_notebook.core.kubeai.operator_config import OperatorConfig

HASH_LABEL = "pod-hash"
PORT_ANNOTATION = "model-pod-port"
ADDRESS_ANNOTATION = "model-pod-ip"
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' alphabet for generated names: no vowels, so no words."""
_FROM_PROFILE = ("nodeSelector", "affinity", "tolerations", "schedulerName", "runtimeClassName")

Object = Mapping[str, Any]


class UnusableSpecError(Exception):
    """The operator cannot act on a Model; in KubeAI only its log says so."""


def pod_of(
    model: Object,
    config: OperatorConfig,
    *,
    system: Object,
    container: Object,
    loads: bool = True,
    version: str | None = None,
) -> dict[str, Any]:
    """Build the Pod that a Model's spec asks for.

    ``system`` is ``system.yaml`` as it stands there; ``container`` is what starts the engine (``image``, ``command``,
    ``args``); ``loads``: weights are loaded by containers and claims, as in any cluster; ``version`` is KubeAI's.

    Raises:
        UnusableSpecError: its profile, cache profile or priority class is not there.

    Source: KubeAI 0.22.1, the model controller's Pod plan and engine files.
    """
    metadata, kind = model["metadata"], model["spec"]["engine"].lower()
    name = metadata["name"]
    spec = _pod_spec(model, config, system=system, container=container)
    if loads:
        _add_loading(spec, model, config, system=system)
    spec = patched(spec, maps_at(system, "modelServerPods", "jsonPatches"))
    pod_hash = safe_hash(json.dumps([spec, model["spec"]["engine"], model["spec"].get("image")], sort_keys=True))
    common = {"name": kind, "instance": f"{kind}-{name}", "managed-by": "kubeai"}
    labels = dict(map_at(metadata, "labels")) if LABELS_ON_PODS.holds(version) else {}
    labels |= {"app": "model", "model": name, HASH_LABEL: pod_hash}
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
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(value))


def _pod_spec(model: Object, config: OperatorConfig, *, system: Object, container: Object) -> dict[str, Any]:
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
    common, security = map_at(system, "modelServerPods"), map_at(system, "modelServerPods", "securityContext")
    if security and spec["engine"] != "Infinity":  # KubeAI 0.22.1 leaves that one out
        server["securityContext"] = dict(security)
    volumes: list[Object] = [{"name": "dshm", "emptyDir": {"medium": "Memory"}}]
    if files:
        volumes.append({"name": "model-files", "configMap": {"name": f"model-{name}-files"}})
    stated = map_at(system, "resourceProfiles", profile)
    chosen = {key: value for key, value in stated.items() if key in _FROM_PROFILE and value}
    chosen |= {"priorityClassName": spec["priorityClassName"]} if spec.get("priorityClassName") else {}
    if context := map_at(common, "podSecurityContext"):
        chosen["securityContext"] = dict(context)
    if secrets := maps_at(common, "imagePullSecrets"):
        chosen["imagePullSecrets"] = list(secrets)
    if account := text_at(common, "serviceAccountName"):
        chosen["serviceAccountName"] = account
    return {"containers": [server], "restartPolicy": "Always", "volumes": volumes, **chosen}


def _add_loading(spec: dict[str, Any], model: Object, config: OperatorConfig, *, system: Object) -> None:
    """Add what loads weights: the claim of a url or of a cache, a store's key file, and a container for adapters.

    The loader has no requests and no limits, whatever the profile says: a quota that wants some refuses its Pod.
    """
    asked, metadata = model["spec"], model["metadata"]
    source, server = Source(asked["url"]), spec["containers"][0]

    def mount(name: str, volume: Object, path: str, **more: Any) -> None:
        spec["volumes"].append({"name": name, **volume})
        server["volumeMounts"].append({"name": name, "mountPath": path, "readOnly": True, **more})

    if source.claim:
        inside = source.reference.partition("/")[2]
        claim = {"persistentVolumeClaim": {"claimName": source.claim, "readOnly": True}}
        mount("model", claim, "/model", **({"subPath": inside} if inside else {}))
    if source.scheme == "oci":
        mount("model", {"image": {"reference": source.reference, "pullPolicy": "IfNotPresent"}}, "/model")
        if login := config.secret_names.get("oci"):
            spec["imagePullSecrets"] = [*spec.get("imagePullSecrets", ()), {"name": login}]
    if cache := asked.get("cacheProfile"):
        folder = f"/models/{metadata['name']}-{metadata['uid']}"
        claim = {"persistentVolumeClaim": {"claimName": f"shared-model-cache-{cache}"}}
        mount("models", claim, folder, subPath=folder.lstrip("/"))
    credentials = CREDENTIALS.get(source.scheme, Credentials(store=""))
    if credentials.file:
        secret = {"secretName": config.secret_names.get(credentials.store, ""), "optional": True}
        mount("gcp-credentials", {"secret": secret}, "/secrets/gcp-credentials")
    if "adapters" in asked and asked["engine"] == "VLLM":
        mount("adapters", {"emptyDir": {}}, "/adapters")
        every = [variable for scheme in CREDENTIALS for variable in _credentials(f"{scheme}://x", config)]
        loader = {
            "name": "loader",
            "image": text_at(system, "modelLoading", "image"),
            "command": ["sleep", "infinity"],
            "env": [*({"name": key, "value": value} for key, value in sorted(asked.get("env", {}).items())), *every],
            "volumeMounts": [{"name": "adapters", "mountPath": "/adapters"}],
        }
        for key in ("securityContext", "envFrom"):
            loader |= {key: server[key]} if server.get(key) else {}
        spec["containers"].append(loader)


def patched(spec: dict[str, Any], patches: Sequence[Object]) -> dict[str, Any]:
    """The Pod's spec after the operator's own JSON patches (RFC 6902), which act on the whole Pod.

    Raises:
        UnusableSpecError: one cannot be applied, so that KubeAI makes no Pod; or it is of a kind not known here.
    """
    pod: dict[str, Any] = {"spec": copy.deepcopy(spec)}
    for patch in patches:
        *holders, last = [
            part.replace("~1", "/").replace("~0", "~") for part in text_at(patch, "path").split("/")[1:]
        ] or [""]
        try:
            target: Any = pod
            for part in holders:
                target = target[int(part)] if isinstance(target, list) else target[part]
            _patch(target, last, patch)
        except (KeyError, IndexError, ValueError, TypeError):
            raise UnusableSpecError(f"applying JSON patch: {text_at(patch, 'op')} {text_at(patch, 'path')}") from None
    return dict(pod["spec"])


def _patch(target: Any, key: str, patch: Object) -> None:
    operation = text_at(patch, "op")
    if isinstance(target, list) and operation == "add":
        target.insert(len(target) if key == "-" else int(key), patch["value"])
        return
    place: Any = int(key) if isinstance(target, list) else key
    if operation in ("remove", "replace"):
        target[place]  # what is not there cannot go or be replaced
    if operation == "remove":
        del target[place]
    elif operation in ("add", "replace"):
        target[place] = patch["value"]
    else:
        raise ValueError(operation)


def _profile(spec: Object, config: OperatorConfig) -> tuple[str, int]:
    """The profile's name and its multiple; what is wrong is said in the operator's own order."""
    if not Source(spec["url"]).scheme:
        raise UnusableSpecError(f"parsing model source: invalid model URL: {spec['url']}")
    if spec.get("cacheProfile") and spec["cacheProfile"] not in config.cache_profiles:
        raise UnusableSpecError(f'cache profile not found: "{spec["cacheProfile"]}"')
    profile = ResourceProfile(spec.get("resourceProfile", ""))
    name, multiple = profile.name, profile.multiple
    if multiple is None:
        raise UnusableSpecError(
            f'invalid resource profile: "{profile}", should match <name>:<multiple>, example: nvidia-gpu-l4:2'
        )
    if name not in config.profiles:
        raise UnusableSpecError(f'resource profile not found: "{name}"')
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
    credentials = CREDENTIALS.get(Source(url).scheme, Credentials(store=""))
    for variable, key in credentials.keys.items():
        reference = {"name": config.secret_names.get(credentials.store, ""), "key": key, "optional": True}
        yield {"name": variable, "valueFrom": {"secretKeyRef": reference}}


def _key(path: str) -> str:
    return path.replace("/", "_")
