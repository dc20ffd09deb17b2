"""What the process that fetches tells its parent, a JSON line each, and whether there is room for what it fetches."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOK_SECONDS = 0.3


def tell(**words: object) -> None:
    """Say ``done`` and ``total`` bytes, what is ``damaged``, a ``note`` for the log, and at the end the ``path``."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def check_room(folder: Path, *, name: str, needed: int) -> None:
    """LocalError when a disk has fewer bytes free than are ``needed`` in a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < needed:
        raise full(folder, name=name, needed=needed)


def full(folder: Path, *, name: str, needed: int) -> LocalError:
    """That a disk has no room, with both figures."""
    free = shutil.disk_usage(folder).free
    message = f"No space left on device: {name} needs {needed / 1e6:.0f} MB in {folder}, {free / 1e6:.0f} MB are free."
    return LocalError(message)


@contextmanager
def watched(folder: Path, *, name: str, total: int, room: int = 0) -> Iterator[None]:
    """Check for room, and tell how much has arrived below a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    check_room(folder.parent, name=name, needed=room or total)
    before, left = _bytes_below(folder), threading.Event()

    def look() -> None:
        while not left.wait(LOOK_SECONDS):
            if (done := _bytes_below(folder) - before) > 0:
                tell(done=min(done, total), total=total)

    threading.Thread(target=look, name="progress", daemon=True).start()
    try:
        yield
    finally:
        left.set()
    tell(done=total, total=total)


class Meter:
    """Tells how far several files are together, some bytes of which may have been here before."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._told = float("-inf")

    def add(self, size: int) -> None:
        """So many bytes more are here; fewer, where some had to go."""
        self._done += size
        if self._done == self._total or time.monotonic() - self._told >= LOOK_SECONDS:
            self._told = time.monotonic()
            tell(done=self._done, total=self._total)


def _bytes_below(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        # A library renames its half files while we look.
        with suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size
