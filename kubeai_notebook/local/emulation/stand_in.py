"""What llama.cpp may answer for on one machine in another engine's place, and in whose words it refuses the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kubeai_notebook.core.near_urls import near_url
from kubeai_notebook.core.source import CACHED_ONLY, CLAIM_VARIABLES, LOADABLE, Source
from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Sequence

ANNOTATION = "kubeai-notebook/stand-in-for"
_ENGINES = ("OLlama", "VLLM", "Infinity")
_TEXT_ROUTES = {"/v1/chat/completions": "chat", "/v1/completions": "generate"}


def stands_in(engine: str) -> bool:
    """Whether llama.cpp can answer for this engine."""
    return engine in _ENGINES


def embeds(engine: str, features: Sequence[str]) -> bool:
    """Whether the engine is started for embeddings; llama.cpp does one thing in a process."""
    return engine == "Infinity" or ("TextEmbedding" in features and "TextGeneration" not in features)


def check_servable(engine: str, features: Sequence[str]) -> None:
    """LocalError when no engine of this machine can stand in for the one asked for."""
    if not stands_in(engine):
        raise LocalError(
            f"This machine has no engine for {engine} yet.", "Use engine OLlama, VLLM or Infinity here, or a cluster."
        )
    if features and not {"TextGeneration", "TextEmbedding"} & set(features):
        raise LocalError(
            f"This machine cannot serve {', '.join(features)} yet.",
            "Use a Model with feature TextGeneration or TextEmbedding here, or a cluster.",
        )


def check_loadable(engine: str, url: str, *, known: Sequence[str], lacking: str | None) -> None:
    """LocalError when the weights behind the url are not to be had here, in the words of the engine asked for.

    ``lacking`` is None where the url can be fetched, else what would help. A stand-in is no more able than the engine.
    """
    if _loads(engine, url) and (lacking is None or url in known):
        return
    # The very words of Ollama's pull and of the hub's command, so that one diagnosis fits here and in a cluster.
    reason = "pull model manifest: file does not exist." if engine == "OLlama" else f"Model '{url}' not found."
    hint = f"{lacking} " if lacking else ""
    raise LocalError(reason, hint + here_for(engine, known, url))


def here_for(engine: str, known: Sequence[str], url: str = "") -> str:
    """A sentence that lists the urls an engine could load at once; before it, the one that a url may have meant."""
    loadable = [other for other in known if _loads(engine, other)]
    near = near_url(url, loadable)
    meant = f"Did you mean {near}? " if near else ""
    listed = ", ".join(loadable) or "no urls of this kind"
    return f"{meant}For engine {engine} this machine has weights for: {listed}."


def _loads(engine: str, url: str) -> bool:
    scheme = Source(url).scheme
    broken = (engine, scheme) in CACHED_ONLY or (scheme == "pvc" and engine in CLAIM_VARIABLES)
    return scheme in LOADABLE[engine] and not broken


def wrong_routes(engine: str, features: Sequence[str], name: str) -> dict[str, tuple[int, str]]:
    """Status and body by route where the real engine would refuse and llama.cpp would answer otherwise."""
    if not embeds(engine, features):
        return {}
    if engine == "Infinity":
        return dict.fromkeys(_TEXT_ROUTES, (404, json.dumps({"detail": "Not Found"})))
    if engine == "OLlama":
        kind: dict[str, object] = {"type": "invalid_request_error", "param": None, "code": None}
        messages = {route: f'"{name}" does not support {verb}' for route, verb in _TEXT_ROUTES.items()}
    else:
        kind, apis = {"type": "BadRequestError", "param": None, "code": 400}, ("Chat Completions", "Completions")
        messages = {
            route: f"The model does not support {api} API" for route, api in zip(_TEXT_ROUTES, apis, strict=True)
        }
    return {route: (400, json.dumps({"error": {"message": text} | kind})) for route, text in messages.items()}


def defaults_of(engine: str) -> dict[str, dict[str, object]]:
    """Fields by route that the real engine takes for granted where llama.cpp would go on to the context's end."""
    return {"/v1/completions": {"max_tokens": 16}} if engine == "VLLM" else {}
