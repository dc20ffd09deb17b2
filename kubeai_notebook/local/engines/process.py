"""An engine as a child process: started by a recipe, its words in the Pod's log, and never outliving us."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from kubeai_notebook.core.kubeai.this_machine import NO_LOGIN
from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.leash import leashed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kubeai_notebook.local.emulation.engine_commands import EngineSpec, Recipe

HEALTH_SECONDS = 0.5
STOP_SECONDS = 3.0
GATHER_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything that starting an engine takes."""

    asked: EngineSpec
    weights: Path | None
    """A GGUF file, a folder as of the hub, or a manifest of Ollama's; None where the engine fetches its own."""
    environment: Mapping[str, str]
    """The Model's own variables."""
    inherited: Mapping[str, str]
    """The daemon's own variables, as the container's image would set some; every other source overrides them."""
    folder: Path
    """The Pod's own, where the engine works."""
    log: Callable[[bytes], None]
    threads: int = 1
    memory_bytes: int | None = None
    """The Pod's limit, where it has one."""
    spawned: Callable[[int], None] = lambda _pid: None
    """Told the process' id while it is still loading."""


class EngineEndedError(LocalError):
    """The engine ended before it answered; its own log says why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"The engine ended with exit code {code} before it answered.", "Its log says why.")
        self.code = code


async def start(launch: Launch, recipe: Recipe) -> Engine:
    """Start the engine and return when it answers. EngineEndedError: it, or one of its steps, ended before that."""
    engine = await _spawned(launch, recipe, recipe.command)
    ready, ended = asyncio.create_task(engine.answering()), asyncio.create_task(engine.wait())
    try:
        await asyncio.wait([ready, ended], return_when=asyncio.FIRST_COMPLETED)
        if not ready.done() or not ready.result():
            raise EngineEndedError(await ended)
        for step in recipe.steps:
            running = await _spawned(launch, recipe, step)
            try:
                if code := await running.wait():
                    raise EngineEndedError(code)
            finally:
                await running.stop()
    except BaseException:  # a cancelled start, too, leaves no process
        await engine.stop()
        raise
    finally:
        ready.cancel()
        ended.cancel()
    return engine


class Engine:
    """A running process, and where it answers."""

    def __init__(self, process: asyncio.subprocess.Process, pump: asyncio.Task[None], recipe: Recipe) -> None:
        self._process = process
        self._pump = pump
        self._recipe = recipe
        self.address = f"http://127.0.0.1:{recipe.port}" if recipe.port else ""
        """Base url, without ``/v1``."""
        self.key = ""
        """What the engine wants as bearer token, so that only the gateway can ask it; may be empty."""
        self._listens = False
        """Whether it is told of adapters by its stdin, as llama.cpp's worker; else by vLLM's requests."""
        self.ignored = ""
        """Arguments of the Model's that it does not know, as it reports them, masked."""
        self.adapters: list[str] = []
        """Those that are loaded, in the engine's own order."""

    @property
    def numbered(self) -> tuple[str, ...]:
        """Adapters that a request must ask for by number, as llama.cpp wants it."""
        return tuple(self.adapters) if self._listens else ()

    async def answering(self) -> bool:
        """Return once it answers; False when it ended instead."""
        if not self._recipe.port:
            return "address" in await self._report()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as client:
            while True:
                try:
                    async with client.get(self.address + self._recipe.health) as answer:
                        if answer.ok:
                            return True
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(HEALTH_SECONDS)

    async def load(self, name: str, path: Path | None) -> None:
        """Load an adapter or (None) unload it. LocalError in the engine's words; all others still serve."""
        if not self._listens:
            await self._post(name, path)
        else:
            line = {"name": name, "path": path and str(path)}
            assert self._process.stdin is not None  # noqa: S101  (it is a pipe: asked for below)
            self._process.stdin.write(json.dumps(line).encode() + b"\n")
            report = await self._report()
            if "error" in report or not report:
                raise LocalError(report.get("error", "the engine has ended"))
        self.adapters = [other for other in self.adapters if other != name] + [name] * (path is not None)

    async def _post(self, name: str, path: Path | None) -> None:
        """As KubeAI's operator: an adapter that is loaded already is no failure, nor one that is unloaded."""
        verb, where = ("load", {"lora_path": str(path)}) if path else ("unload", {})
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            async with (
                aiohttp.ClientSession(headers=headers) as client,
                client.post(f"{self.address}/v1/{verb}_lora_adapter", json={"lora_name": name, **where}) as answer,
            ):
                reason = await answer.text()
        except aiohttp.ClientError as error:
            raise LocalError(f"{type(error).__name__}: {error}") from error
        if not answer.ok and not (answer.status == 400 and ("already" if path else "cannot be found") in reason):
            raise LocalError(f"{answer.status} {reason}")

    async def _report(self) -> dict[str, Any]:
        """One line that it reports on its stdout; empty when it ended instead."""
        assert self._process.stdout is not None  # noqa: S101  (it is a pipe: asked for below)
        report: dict[str, Any] = json.loads(await self._process.stdout.readline() or b"{}")
        self.address, self.key = report.get("address", self.address), report.get("key", self.key)
        self._listens = self._listens or "listens" in report
        self.ignored = report.get("ignored", self.ignored)
        return report

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


async def _spawned(launch: Launch, recipe: Recipe, command: tuple[str, ...]) -> Engine:
    """Start a command; one with a port of its own says all for its log, another's stdout is for what it reports."""
    pipe, tells = asyncio.subprocess.PIPE, not recipe.port
    process = await asyncio.create_subprocess_exec(
        *(command if tells else leashed(*command)),
        stdin=pipe if tells else asyncio.subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe if tells else asyncio.subprocess.STDOUT,
        env={
            "OMP_NUM_THREADS": str(launch.threads),
            **launch.inherited,
            **recipe.environment,
            **launch.environment,
            **NO_LOGIN,
            **recipe.ours,
        },
        cwd=launch.folder,
    )
    if recipe.order and process.stdin is not None:
        process.stdin.write(recipe.order.encode() + b"\n")
    stream = process.stderr if tells else process.stdout
    assert stream is not None  # noqa: S101  (it is a pipe: asked for above)
    launch.spawned(process.pid)
    return Engine(process, asyncio.create_task(_pumped(stream, launch.log)), recipe)


async def _pumped(stream: asyncio.StreamReader, log: Callable[[bytes], None]) -> None:
    """Read to the end, whatever becomes of the words: an engine whose pipe is full would stand still."""
    while words := await stream.read(1 << 16):
        with suppress(OSError):
            log(words)
        # Several lines at once: an engine's chatter must not slow the gateway down.
        await asyncio.sleep(GATHER_SECONDS)
