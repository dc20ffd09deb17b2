"""What a Model's url says about the fields that the user left out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .naming import sanitized

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    given: Mapping[str, Any], source: Source, *, default_profile: str
) -> tuple[dict[str, Any], tuple[dict[str, str], ...]]:
    """Fill in name, engine, features and profile; return the fields and a record of what was inferred."""
    fields = dict(given)
    inferred: list[dict[str, str]] = []

    def infer(field: str, value: str, why: str) -> None:
        fields[field] = [value] if field == "features" else value
        inferred.append({"field": field, "value": value, "why": why})

    if not fields.get("name"):
        name = sanitized(source.base_name) or "model"
        infer("name", name, "the last part of the url")
    feature, why = feature_of(source)
    if not fields.get("features"):
        infer("features", feature, why)
    if not fields.get("engine"):
        engine = engine_of(source, feature)
        infer("engine", engine, "the url's scheme" if engine == "OLlama" else f"the engine for {feature}")
    if not fields.get("resource_profile"):
        infer("resource_profile", default_profile, "the default profile")
    return fields, tuple(inferred)
