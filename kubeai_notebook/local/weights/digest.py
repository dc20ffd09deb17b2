"""What tells weights from others of the same name: their sha256, since a file behind a url may be replaced.

A file is read once, and again where its size or its time of change is another: it may hold 40 GB. It is read in pieces,
so that a daemon that stops waits for one of them only.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING

from .records import key_of
from .seals import Seal

if TYPE_CHECKING:
    from pathlib import Path

PIECE_BYTES = 16 << 20


async def digest_of(weights: Path, cache: Path) -> str:
    """The sha256 of a file, or of a folder's files with their names; ``""`` where they cannot be read."""
    try:
        listed = sorted(weights.rglob("*")) if weights.is_dir() else [weights]
        files = {str(file.relative_to(weights)): file for file in listed if file.is_file()}
        seal = Seal(cache, f"digest-{key_of(str(weights), '')}")
        sums = seal.sums(files)
        if sums is None:
            sums = {name: await _sha256_of(file) for name, file in files.items()}
            seal.write(files, sums)
    except OSError:
        return ""
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()


async def _sha256_of(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:

        def read() -> int:
            piece = opened.read(PIECE_BYTES)
            digest.update(piece)
            return len(piece)

        while await asyncio.to_thread(read):
            pass
    return digest.hexdigest()
