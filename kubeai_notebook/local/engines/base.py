"""Which engine answers for a Model on this machine, and what any engine must be able to do."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Protocol

from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

STAND_IN_ANNOTATION = "kubeai-notebook/stand-in-for"
_COMMANDS = {"OLlama": "ollama", "VLLM": "vllm", "Infinity": "infinity_emb"}
# Which urls each engine loads in a cluster (KubeAI's table of schemes x engines); a stand-in is no more able.
_SCHEMES = {"OLlama": ("ollama", "pvc"), "VLLM": ("hf", "pvc", "s3"), "Infinity": ("hf",)}
_TEXT_ROUTES = {"/v1/chat/completions": "chat", "/v1/completions": "generate"}


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything that starting an engine takes."""

    name: str
    """The Model's name, by which the engine is asked."""
    url: str
    features: tuple[str, ...]
    weights: Path | None
    """A GGUF file or a folder as of the hub; None where the engine fetches its own."""
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    """The Pod's own, where the engine works."""
    cache: Path
    log: Callable[[bytes], None]
    threads: int = 1
    adapters: Mapping[str, Path] = field(default_factory=dict)
    spawned: Callable[[int], None] = lambda _pid: None
    """Told the process' id while it is still loading."""


class Engine(Protocol):
    """A running engine that has loaded its weights."""

    address: str
    """Base url, without ``/v1``."""
    key: str
    """What the engine wants as bearer token, so that only the gateway can ask it; may be empty."""
    pid: int

    async def wait(self) -> int:
        """Return the exit code when the process has ended."""
        ...

    async def stop(self) -> None:
        """End the process; returns when it is gone."""
        ...


class EngineEndedError(LocalError):
    """The engine ended before it answered; its own log says why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"The engine ended with exit code {code} before it answered.", "Its log says why.")
        self.code = code


def command_of(engine: str, environment: Mapping[str, str]) -> str | None:
    """The real engine's program, where this machine has it."""
    return shutil.which(_COMMANDS.get(engine, ""), path=environment.get("PATH", ""))


def stands_in(engine: str) -> bool:
    """Whether llama.cpp can answer for this engine."""
    return engine in _SCHEMES


def embeds(engine: str, features: Sequence[str]) -> bool:
    """Whether the engine is started for embeddings; llama.cpp does one thing in a process."""
    return engine == "Infinity" or ("TextEmbedding" in features and "TextGeneration" not in features)


def image_of(engine: str) -> str:
    """The image a Pod names: the engine that really runs."""
    if not stands_in(engine):
        return f"no {engine} on this machine"
    try:
        return f"llama.cpp {version('xllamacpp')}"
    except PackageNotFoundError:
        return "llama.cpp (not installed)"


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

    ``lacking`` is None where the url can be fetched, else what would help.
    """
    usable = [name for name in known if name.partition("://")[0] in _SCHEMES[engine]]
    if url in usable or (lacking is None and url.partition("://")[0] in _SCHEMES[engine]):
        return
    # The very words of Ollama's pull and of the hub's command, so that one diagnosis fits here and in a cluster.
    reason = "pull model manifest: file does not exist." if engine == "OLlama" else f"Model '{url}' not found."
    listed = ", ".join(usable) or "no urls of this kind"
    hint = f"{lacking} " if lacking else ""
    raise LocalError(reason, f"{hint}For engine {engine} this machine has weights for: {listed}.")


def wrong_routes(engine: str, features: Sequence[str], name: str) -> dict[str, tuple[int, str]]:
    """Status and body by route where the real engine would refuse and llama.cpp would answer otherwise."""
    if not embeds(engine, features):
        return {}
    if engine == "Infinity":
        return dict.fromkeys(_TEXT_ROUTES, (404, json.dumps({"detail": "Not Found"})))
    rest: dict[str, object] = {"param": None, "code": None}
    if engine == "OLlama":
        kind = rest | {"type": "invalid_request_error"}
        said = {route: f'"{name}" does not support {verb}' for route, verb in _TEXT_ROUTES.items()}
    else:
        kind = rest | {"type": "BadRequestError", "code": 400}
        apis = {"chat": "Chat Completions", "generate": "Completions"}
        said = {route: f"The model does not support {apis[verb]} API" for route, verb in _TEXT_ROUTES.items()}
    return {route: (400, json.dumps({"error": {"message": text} | kind})) for route, text in said.items()}
