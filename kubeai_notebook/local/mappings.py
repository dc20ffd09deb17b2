"""Which file or folder stands for a model url: from the daemon's command line, and from ``kubeai-local add``.

To add one file, a daemon once had to be stopped, with all its engines. So what is added lies in a file of the daemon's
folder, which is read again whenever it has changed: Models that wait for their weights get them at their next try.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .home import write_secret

if TYPE_CHECKING:
    from .home import Home

log = logging.getLogger("kubeai-local")


class Mappings(Mapping[str, Path]):
    """Paths by model url; those of the command line go before those that were added."""

    def __init__(self, stated: Mapping[str, Path], home: Home) -> None:
        self._stated, self._file = dict(stated), home.added_weights
        self._seen: tuple[int, int] | None = None
        self._added: dict[str, Path] = {}

    def __getitem__(self, url: str) -> Path:
        return self._now()[url]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def _now(self) -> dict[str, Path]:
        try:
            stat = self._file.stat()
            if (seen := (stat.st_mtime_ns, stat.st_ino)) != self._seen:
                self._seen, self._added = seen, added(self._file)
        except FileNotFoundError:
            self._added = {}
        except (OSError, ValueError):
            # Until somebody mends it, what was read before counts.
            log.warning("%s cannot be read; kubeai-local add writes it anew.", self._file)
        return {**self._added, **self._stated}


def added(file: Path) -> dict[str, Path]:
    """What was added so far. ValueError where the file is damaged."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(kept, dict) or not all(isinstance(path, str) for path in kept.values()):
        raise ValueError("no mapping of urls to paths")
    return {url: Path(path) for url, path in kept.items()}


def add(home: Home, mappings: Mapping[str, Path]) -> None:
    """Have these paths stand for these urls from now on, whether a daemon runs or not."""
    with home.starting():
        try:
            before = added(home.added_weights)
        except (OSError, ValueError):
            before = {}
        kept = {url: str(path) for url, path in {**before, **mappings}.items()}
        write_secret(home.added_weights, json.dumps(kept, indent=1))
