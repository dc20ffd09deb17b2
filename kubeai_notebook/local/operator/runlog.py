"""The log of one run of a container, limited as the kubelet limits it: a chatty engine cannot fill the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 10 * 1024 * 1024
"""The kubelet's default; what went before is kept once beside it, so that a run takes twice this at most."""


class RunLog:
    """Appends to ``path``; when that is full it becomes ``path.old`` and a new file begins."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._file = path.open("ab", buffering=0)

    def write(self, words: bytes) -> None:
        """Append what an engine said."""
        if 0 < self._file.tell() > self._max_bytes - len(words):
            self._file.close()
            self._path.replace(self._path.with_suffix(".old"))
            self._file = self._path.open("ab", buffering=0)
        self._file.write(words)

    def say(self, text: str) -> None:
        """Append a line of ours."""
        self.write(f"{text}\n".encode())

    def forget(self) -> None:
        """Delete the files."""
        self._file.close()
        for path in (self._path, self._path.with_suffix(".old")):
            path.unlink(missing_ok=True)
