"""What a Model's url says about the fields that the user left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .naming import MAX_GENERATED_LENGTH, sanitized

if TYPE_CHECKING:
    from .source import Source

# Families by the names their publishers give them; everything else generates text.
_FAMILIES = (
    ("SpeechToText", re.compile(r"whisper", re.I)),
    ("Reranking", re.compile(r"rerank", re.I)),
    (
        "TextEmbedding",
        re.compile(r"embed|minilm|(^|[-_/])(bge|e5|gte|jina-embeddings|sentence-t5|multilingual-e5)([-_]|$)", re.I),
    ),
)
_ENGINE_OF_FEATURE = {"TextEmbedding": "Infinity", "Reranking": "Infinity", "SpeechToText": "FasterWhisper"}


_LONGEST_TAG = 30
LEAST = "scaling.min_replicas"


def name_of(source: Source) -> str:
    """The last part of the url with its tag: two sizes of one model are two Models.

    No dot: a Pod's name is its host's name, for which Kubernetes recommends a DNS label. ``:latest`` says nothing.
    """
    base, tag = (sanitized(part).replace(".", "-") for part in (source.base_name, source.tag[:_LONGEST_TAG]))
    if not tag or tag == "latest":
        return base or "model"
    return f"{base[: MAX_GENERATED_LENGTH - len(tag) - 1].rstrip('-') or 'model'}-{tag}"


def feature_of(source: Source) -> tuple[str, str]:
    """The feature that a model of this name serves, and why it is thought so."""
    name = source.reference
    for feature, pattern in _FAMILIES:
        match = pattern.search(name)
        if match:
            return feature, f'"{match.group(0).strip("-_/")}" in the url'
    return "TextGeneration", "most models generate text"


def engine_of(source: Source, feature: str) -> str:
    """The engine that serves such a model, where the user names none."""
    return "OLlama" if source.scheme == "ollama" else _ENGINE_OF_FEATURE.get(feature, "VLLM")


def complete(
    given: Mapping[str, Any], source: Source, *, default_profile: str, there: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], tuple[dict[str, str], ...]]:
    """Fill in name, engine, features, profile and replicas; return the fields and a record of what was inferred.

    ``there``: such fields of the Model that is there and goes on with them.
    """
    fields = dict(given)
    inferred: list[dict[str, str]] = []
    for field, value in (there or {}).items():
        if not fields.get(field):
            fields[field] = value
            shown = value if isinstance(value, str) else ", ".join(value)
            inferred.append({"field": field, "value": shown, "why": "as it is served already"})

    def infer(field: str, value: str, why: str) -> None:
        fields[field] = [value] if field == "features" else value
        inferred.append({"field": field, "value": value, "why": why})

    if not fields.get("name"):
        infer("name", name_of(source), "the last part of the url")
    feature, why = feature_of(source)
    if not fields.get("features"):
        infer("features", feature, why)
    if not fields.get("engine"):
        engine = engine_of(source, feature)
        infer("engine", engine, "the url's scheme" if engine == "OLlama" else f"the engine for {feature}")
    if not fields.get("resource_profile"):
        infer("resource_profile", default_profile, "the default profile")
    if bounds := _bounds(fields.get("scaling")):
        fields["scaling"], why = bounds
        inferred.append({"field": LEAST, "value": str(fields["scaling"]["min_replicas"]), "why": why})
    return fields, tuple(inferred)


def _bounds(scaling: Any) -> tuple[dict[str, Any], str] | None:
    """The scaling where a number of replicas is stated and autoscaling is on: so many stay, and more may come.

    KubeAI ignores the number then, and keeps between the bounds.
    """
    if not isinstance(scaling, Mapping) or scaling.get("autoscaling_disabled") or "min_replicas" in scaling:
        return None
    count, most = scaling.get("replicas"), scaling.get("max_replicas")
    if type(count) is not int or count < 0:
        return None
    raised = type(most) is int and most < count
    bounds = {key: value for key, value in scaling.items() if key != "replicas"} | {"min_replicas": count}
    why = f"replicas {count} stay, and autoscaling may add to them" if count else "it sleeps while nobody asks it"
    if raised:
        return {**bounds, "max_replicas": count}, f"replicas {count} stay, so max_replicas is {count} and not {most}"
    return bounds, why
