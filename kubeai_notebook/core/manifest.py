"""ModelSpec ↔ Manifest: the dict that Kubernetes gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from kubeai_notebook.core.kubeai.labels import FEATURE_LABEL
from kubeai_notebook.core.model_spec import SecretKey, SecretName, SecretValue, validated
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.objects import map_at, text_at, texts_in
from kubeai_notebook.errors import SpecError

if TYPE_CHECKING:
    from kubeai_notebook.core.model_spec import LoadBalancing, ModelSpec, Scaling

API_VERSION = "kubeai.org/v1"


def to_manifest(spec: ModelSpec) -> dict[str, Any]:
    """The Model as KubeAI reads it.

    Empty lists, strings and maps are never sent: KubeAI takes "present" for "wanted" (an
    empty ``adapters`` switches LoRA on). ``minReplicas`` always is: a Model without it and
    with ``maxReplicas`` is refused, and one without either starts nothing.
    """
    metadata = {"name": spec.name, "namespace": spec.namespace, "labels": dict(spec.labels)}
    body = {
        "resourceProfile": spec.resource_profile,
        "adapters": [{"name": adapter.name, "url": adapter.url} for adapter in spec.adapters],
        "image": spec.image,
        "args": list(spec.args),
        "env": dict(spec.env),
        "envFrom": [{"secretRef": {"name": name}} for name in _secret_names(spec)],
        "files": [{"path": file.path, "content": file.content} for file in spec.files],
        "cacheProfile": spec.cache_profile,
        "priorityClassName": spec.priority_class_name,
        **_scaling(spec.scaling),
    }
    # The one list that must be there even when it is empty.
    body = {"url": spec.url, "engine": spec.engine, "features": list(spec.features), **_present(body)}
    manifest = {"apiVersion": API_VERSION, "kind": "Model", "metadata": _present(metadata), "spec": body}
    return _merged(manifest, spec.rest)


def own_secret_name(name: str) -> str:
    """The Secret that holds a Model's single keys and values."""
    return f"{name}-secrets"


def own_secret_entries(spec: ModelSpec) -> tuple[SecretKey | SecretValue, ...]:
    """What has to stand in the Model's own Secret: values, and keys whose variable has another name."""
    return tuple(
        entry
        for entry in spec.secrets
        if isinstance(entry, SecretValue) or (isinstance(entry, SecretKey) and entry.env != entry.key)
    )


def _secret_names(spec: ModelSpec) -> list[str]:
    own = own_secret_entries(spec)
    names = [
        entry.name if isinstance(entry, SecretName) else entry.secret
        for entry in spec.secrets
        if isinstance(entry, SecretName) or (isinstance(entry, SecretKey) and entry not in own)
    ]
    return list(dict.fromkeys([*names, *([own_secret_name(spec.name)] if own else [])]))


def _scaling(scaling: Scaling) -> dict[str, Any]:
    return {
        "minReplicas": scaling.min_replicas,
        "maxReplicas": scaling.max_replicas,
        # With autoscaling on, the operator owns this field.
        "replicas": scaling.replicas if scaling.autoscaling_disabled else None,
        "autoscalingDisabled": scaling.autoscaling_disabled or None,
        "targetRequests": scaling.target_requests,
        "scaleDownDelaySeconds": scaling.scale_down_delay_seconds,
        "loadBalancing": _load_balancing(scaling.load_balancing),
    }


def _load_balancing(balancing: LoadBalancing) -> dict[str, Any]:
    prefix_hash = {
        "meanLoadFactor": balancing.mean_load_factor,
        "replication": balancing.replication,
        "prefixCharLength": balancing.prefix_char_length,
    }
    return _present({"strategy": balancing.strategy, "prefixHash": _present(prefix_hash)})


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value not in (None, "", [], {})}


def spec_of_manifest(manifest: Mapping[str, Any]) -> ModelSpec:
    """The spec that a Model says; ``to_manifest`` gives the same Model back, to the last field.

    Raises:
        SpecError: it is no Model, or a field has a value that no Model of KubeAI can have.
    """
    if manifest.get("kind") != "Model" or not str(manifest.get("apiVersion", "")).startswith("kubeai.org/"):
        message = "This is no Model of KubeAI: kind must be Model and apiVersion kubeai.org/v1."
        raise SpecError([wrong("kind", "WrongType", message)])
    metadata, body = manifest.get("metadata"), manifest.get("spec")
    if not isinstance(metadata, Mapping) or not isinstance(body, Mapping):
        raise SpecError([wrong("spec", "Required", "A Model needs metadata and spec, each a mapping.")])
    spec = validated({**_typed(metadata, body), "name": metadata.get("name")})
    rest = _rest(manifest, to_manifest(spec))
    return spec.model_copy(update={"rest": rest}) if rest else spec


