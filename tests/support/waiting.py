"""Waiting for what comes at its own time: another process, another thread."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

STALL_SECONDS = 30.0
"""For how long a shared machine may stand still: no bound of what is waited for."""


def until(look: Callable[[], Any], seconds: float = STALL_SECONDS) -> Any:
    """What ``look`` gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {look.__qualname__}")


def interrupt_main() -> None:
    """Interrupt the main thread, as a reader does, once it waits.

    An interrupt that hits a callback of the garbage collector, such as Hypothesis has, is printed and lost. One that
    hits between Python's last look for signals and the system's own wait is seen at the next signal only, so it is sent
    until the main thread has left its call.
    """
    main = threading.main_thread().ident or 0

    def place() -> tuple[object, int]:
        frame = sys._current_frames()[main]
        return frame.f_code, frame.f_lasti

    def waits() -> bool:
        before = place()
        time.sleep(0.05)
        return place() == before

    until(waits, 20)
    call = sys._current_frames()[main]  # held, so that no later one is taken for it
    signal.pthread_kill(main, signal.SIGINT)
    while stays(lambda: sys._current_frames()[main] is call, 1):
        signal.pthread_kill(main, signal.SIGINT)


def stays(look: Callable[[], Any], seconds: float) -> bool:
    """Whether ``look`` is true all the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not look():
            return False
        time.sleep(0.01)
    return True


async def eventually(look: Callable[[], Any], seconds: float) -> Any:
    """As `until`, where others have to go on meanwhile."""
    async with asyncio.timeout(seconds):
        while not (seen := look()):
            await asyncio.sleep(0.01)
        return seen
