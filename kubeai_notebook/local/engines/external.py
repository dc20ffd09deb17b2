"""Engines that this machine has: started as KubeAI starts them, and asked for their health until they answer."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from kubeai_notebook.errors import LocalError

from .base import EngineEndedError
from .process import EngineProcess, spawn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .base import Engine, Launch

HEALTH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one engine is started on a port; it counts as ready after ``steps`` (commands) and ``posts`` (path, body)."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    health: str
    steps: tuple[tuple[str, ...], ...] = ()
    posts: tuple[tuple[str, Mapping[str, str]], ...] = ()


def free_port() -> int:
    """A loopback port that nobody has."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


async def start(launch: Launch, recipe: Recipe, *, port: int) -> Engine:
    """Start the engine and return when it answers. EngineEndedError: it, or one of its steps, ended before that."""
    # What the Model's env says comes last and wins, as in the Pod.
    environment = {"OMP_NUM_THREADS": str(launch.threads), **recipe.environment, **launch.environment}
    engine = await _spawned(launch, recipe.command, environment)
    engine.address = f"http://127.0.0.1:{port}"
    healthy = asyncio.create_task(_healthy(engine.address + recipe.health))
    ended = asyncio.create_task(engine.wait())
    try:
        await asyncio.wait([healthy, ended], return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise EngineEndedError(ended.result())
        for step in recipe.steps:
            running = await _spawned(launch, step, environment)
            try:
                if code := await running.wait():
                    raise EngineEndedError(code)
            finally:
                await running.stop()
        async with aiohttp.ClientSession() as client:
            for path, body in recipe.posts:
                async with client.post(engine.address + path, json=body) as answer:
                    launch.log(await answer.read() + b"\n")
                    if not answer.ok:
                        raise LocalError(f"{path} answered {answer.status} for {' '.join(body.values())}.")
    except BaseException:
        await engine.stop()
        raise
    finally:
        healthy.cancel()
        ended.cancel()
    return engine


async def _spawned(launch: Launch, command: tuple[str, ...], environment: Mapping[str, str]) -> EngineProcess:
    supervisor = (sys.executable, "-m", f"{__package__}.supervisor", str(os.getpid()))
    return await spawn(launch, (*supervisor, *command), environment=environment, reports=False)


async def _healthy(url: str) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as client:
        while True:
            try:
                async with client.get(url) as answer:
                    if answer.ok:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(HEALTH_SECONDS)
