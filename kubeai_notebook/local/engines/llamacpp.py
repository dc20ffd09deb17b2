"""llama.cpp in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING

from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from .base import Engine, Launch

# With OpenMP's default of spinning, two busy cores fall from 50 to 3 tokens a second.
_QUIET = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
STOP_SECONDS = 3.0


class LlamaCpp:
    """A running worker; see ``Engine``."""

    def __init__(self, process: asyncio.subprocess.Process, *, address: str, key: str) -> None:
        self._process = process
        self.address = address
        self.key = key

    async def wait(self) -> int:
        """Return the exit code when the process has ended."""
        return await self._process.wait()

    async def stop(self) -> None:
        """End the process; returns when it is gone."""
        await _stop(self._process)


async def start(launch: Launch, *, name: str) -> Engine:
    """Start the worker and return when it answers.

    Raises:
        LocalError: it ended before that; its own log says why. ``hint`` holds the exit code.
    """
    with launch.log.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"{__package__}.llamacpp_worker"),
            *("--parent", str(os.getpid()), "--weights", str(launch.weights), "--alias", name),
            "--",
            *launch.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**launch.environment, **_QUIET},
        )
    try:
        assert process.stdout is not None  # noqa: S101  (it is a pipe: asked for above)
        report = await process.stdout.readline()
    except asyncio.CancelledError:
        await _stop(process)
        raise
    if not report:
        raise EngineEndedError(await process.wait())
    told = json.loads(report)
    return LlamaCpp(process, address=told["address"], key=told["key"])


class EngineEndedError(LocalError):
    """The engine ended before it answered; its own log says why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"The engine ended with exit code {code} before it answered.", "Its log says why.")
        self.code = code


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
