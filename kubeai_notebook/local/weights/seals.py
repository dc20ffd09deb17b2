"""Whether fetched files are still what was fetched: their sizes, times and checksums, written down beside them.

A file of the right name proves nothing: a disk loses blocks, a crash cuts a file short, a copy stops half-way. At each
start size and time of change are compared, which costs nothing; where they differ, once a day, and when an engine
could not load the files, the checksums are.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DAY_SECONDS = 24 * 60 * 60.0
HOUR_SECONDS = 60 * 60.0
SUFFIX = ".sums"


def sha256_of(path: Path) -> str:
    """The checksum of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_down(path: Path, notes: object) -> None:
    """Write JSON, whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(notes))
    fresh.replace(path)


class Seal:
    """What is known of some files, by their names; kept as ``<name>.sums`` in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}{SUFFIX}"

    def is_fresh(self, files: Mapping[str, Path], *, within_seconds: float = DAY_SECONDS) -> bool:
        """Whether no file has changed since its checksum was compared, and that was not long ago."""
        checked = self._kept().get("checked", 0.0)
        return 0 <= time.time() - checked < within_seconds and self.sums(files) is not None

    def fault(
        self, files: Mapping[str, Path], sums: Mapping[str, str], *, sizes: Mapping[str, int], doubted: bool
    ) -> str | None:
        """Why files are damaged, or None; ``sums`` and ``sizes`` are known from elsewhere, and stronger than ours.

        ``doubted``: an engine could not load them.
        """
        if self.is_fresh(files, within_seconds=HOUR_SECONDS if doubted else DAY_SECONDS):
            return None
        known = self._kept().get("files", {})
        for name, path in files.items():
            if not path.is_file():
                return f"{path.name} is missing"
            size, wanted = path.stat().st_size, sizes.get(name, known.get(name, (None,))[0])
            if wanted not in (None, size):
                return f"{path.name} holds {size} bytes instead of {wanted}"
        expected = {name: entry[2] for name, entry in known.items()} | dict(sums)
        present = {name: sha256_of(path) for name, path in files.items()}
        for name, path in files.items():
            if present[name] != expected.get(name, present[name]):
                return f"{path.name} has another sha256 than when it was fetched"
        self.write(files, present)
        return None

    def sums(self, files: Mapping[str, Path]) -> dict[str, str] | None:
        """The checksum of each file as it is written down; None where one has changed since."""
        known = self._kept().get("files", {})
        if known.keys() != files.keys() or any(known[name][:2] != _seen(path) for name, path in files.items()):
            return None
        return {name: entry[2] for name, entry in known.items()}

    def write(self, files: Mapping[str, Path], sums: Mapping[str, str] | None = None) -> None:
        """Write down what these files are now."""
        kept = sums or {name: sha256_of(path) for name, path in files.items()}
        known = {name: [*_seen(path), kept[name]] for name, path in files.items()}
        write_down(self._path, {"checked": time.time(), "files": known})

    def _kept(self) -> dict[str, Any]:
        """What is written down; nothing where that cannot be read."""
        try:
            kept = json.loads(self._path.read_text())
            sound = isinstance(kept["checked"], int | float)
            sound = sound and all(len(entry) == 3 for entry in kept["files"].values())
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return {}
        return kept if sound else {}


def _seen(path: Path) -> list[int]:
    try:
        facts = path.stat()
    except OSError:
        return []
    return [facts.st_size, facts.st_ctime_ns]
