"""llama.cpp in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING

from .base import EngineEndedError
from .process import EngineProcess, spawn

if TYPE_CHECKING:
    from pathlib import Path

    from .base import Engine, Launch

# With OpenMP's default of spinning, two busy cores fall from 50 to 3 tokens a second.
_QUIET = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}


async def start(launch: Launch, *, embedding: bool, program: Path | None = None) -> Engine:
    """Start the worker (or a test's ``program`` that behaves as one) and return when it answers.

    Raises:
        EngineEndedError: it ended before that; its own log says why.
    """
    ours = ["--parent", str(os.getpid()), "--weights", str(launch.weights), "--alias", launch.name]
    ours += ["--threads", str(launch.threads), "--cache", str(launch.cache)]
    ours += ["--embedding"] if embedding else []
    ours += [part for name, path in launch.adapters.items() for part in ("--adapter", f"{name}={path}")]
    worker = [str(program)] if program else ["-m", f"{__package__}.llamacpp_worker"]
    command = [sys.executable, *worker, *ours, "--", *launch.arguments]
    engine = await spawn(launch, command, environment={**launch.environment, **_QUIET}, reports=True)
    return await _answering(engine)


async def _answering(engine: EngineProcess) -> Engine:
    try:
        report = await engine.told()
    except asyncio.CancelledError:
        await engine.stop()
        raise
    if not report:
        raise EngineEndedError(await engine.wait())
    told = json.loads(report)
    engine.address, engine.key = told["address"], told["key"]
    return engine
