"""Waiting for what comes at its own time: another process, another thread."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def until(look: Callable[[], Any], seconds: float) -> Any:
    """What ``look`` gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {look.__qualname__}")


async def eventually(look: Callable[[], Any], seconds: float) -> Any:
    """As `until`, where others have to go on meanwhile."""
    async with asyncio.timeout(seconds):
        while not (seen := look()):
            await asyncio.sleep(0.01)
        return seen
