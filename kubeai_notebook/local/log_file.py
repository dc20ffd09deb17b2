"""The daemon's own log: what all of its parts, Python and the native libraries write, bounded.

It is the process's stdout and stderr, so nobody but the kernel sees each write, and the file cannot be renamed away
from under them. It is copied to ``daemon.log.1`` and emptied when it is large; whoever writes appends.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 10_000_000
LOOK_SECONDS = 5.0


async def keep_bounded(log: Path) -> None:
    """Look after the log for ever."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        with suppress(OSError):
            if log.stat().st_size > MAX_BYTES:
                await asyncio.to_thread(_emptied, log)


def whole(log: Path) -> str:
    """The text that is kept, the oldest first."""
    return "".join(path.read_text(errors="replace") for path in (_old(log), log) if path.is_file())


def _old(log: Path) -> Path:
    return log.with_name(f"{log.name}.1")


def _emptied(log: Path) -> None:
    """Keep the newest lines in the old log; on a full disk nothing of them."""
    old = _old(log)
    try:
        old.unlink(missing_ok=True)
        with log.open("rb") as source, os.fdopen(os.open(old, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as copy:
            source.seek(max(0, log.stat().st_size - MAX_BYTES))
            shutil.copyfileobj(source, copy)
    except OSError:
        old.unlink(missing_ok=True)
    os.truncate(log, 0)
