"""How KubeAI starts each engine: command, environment, health; on one machine with its own host, port and device."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeai_notebook.core.source import parse_source

if TYPE_CHECKING:
    from collections.abc import Mapping


LOOPBACK = "127.0.0.1"
# For engines that are Python programs: nothing is imported from the folder that they work in.
_SAFE = {"PYTHONSAFEPATH": "1"}


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What a Model asks its engine for."""

    engine: str
    """As the CRD spells it."""
    name: str
    """The Model's, by which the engine is asked."""
    url: str
    features: tuple[str, ...]
    adapted: bool
    """Whether adapters will be loaded once it runs."""
    arguments: tuple[str, ...]
    """``spec.args`` of the Model."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one engine is started; with ``port`` it is asked there for its health, else it tells where it answers."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Weaker than the Model's own variables."""
    ours: Mapping[str, str] = field(default_factory=dict)
    """Stronger than these: where it listens, and that no file of its working folder is imported."""
    port: int = 0
    health: str = "/health"
    steps: tuple[tuple[str, ...], ...] = ()
    """Commands that have to succeed once it is healthy."""
    order: str = ""
    """A line for its stdin: what ``ps`` shows nobody."""


def recipe_of(asked: EngineSpec, weights: str, *, program: str, port: int) -> Recipe:
    """The recipe of an engine; ``weights`` is a path, or empty where it fetches its own.

    Source: KubeAI 0.22.1, the engine files of its model controller.
    """
    weights = weights or asked.url.removeprefix("hf://").partition("?")[0]
    return {"OLlama": _ollama, "VLLM": _vllm, "Infinity": _infinity}[asked.engine](asked, weights, program, port=port)


def _infinity(asked: EngineSpec, weights: str, program: str, *, port: int) -> Recipe:
    environment = {
        "INFINITY_MODEL_ID": weights,
        "INFINITY_SERVED_MODEL_NAME": asked.name,
        "INFINITY_URL_PREFIX": "/v1",
        "INFINITY_ENGINE": "torch",
        "INFINITY_DEVICE": "cpu",
        "DO_NOT_TRACK": "1",
    }
    ours = {"INFINITY_HOST": LOOPBACK, "INFINITY_PORT": str(port), **_SAFE}
    return Recipe((program, "v2", *asked.arguments), environment, ours, port=port)


def _vllm(asked: EngineSpec, weights: str, program: str, *, port: int) -> Recipe:
    """Its module is run by the Python beside ``program``, because the CPU build's command does not start.

    The last of equal arguments counts, so those of the address come last.
    """
    first, address = (
        [f"--model={weights}", f"--served-model-name={asked.name}"],
        [f"--host={LOOPBACK}", f"--port={port}"],
    )
    environment = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if weights.startswith("s3://"):
        first.append("--load-format=runai_streamer")
    lora = ("--enable-lora",) if asked.adapted else ()
    environment |= {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"} if lora else {}
    command = (f"{program.rpartition('/')[0]}/python", "-P", "-m", "vllm.entrypoints.openai.api_server")
    ours = {"VLLM_HOST_IP": LOOPBACK, **_SAFE}
    return Recipe((*command, *first, *asked.arguments, *lora, *address), environment, ours, port=port)


def _ollama(asked: EngineSpec, weights: str, program: str, *, port: int) -> Recipe:
    """A script in KubeAI's startup probe, single commands without a shell here."""
    source = parse_source(asked.url)
    parameters = {key: value.lower() for key, value in source.parameters.items()}
    environment = {"OLLAMA_KEEP_ALIVE": "999999h"}
    steps: list[tuple[str, ...]] = []
    reference = source.reference
    if source.scheme == "pvc":
        environment["OLLAMA_MODELS"] = weights
        reference = source.parameters.get("model", "")
    elif parameters.get("pull") != "false":
        insecure = ("--insecure",) if parameters.get("insecure") == "true" else ()
        steps.append((program, "pull", *insecure, reference))
    steps.append((program, "cp", reference, asked.name))
    if "TextGeneration" in asked.features:
        steps.append((program, "run", asked.name, "hi"))
    ours = {"OLLAMA_HOST": f"{LOOPBACK}:{port}"}
    return Recipe((program, "serve", *asked.arguments), environment, ours, port=port, health="/", steps=tuple(steps))
