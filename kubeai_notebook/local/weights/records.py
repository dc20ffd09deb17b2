"""What was fetched, by its url: written down, because the hub's cache and a converted file do not say what they are."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .seals import write_down

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = ".fetched"


@dataclass(frozen=True, slots=True)
class Record:
    """One url's weights: where they lie, and each file of theirs by its name at the source."""

    url: str
    kind: str
    path: str
    title: str
    files: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int | None:
        """What the files take; None where one is gone."""
        try:
            return sum(Path(path).stat().st_size for path in self.files.values())
        except OSError:
            return None

    def write(self, cache: Path) -> None:
        """Keep it in a cache; the last of one url and kind counts."""
        write_down(cache / f"{key_of(self.url, self.kind)}{SUFFIX}", asdict(self))


def key_of(url: str, kind: str) -> str:
    """A file's name for a url, which may hold any character, and a login."""
    return hashlib.sha256(f"{kind} {url}".encode()).hexdigest()[:16]


def record_of(cache: Path, url: str, kind: str) -> Record | None:
    """What is written down of a url's weights."""
    return _read(cache / f"{key_of(url, kind)}{SUFFIX}")


def records(cache: Path) -> Iterator[Record]:
    """Everything that is written down and still there."""
    for path in sorted(cache.glob(f"*{SUFFIX}")):
        if (record := _read(path)) and record.bytes is not None:
            yield record


def _read(path: Path) -> Record | None:
    with suppress(OSError, ValueError, TypeError):
        return Record(**json.loads(path.read_text()))
    return None