def _typed(metadata: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a manifest that ModelSpec has, renamed; empty ones are left to ``rest``."""
    sources = body.get("envFrom") or []
    # Any other source is kept in ``rest`` as it is.
    simple = isinstance(sources, list) and all(_is_simple(source) for source in sources)
    fields = {
        "url": body.get("url"),
        "engine": body.get("engine"),
        "adapters": body.get("adapters"),
        "args": body.get("args"),
        "env": body.get("env"),
        "secrets": [source["secretRef"] for source in sources] if simple else [],
        "files": body.get("files"),
        "cache_profile": body.get("cacheProfile"),
        "image": body.get("image"),
        "priority_class_name": body.get("priorityClassName"),
        "namespace": metadata.get("namespace"),
        "labels": metadata.get("labels"),
    }
    return {
        **_present(fields),
        "features": body.get("features", []),
        "resource_profile": body.get("resourceProfile", ""),
        "scaling": _typed_scaling(body),
    }


def _is_simple(source: Any) -> bool:
    """Whether a source of variables is a whole Secret, and nothing more is said of it."""
    reference = map_at(source, "secretRef")
    return map_at(source).keys() == {"secretRef"} and reference.keys() == {"name"}


def _typed_scaling(body: Mapping[str, Any]) -> dict[str, Any]:
    balancing = map_at(body, "loadBalancing")
    prefix_hash = map_at(balancing, "prefixHash")
    return {
        "min_replicas": body.get("minReplicas"),
        "max_replicas": body.get("maxReplicas"),
        "replicas": body.get("replicas"),
        "autoscaling_disabled": body.get("autoscalingDisabled", False),
        "target_requests": body.get("targetRequests"),
        "scale_down_delay_seconds": body.get("scaleDownDelaySeconds"),
        "load_balancing": {
            "strategy": balancing.get("strategy"),
            "mean_load_factor": prefix_hash.get("meanLoadFactor"),
            "replication": prefix_hash.get("replication"),
            "prefix_char_length": prefix_hash.get("prefixCharLength"),
        },
    }


def _rest(whole: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """What ``whole`` says beyond ``told``."""
    rest: dict[str, Any] = {}
    for key, value in whole.items():
        if key not in told:
            rest[key] = value
        elif isinstance(value, Mapping) and isinstance(told[key], Mapping):
            rest |= {key: inner} if (inner := _rest(value, told[key])) else {}
        elif value != told[key]:
            rest[key] = value
    return rest


def _merged(told: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(told)
    for key, value in rest.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged


def cleaned(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A Model without what the API server and the operator added: what a user could have written."""
    labels = texts_in(manifest, "metadata", "labels")
    kept = {
        "name": text_at(manifest, "metadata", "name"),
        "namespace": text_at(manifest, "metadata", "namespace"),
        "labels": {key: value for key, value in labels.items() if not key.startswith(FEATURE_LABEL)},
    }
    spec = dict(map_at(manifest, "spec"))
    if spec.get("autoscalingDisabled") is not True:
        spec.pop("replicas", None)
    return {"apiVersion": API_VERSION, "kind": "Model", "metadata": _present(kept), "spec": spec}


def to_yaml(manifest: Mapping[str, Any]) -> str:
    """The Manifest as ``kubectl apply -f`` takes it, `cleaned`."""
    clean = cleaned(manifest)
    try:
        readable = yaml.safe_dump(clean, sort_keys=False, allow_unicode=True)
        # PyYAML does not read back every character that it writes plainly (U+0085 becomes a space).
        return readable if yaml.safe_load(readable) == clean else yaml.safe_dump(clean, sort_keys=False)
    except (RecursionError, yaml.YAMLError, ValueError):
        # Some hundred levels, or a text that YAML has no way to write: JSON is YAML too.
        return json.dumps(clean) + "\n"
