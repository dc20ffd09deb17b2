"""An engine as a child process: its words go to the Pod's log, and it never outlives us."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .base import Launch

STOP_SECONDS = 3.0
GATHER_SECONDS = 0.05


class EngineProcess:
    """A running process; see ``Engine``."""

    def __init__(self, process: asyncio.subprocess.Process, pump: asyncio.Task[None]) -> None:
        self._process = process
        self._pump = pump
        self.pid = process.pid
        self.address = ""
        self.key = ""

    async def told(self) -> bytes:
        """One line that it reports on its stdout; empty when it ended first."""
        assert self._process.stdout is not None  # noqa: S101  (it is a pipe: asked for below)
        return await self._process.stdout.readline()

    async def wait(self) -> int:
        """Return the exit code when the process has ended and all its words are in the log."""
        code = await self._process.wait()
        await asyncio.wait([self._pump], timeout=STOP_SECONDS)
        return code

    async def stop(self) -> None:
        """End the process; returns when it is gone."""
        if self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        self._pump.cancel()


async def spawn(
    launch: Launch, command: Sequence[str], *, environment: Mapping[str, str], reports: bool
) -> EngineProcess:
    """Start a command for a launch; with ``reports`` its stdout is for ``told`` and only stderr is its log."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe if reports else asyncio.subprocess.STDOUT,
        env=dict(environment),
        cwd=launch.folder,
    )
    stream = process.stderr if reports else process.stdout
    assert stream is not None  # noqa: S101  (it is a pipe: asked for above)
    launch.spawned(process.pid)
    return EngineProcess(process, asyncio.create_task(_pumped(stream, launch.log)))


async def _pumped(stream: asyncio.StreamReader, log: Callable[[bytes], None]) -> None:
    while words := await stream.read(1 << 16):
        log(words)
        # Several lines at once: an engine's chatter must not slow the gateway down.
        await asyncio.sleep(GATHER_SECONDS)
