"""Admission: what the API server does to an object before it is stored."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kubeai_notebook.core.naming import MAX_NAME_LENGTH
from kubeai_notebook.core.source import SCHEMES

from .errors import bad_request, invalid
from .resources import MODELS, SECRETS, Object, Resource

ENGINES = ("OLlama", "VLLM", "FasterWhisper", "Infinity")
FEATURES = ("TextGeneration", "TextEmbedding", "Reranking", "SpeechToText")

# Source of this table and of every message below: the Model CRD of KubeAI 0.22.1, answers of kube-apiserver 1.36.
# A type, a dict of fields, a list of one such, or (dict,) for a map with free keys.
_SPEC: Mapping[str, Any] = {
    "url": str,
    "engine": str,
    "features": [str],
    "resourceProfile": str,
    "adapters": [{"name": str, "url": str}],
    "cacheProfile": str,
    "image": str,
    "args": [str],
    "env": (dict,),
    "envFrom": [
        {
            "prefix": str,
            "configMapRef": {"name": str, "optional": bool},
            "secretRef": {"name": str, "optional": bool},
        }
    ],
    "replicas": int,
    "minReplicas": int,
    "maxReplicas": int,
    "autoscalingDisabled": bool,
    "targetRequests": int,
    "scaleDownDelaySeconds": int,
    "owner": str,
    "loadBalancing": {
        "strategy": str,
        "prefixHash": {"meanLoadFactor": int, "replication": int, "prefixCharLength": int},
    },
    "files": [{"path": str, "content": str}],
    "priorityClassName": str,
}
_DEFAULTS: Object = {
    "targetRequests": 100,
    "scaleDownDelaySeconds": 30,
    "loadBalancing": {
        "strategy": "LeastLoad",
        "prefixHash": {"meanLoadFactor": 125, "prefixCharLength": 100, "replication": 256},
    },
}
_REQUIRED = ("engine", "features", "url")
_MINIMUM = {"minReplicas": 0, "maxReplicas": 1, "targetRequests": 1}
_TYPE_NAMES = {str: "string", int: "integer", bool: "boolean", dict: "object", list: "array", float: "number"}
_URL_MESSAGE = (
    'url must start with "hf://", "pvc://", "ollama://", "s3://", "gs://", or "oss://" and not be empty.'  # CRD's words
)
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_MESSAGE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_NOT_CHECKED = (
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)


def admitted(resource: Resource, item: Object, *, strict: bool = False) -> Object:
    """Return the object as it is stored; StatusError 400 or 422 when it may not be."""
    metadata = item["metadata"]
    name = metadata.get("name") or metadata.get("generateName", "")
    if not name:
        message = "Required value: name or generateName is required"
        raise invalid(resource, name, [_cause("metadata.name", "Required", message)])
    if metadata.get("name") and not _SUBDOMAIN.fullmatch(name):
        message = f'Invalid value: "{name}": {_SUBDOMAIN_MESSAGE}'
        raise invalid(resource, name, [_cause("metadata.name", "Invalid", message)])
    if resource is SECRETS:
        return _encoded(item)
    return _admitted_model(item, name, strict=strict) if resource is MODELS else item


def _admitted_model(item: Object, name: str, *, strict: bool) -> Object:
    spec = item.get("spec")
    if not isinstance(spec, dict):
        raise invalid(MODELS, name, [_cause("spec", "Required", "Required value")])
    unknown = list(_unknown(spec, _SPEC, "spec"))
    if unknown and strict:
        fields = ", ".join(f'unknown field "{field}"' for field in unknown)
        message = f'Model in version "v1" cannot be handled as a Model: strict decoding error: {fields}'
        raise bad_request(message)
    spec = _defaulted(_pruned(spec, _SPEC), _DEFAULTS)
    causes = list(_structure(spec))
    if causes:
        causes.append(_cause("<nil>", "Invalid", _NOT_CHECKED))
    else:
        causes = list(_rules(spec, name))
    if causes:
        raise invalid(MODELS, name, causes)
    return {**item, "spec": spec}


def _structure(spec: Object) -> Iterator[Object]:
    """What is wrong with the shape; the rules are not asked then."""
    for field in _REQUIRED:
        if field not in spec:
            yield _cause(f"spec.{field}", "Required", "Required value")
    yield from _types(spec, _SPEC, "spec")
    if isinstance(spec.get("engine"), str) and spec["engine"] not in ENGINES:
        yield _unsupported("spec.engine", spec["engine"], ENGINES)
    features = spec.get("features")
    for number, feature in enumerate(features if isinstance(features, list) else ()):
        if isinstance(feature, str) and feature not in FEATURES:
            yield _unsupported(f"spec.features[{number}]", feature, FEATURES)


def _rules(spec: Object, name: str) -> Iterator[Object]:
    """KubeAI's own rules; those beyond the url's prefix are to come from ``core.rules``."""
    for field, least in _MINIMUM.items():
        if spec.get(field, least) < least:
            text = f"spec.{field} in body should be greater than or equal to {least}"
            yield _cause(f"spec.{field}", "Invalid", f"Invalid value: {spec[field]}: {text}")
    if not any(spec["url"].startswith(f"{scheme}://") and spec["url"] != f"{scheme}://" for scheme in SCHEMES):
        yield _cause("spec.url", "Invalid", f'Invalid value: "{spec["url"]}": {_URL_MESSAGE}')
    if len(name) > MAX_NAME_LENGTH:
        yield _cause("<nil>", "Invalid", f"Invalid value: name must not exceed {MAX_NAME_LENGTH} characters.")


def _unknown(value: Any, shape: Any, path: str) -> Iterator[str]:
    if isinstance(shape, Mapping) and isinstance(value, dict):
        for key, inner in value.items():
            if key in shape:
                yield from _unknown(inner, shape[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(shape, list) and isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _unknown(inner, shape[0], f"{path}[{number}]")


def _pruned(value: Any, shape: Any) -> Any:
    """Drop unknown fields and nulls, as the API server does without a word."""
    if isinstance(shape, Mapping) and isinstance(value, dict):
        return {key: _pruned(inner, shape[key]) for key, inner in value.items() if key in shape and inner is not None}
    if isinstance(shape, list) and isinstance(value, list):
        return [_pruned(inner, shape[0]) for inner in value]
    return value


def _types(value: Any, shape: Any, path: str) -> Iterator[Object]:
    wanted: Any = _type_of_shape(shape)
    if type(value) is not wanted:
        given = _TYPE_NAMES.get(type(value), "null")
        text = f'Invalid value: "{given}": {path} in body must be of type {_TYPE_NAMES[wanted]}: "{given}"'
        yield _cause(path, "TypeInvalid", text)
    elif isinstance(shape, Mapping):
        for key in shape.keys() & value.keys():
            yield from _types(value[key], shape[key], f"{path}.{key}")
    elif isinstance(shape, list):
        for number, inner in enumerate(value):
            yield from _types(inner, shape[0], f"{path}[{number}]")
    elif isinstance(shape, tuple):
        for key, inner in value.items():
            yield from _types(inner, str, f"{path}.{key}")


def _type_of_shape(shape: Any) -> type:
    if isinstance(shape, type):
        return shape
    return list if isinstance(shape, list) else dict


def _defaulted(value: Object, defaults: Object) -> Object:
    filled = dict(value)
    for key, default in defaults.items():
        if key not in filled:
            filled[key] = default
        elif isinstance(default, dict) and isinstance(filled[key], dict):
            filled[key] = _defaulted(filled[key], default)
    return filled


def _encoded(secret: Object) -> Object:
    plain = secret.get("stringData") or {}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
    rest = {key: value for key, value in secret.items() if key != "stringData"}
    return {"type": "Opaque", **rest, "data": (secret.get("data") or {}) | data}


def _unsupported(field: str, value: str, known: tuple[str, ...]) -> Object:
    listed = ", ".join(f'"{item}"' for item in known)
    return _cause(field, "NotSupported", f'Unsupported value: "{value}": supported values: {listed}')


def _cause(field: str, reason: str, message: str) -> Object:
    return {"reason": f"FieldValue{reason}", "message": message, "field": field}
