"""A Model's Pod, as KubeAI makes it, with the engine of this machine in it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.profile import parse_profile
from kubeai_notebook.errors import SpecError
from kubeai_notebook.local.api.schema import ENGINES
from kubeai_notebook.local.engines.base import STAND_IN_ANNOTATION, image_of, stands_in

if TYPE_CHECKING:
    from kubeai_notebook.local.api.resources import Object

HASH_LABEL = "pod-hash"
PORT_ANNOTATION = "model-pod-port"
ADDRESS_ANNOTATION = "model-pod-ip"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def pod_of(model: Object, system: Object) -> Object | None:
    """Build the Pod that a Model's spec asks for; None when its profile is malformed or unknown.

    Source: KubeAI 0.22.1, the model controller's Pod plan and engine files.
    """
    resources = _resources(model["spec"].get("resourceProfile", ""), system)
    if resources is None:
        return None
    metadata, engine = model["metadata"], model["spec"]["engine"]
    name = metadata["name"]
    spec = _pod_spec(model, resources)
    pod_hash = _safe_hash(json.dumps(spec, sort_keys=True))
    owner = {
        "apiVersion": "kubeai.org/v1",
        "kind": "Model",
        "name": name,
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    labels = {
        "app": "model",
        "model": name,
        "app.kubernetes.io/name": engine.lower(),
        "app.kubernetes.io/instance": f"{engine.lower()}-{name}",
        "app.kubernetes.io/managed-by": "kubeai",
        HASH_LABEL: pod_hash,
    }
    return {
        "metadata": {
            "generateName": f"model-{name}-{pod_hash}-",
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": {PORT_ANNOTATION: "8000"} | ({STAND_IN_ANNOTATION: engine} if stands_in(engine) else {}),
            "ownerReferences": [owner],
        },
        "spec": spec,
        "status": {"phase": "Pending"},
    }


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


def user_arguments_of(pod: Object) -> list[str]:
    """``spec.args`` of the Model, from a Pod that ``pod_of`` made."""
    return list(pod["spec"]["containers"][0]["args"][2:])


def lacking(pod: Object) -> str | None:
    """The first thing the Pod asks for that this machine has none of: a GPU, by its resource name."""
    resources = pod["spec"]["containers"][0].get("resources", {})
    asked = {**resources.get("requests", {}), **resources.get("limits", {})}
    return next((name for name in asked if "/" in name), None)


def is_ready(pod: Object) -> bool:
    """Whether the Pod's condition Ready is true."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _pod_spec(model: Object, resources: Object) -> Object:
    spec = model["spec"]
    own = [f"--model={spec['url']}", f"--features={','.join(spec['features'])}"]
    server: Object = {
        "name": "server",
        "image": image_of(spec["engine"]),
        "command": ["llama-server"],
        "args": [*own, *spec.get("args", ()), *(["--enable-lora"] if "adapters" in spec else [])],
        "env": [{"name": key, "value": value} for key, value in sorted(spec.get("env", {}).items())],
        "ports": [{"containerPort": 8000, "name": "http", "protocol": "TCP"}],
        "resources": resources,
    }
    if spec.get("envFrom"):
        server["envFrom"] = spec["envFrom"]
    return {"containers": [server], "restartPolicy": "Always", "serviceAccountName": "kubeai-models"}


def _resources(text: str, system: Object) -> Object | None:
    """Quantities of the profile times its multiple; None where the operator would only log an error."""
    try:
        profile = parse_profile(text)
    except SpecError:
        return None
    found: Any = (system.get("resourceProfiles") or {}).get(profile.name)
    if found is None or ":" not in text:
        return None
    return {
        kind: {name: _times(str(quantity), profile.multiple) for name, quantity in found[kind].items()}
        for kind in ("requests", "limits")
        if kind in found
    }


def _times(quantity: str, multiple: int) -> str:
    """Multiply a Kubernetes quantity.

    >>> _times("24Gi", 2)
    '48Gi'
    """
    match = re.match(r"\d+", quantity)
    return quantity if match is None else f"{int(match[0]) * multiple}{quantity[match.end() :]}"


def _safe_hash(text: str) -> str:
    """FNV-1a of 32 bits, its decimal digits in Kubernetes' alphabet without vowels.

    >>> _safe_hash("hf://jashing/tinyllama-colorist-lora")
    '985b56ffb'
    """
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(value))
