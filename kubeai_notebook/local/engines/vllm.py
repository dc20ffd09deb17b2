"""vLLM, where the machine has it (a GPU, or the CPU build)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .external import Recipe

if TYPE_CHECKING:
    from .base import Launch


def recipe(launch: Launch, program: str, port: int) -> Recipe:
    """Source: KubeAI 0.22.1, the vLLM engine. Its module is run, because the CPU build's command does not start."""
    model = str(launch.weights or launch.url.removeprefix("hf://").partition("?")[0])
    ours = [f"--model={model}", f"--served-model-name={launch.name}", "--host=127.0.0.1", f"--port={port}"]
    environment = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if launch.url.startswith("s3://") and launch.weights is None:
        ours.append("--load-format=runai_streamer")
    lora = ("--enable-lora",) if launch.adapters else ()
    if lora:
        environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "True"
    # The engine that KubeAI's operator would ask after the start is asked here before it counts as ready.
    bodies = ({"lora_name": name, "lora_path": str(path)} for name, path in launch.adapters.items())
    posts = tuple(("/v1/load_lora_adapter", body) for body in bodies)
    python = str(Path(program).with_name("python"))
    module = "vllm.entrypoints.openai.api_server"
    return Recipe((python, "-m", module, *ours, *launch.arguments, *lora), environment, "/health", posts=posts)
