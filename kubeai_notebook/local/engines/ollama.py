"""Ollama, where the machine has it: served, pulled and aliased as by KubeAI's startup probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.source import parse_source

from .external import Recipe

if TYPE_CHECKING:
    from .base import Launch


def recipe(launch: Launch, program: str, port: int) -> Recipe:
    """Source: KubeAI 0.22.1, the Ollama engine; a script there, single commands without a shell here."""
    source = parse_source(launch.url)
    asked = {key: value.lower() for key, value in source.parameters.items()}
    environment = {"OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_KEEP_ALIVE": "999999h"}
    steps: list[tuple[str, ...]] = []
    reference = source.reference
    if source.scheme == "pvc":
        environment["OLLAMA_MODELS"] = str(launch.weights)
        reference = source.parameters.get("model", "")
    elif asked.get("pull") != "false":
        insecure = ("--insecure",) if asked.get("insecure") == "true" else ()
        steps.append((program, "pull", *insecure, reference))
    steps.append((program, "cp", reference, launch.name))
    if "TextGeneration" in launch.features:
        steps.append((program, "run", launch.name, "hi"))
    return Recipe((program, "serve", *launch.arguments), environment, "/", tuple(steps))
