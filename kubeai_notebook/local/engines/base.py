"""Which engine answers for a Model on this machine, and what any engine must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Protocol

from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

STAND_IN_ANNOTATION = "kubeai-notebook/stand-in-for"
# Which urls each engine loads in a cluster (KubeAI's table of schemes x engines); a stand-in is no more able.
_SCHEMES = {"OLlama": ("ollama", "pvc"), "VLLM": ("hf", "pvc", "s3", "gs", "oss")}


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything that starting an engine takes."""

    weights: Path
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path


class Engine(Protocol):
    """A running engine that has loaded its weights."""

    address: str
    """Base url, without ``/v1``."""
    key: str
    """What the engine wants as bearer token, so that only the gateway can ask it."""

    async def wait(self) -> int:
        """Return the exit code when the process has ended."""
        ...

    async def stop(self) -> None:
        """End the process; returns when it is gone."""
        ...


def stands_in(engine: str) -> bool:
    """Whether llama.cpp can answer for this engine."""
    return engine in _SCHEMES


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
            f"This machine has no engine for {engine} yet.", "Use engine OLlama or VLLM here, or a cluster."
        )
    if features and "TextGeneration" not in features:
        raise LocalError(
            f"This machine cannot serve {', '.join(features)} yet.",
            "Use a Model with feature TextGeneration here, or a cluster.",
        )


def check_loadable(engine: str, url: str, known: Sequence[str]) -> None:
    """LocalError when the weights behind the url are not to be had here, in the words of the engine asked for."""
    usable = [name for name in known if name.partition("://")[0] in _SCHEMES[engine]]
    if url in usable:
        return
    # The very words of Ollama's pull and of the hub's command, so that one diagnosis fits here and in a cluster.
    reason = "pull model manifest: file does not exist." if engine == "OLlama" else f"Model '{url}' not found."
    listed = ", ".join(usable) or "no urls of this kind"
    raise LocalError(reason, f"For engine {engine} this machine has weights for: {listed}.")
