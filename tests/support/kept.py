"""The file of kept answers: a key in it, and another program that locks it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def digest(number: int) -> bytes:
    """A key of an answer."""
    return sha256(str(number).encode()).digest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program that writes, and takes its time."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
