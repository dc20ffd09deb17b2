"""ModelSpec ↔ Manifest: the dict that Kubernetes gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel

from kubeai_notebook.core.fields import FIELDS
from kubeai_notebook.core.kubeai.labels import FEATURE_LABEL
from kubeai_notebook.core.model_spec import SecretKey, SecretName, SecretValue
from kubeai_notebook.core.objects import at, map_at, maps_at, text_at, texts_in
from kubeai_notebook.core.validation import checked

if TYPE_CHECKING:
    from kubeai_notebook.core.fields import Field
    from kubeai_notebook.core.model_spec import ModelSpec

API_VERSION = "kubeai.org/v1"
SECRETS_ANNOTATION = "kubeai-notebook/secrets"
"""In YAML that is copied: the secrets as a spec has them, of which a Manifest only names whole Secrets."""

_MACHINE_MADE = ("kubeai-notebook/", "kubectl.kubernetes.io/", "meta.helm.sh/")
"""How the annotations begin that no user wrote."""
# The one in C is ten times as fast; a wheel of PyYAML has it, one that was built without libyaml has not.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_ALWAYS = ("url", "engine", "features")
"""Sent also where they are empty."""


def to_manifest(spec: ModelSpec) -> dict[str, Any]:
    """The Model as KubeAI reads it.

    Empty lists, strings and maps are never sent: KubeAI takes "present" for "wanted" (an
    empty ``adapters`` switches LoRA on). ``minReplicas`` always is: a Model without it and
    with ``maxReplicas`` is refused, and one without either starts nothing.
    """
    manifest: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "Model", "metadata": {}, "spec": {}}
    for field in FIELDS:
        value = _written(field, spec)
        if field.name in _ALWAYS or value not in (None, "", [], {}):
            *parts, last = field.place
            holder = manifest
            for part in parts:
                holder = holder.setdefault(part, {})
            holder[last] = value
    return _merged(manifest, spec.rest)


def _written(field: Field, spec: ModelSpec) -> Any:
    """A field's value as JSON has it, empty where it is not to be sent."""
    if field.name == "secrets":
        return [{"secretRef": {"name": name}} for name in _secret_names(spec)]
    value: Any = spec
    for part in field.path:
        value = getattr(value, part)
    if field.name == "replicas" and not spec.scaling.autoscaling_disabled:
        return None  # With autoscaling on, the operator owns this field.
    return None if value is False else _plain(value)


def _plain(value: Any) -> Any:
    """Plain texts, lists and dicts."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, BaseModel):
        return {name: _plain(item) for name, item in value}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


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
    names = [
        entry.name if isinstance(entry, SecretName) else entry.secret
        for entry in spec.secrets
        if isinstance(entry, SecretName) or (isinstance(entry, SecretKey) and entry.env == entry.key)
    ]
    return list(dict.fromkeys([*names, *([own_secret_name(spec.name)] if own_secret_entries(spec) else [])]))


def spec_of_manifest(manifest: Mapping[str, Any]) -> ModelSpec:
    """The spec that a Model says; ``to_manifest`` gives the same Model back, to the last field.

    It never raises: an operator of another release, or a controller that is not KubeAI's, may have let the Model in.
    What no field of a ModelSpec can hold stands in ``rest`` as it is.
    """
    spec, _ = checked(fields_of_manifest(manifest))
    rest = _rest(manifest, to_manifest(spec))
    return spec.model_copy(update={"rest": rest}) if rest else spec


def fields_of_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Manifest by their names in ModelSpec; empty ones are left to ``rest``."""
    fields: dict[str, Any] = {"scaling": {"min_replicas": None}, "features": (), "resource_profile": ""}
    for field in FIELDS:
        value = at(manifest, *field.place)
        if field.name == "secrets":
            value = _whole_secrets(value)
        if value not in (None, "", [], {}):
            holder = fields
            for part in field.within:
                holder = holder.setdefault(part, {})
            holder[field.name] = value
    return fields


def _whole_secrets(sources: Any) -> list[Any]:
    """The Secrets that variables come from, where each is a whole one; any other list is left to ``rest``."""
    references = [map_at(source, "secretRef") for source in maps_at(sources)]
    simple = all(map_at(source).keys() == {"secretRef"} for source in maps_at(sources))
    return references if simple and all(reference.keys() == {"name"} for reference in references) else []


def _rest(whole: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """What ``whole`` says beyond what is ``known``."""
    rest: dict[str, Any] = {}
    for key, value in whole.items():
        if key not in known:
            rest[key] = value
        elif isinstance(value, Mapping) and isinstance(known[key], Mapping):
            rest |= {key: inner} if (inner := _rest(value, known[key])) else {}
        elif value != known[key]:
            rest[key] = value
    return rest


def _merged(known: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(known)
    for key, value in rest.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged


def cleaned(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A Model without what the API server and the operator added: what a user could have written."""
    labels, annotations = (texts_in(manifest, "metadata", part) for part in ("labels", "annotations"))
    kept = {
        "name": text_at(manifest, "metadata", "name"),
        "namespace": text_at(manifest, "metadata", "namespace"),
        "labels": {key: value for key, value in labels.items() if not key.startswith(FEATURE_LABEL)},
        "annotations": {key: value for key, value in annotations.items() if not key.startswith(_MACHINE_MADE)},
    }
    spec = dict(map_at(manifest, "spec"))
    if spec.get("autoscalingDisabled") is not True:
        spec.pop("replicas", None)
    return {
        "apiVersion": API_VERSION,
        "kind": "Model",
        "metadata": {key: value for key, value in kept.items() if value},
        "spec": spec,
    }


def to_yaml(manifest: Mapping[str, Any]) -> str:
    """The Manifest as ``kubectl apply -f`` takes it, `cleaned`."""
    return dumped(cleaned(manifest))


def dumped(plain: Mapping[str, Any]) -> str:
    """Plain data as YAML that reads back as the same."""
    try:
        readable = yaml.dump(plain, Dumper=_DUMPER, sort_keys=False, allow_unicode=True)
        # PyYAML does not read back every character that it writes plainly (U+0085 becomes a space). It reads slowly,
        # and a form writes at every key that is pressed.
        good = readable.isascii() or yaml.safe_load(readable) == plain
        return readable if good else yaml.safe_dump(plain, sort_keys=False)
    except (RecursionError, yaml.YAMLError, ValueError):
        # Some hundred levels, or a text that YAML has no way to write: JSON is YAML too.
        return json.dumps(plain) + "\n"
