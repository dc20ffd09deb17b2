"""What the process that fetches tells its parent, a JSON line each, and whether there is room for what it fetches."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from kubeai_notebook.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOOK_SECONDS = 0.3
SLACK_BYTES = 1 << 20
"""What a file may hold beyond what is listed: a library keeps notes too."""
MOST_LETTERS = 2000
"""Of a sentence that is told."""
_reports: TextIO | None = None


def tell(**words: object) -> None:
    """Say ``done`` and ``total`` bytes, what is ``damaged``, a ``note`` for the log, and at the end the ``path``."""
    reports = _reports or sys.stdout
    told = {name: word[:MOST_LETTERS] if isinstance(word, str) else word for name, word in words.items()}
    reports.write(json.dumps(told) + "\n")
    reports.flush()


def tell_apart() -> None:
    """Keep stdout for what is told here: what a library prints, which may be a hub's own words, goes to stderr."""
    global _reports  # noqa: PLW0603  (there is one stdout)
    _reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)


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
    before = _bytes_below(folder)
    with reporting(lambda: min(_bytes_below(folder) - before, total), total=total):
        yield


@contextmanager
def reporting(done: Callable[[], int], *, total: int) -> Iterator[None]:
    """Tell how far it is three times a second, also while nothing arrives: whoever reads it sees that."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            if (size := done()) > 0:
                tell(done=size, total=total)

    looking = threading.Thread(target=look, name="progress", daemon=True)
    looking.start()
    try:
        yield
    finally:
        ended.set()
        looking.join()
    if total:
        tell(done=total, total=total)


@contextmanager
def no_larger(size: int, refusal: LocalError) -> Iterator[None]:
    """Refuse to write a file that is larger than its source lists it: no library that downloads counts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = size + SLACK_BYTES
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    try:
        yield
    except OSError as error:
        raise (refusal if error.errno == errno.EFBIG else error) from error
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _bytes_below(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        # A library renames its half files while we look.
        with suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size
