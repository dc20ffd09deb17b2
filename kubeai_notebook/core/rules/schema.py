"""The Model's schema, KubeAI 0.22: the one source for pruning, defaults and shape. ``local/crd.yaml`` says the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

GROUP: Final = "kubeai.org"
VERSION: Final = "v1"
KIND: Final = "Model"
MAX_NAME: Final = 40

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_INT32: Schema = {"type": "integer", "format": "int32"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}


def _choice(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


_REFERENCE: Schema = {
    "type": "object",
    "properties": {"name": {"type": "string", "default": ""}, "optional": _FLAG},
    "x-kubernetes-map-type": "atomic",
}
_ADAPTER: Schema = {
    "type": "object",
    "required": ["name", "url"],
    "properties": {"name": {"type": "string", "pattern": "^[a-z0-9-]+$", "maxLength": 63}, "url": _TEXT},
}
_FILE: Schema = {
    "type": "object",
    "required": ["content", "path"],
    "properties": {"path": {"type": "string", "maxLength": 1024}, "content": {"type": "string", "maxLength": 100_000}},
}
_PREFIX_HASH: Schema = {
    "type": "object",
    "default": {},
    "properties": {
        "meanLoadFactor": {"type": "integer", "default": 125, "minimum": 100},
        "prefixCharLength": {"type": "integer", "default": 100},
        "replication": {"type": "integer", "default": 256},
    },
}
SPEC: Final[Schema] = {
    "type": "object",
    "required": ["engine", "features", "scaleDownDelaySeconds", "targetRequests", "url"],
    # The server goes through a hash map here, in no order; this one repeats what was recorded.
    "properties": {
        "engine": _choice("OLlama", "VLLM", "FasterWhisper", "Infinity"),
        "features": {
            "type": "array",
            "items": _choice("TextGeneration", "TextEmbedding", "Reranking", "SpeechToText"),
        },
        "files": {"type": "array", "items": _FILE, "maxItems": 10},
        "url": _TEXT,
        "adapters": {"type": "array", "items": _ADAPTER},
        "args": _TEXTS,
        "autoscalingDisabled": _FLAG,
        "cacheProfile": _TEXT,
        "env": {"type": "object", "additionalProperties": _TEXT},
        "envFrom": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"configMapRef": _REFERENCE, "prefix": _TEXT, "secretRef": _REFERENCE},
            },
        },
        "image": _TEXT,
        "loadBalancing": {
            "type": "object",
            "default": {},
            "properties": {
                "prefixHash": _PREFIX_HASH,
                "strategy": {**_choice("LeastLoad", "PrefixHash"), "default": "LeastLoad"},
            },
        },
        "maxReplicas": {**_INT32, "minimum": 1},
        "minReplicas": {**_INT32, "minimum": 0},
        "owner": _TEXT,
        "priorityClassName": _TEXT,
        "replicas": _INT32,
        "resourceProfile": _TEXT,
        "scaleDownDelaySeconds": {"type": "integer", "format": "int64", "default": 30},
        "targetRequests": {**_INT32, "default": 100, "minimum": 1},
    },
}
FEATURES: Final[tuple[str, ...]] = tuple(SPEC["properties"]["features"]["items"]["enum"])
_STATUS: Schema = {
    "type": "object",
    "properties": {
        "cache": {"type": "object", "required": ["loaded"], "properties": {"loaded": _FLAG}},
        "replicas": {
            "type": "object",
            "required": ["all", "ready"],
            "properties": {"all": _INT32, "ready": _INT32},
        },
    },
}
MODEL: Final[Schema] = {
    "type": "object",
    "properties": {
        "apiVersion": _TEXT,
        "kind": _TEXT,
        "metadata": {"type": "object"},
        "spec": SPEC,
        "status": _STATUS,
    },
}
