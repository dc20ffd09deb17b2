"""Which engines this machine has, and how llama.cpp is started in the place of the others."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from kubeai_notebook.local.emulation.engine_commands import Recipe, recipe_of
from kubeai_notebook.local.emulation.stand_in import embeds, stands_in
from kubeai_notebook.local.environment import import_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .process import Launch

_PROGRAMS = {"OLlama": "ollama", "VLLM": "vllm", "Infinity": "infinity_emb"}
# With OpenMP's default of spinning, two busy cores fall from 50 to 3 tokens a second.
_QUIET = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}


def program_of(engine: str, environment: Mapping[str, str]) -> str | None:
    """The real engine's program, where this machine has it."""
    return shutil.which(_PROGRAMS.get(engine, ""), path=environment.get("PATH", ""))


def image_of(engine: str) -> str:
    """The image a Pod names: the engine that really runs."""
    if not stands_in(engine):
        return f"no {engine} on this machine"
    try:
        return f"llama.cpp {version('xllamacpp')}"
    except PackageNotFoundError:
        return "llama.cpp (not installed)"


def real(launch: Launch, program: str) -> Recipe:
    """The recipe of a real engine, on a loopback port that nobody has."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return recipe_of(launch.asked, str(launch.weights or ""), program=program, port=bound.getsockname()[1])


def stand_in(launch: Launch, import_from: str = "", program: Path | None = None) -> Recipe:
    """The recipe of llama.cpp's worker, or of a test's ``program`` that behaves as one.

    ``import_from`` is the daemon's own PYTHONPATH.
    """
    asked = launch.asked
    ours = ["--parent", str(os.getpid()), "--weights", str(launch.weights), "--alias", asked.name]
    ours += ["--threads", str(launch.threads), *(["--embedding"] if embeds(asked.engine, asked.features) else [])]
    worker = [str(program)] if program else ["-m", f"{__package__}.llamacpp_worker"]
    ours += ["--memory", str(launch.memory_bytes)] if launch.memory_bytes else []
    path = import_path({}, import_from)
    return Recipe((sys.executable, "-P", *worker, *ours), _QUIET, path, order=json.dumps(asked.arguments))
