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

from kubeai_notebook.core.masking import masked
from kubeai_notebook.errors import LocalError

from .home import write_secret

if TYPE_CHECKING:
    from .home import Home

_GGUF = b"GGUF"
"""What such a file begins with."""
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
    """Have these paths stand for these urls from now on, whether a daemon runs or not.

    Raises:
        LocalError: a file is no weights file; nothing was added.
    """
    for url, path in mappings.items():
        if path.is_file() and not _is_gguf(path):
            raise LocalError(
                f'{path} cannot stand for "{masked(url)}": it is no GGUF file.',
                "Name a .gguf file, or the folder of the model's files.",
            )
    with home.starting():
        try:
            before = added(home.added_weights)
        except (OSError, ValueError):
            before = {}
        kept = {url: str(path) for url, path in {**before, **mappings}.items()}
        write_secret(home.added_weights, json.dumps(kept, indent=1))


def mapping_of(mapped: Mapping[str, Path], url: str) -> tuple[Path, str] | None:
    """What stands for the url, and the path below it: a claim is mapped with all its folders."""
    plain = url.partition("?")[0]
    for name in (url, plain):
        if name in mapped:
            return mapped[name], ""
    claim = "/".join(plain.split("/")[:3])
    if plain.startswith("pvc://") and claim in mapped:
        return mapped[claim], plain.removeprefix(claim).strip("/")
    return None


def mapped_path(mapped: Mapping[str, Path], url: str) -> Path | None:
    """The file, or the folder of files, that stands for the url; None where nothing does.

    Raises:
        LocalError: it is not there, is not usable, or leads out of its claim's folder.
    """
    mapping = mapping_of(mapped, url)
    return _usable(url, _inside(url, *mapping)) if mapping else None


def _inside(url: str, root: Path, below: str) -> Path:
    """The path below a mapped folder; LocalError when it leads out of it, be it by a link."""
    path = (root / below).resolve()
    if below and not path.is_relative_to(root.resolve()):
        raise LocalError(
            f'"{masked(url)}" leads out of the folder that stands for its claim.', "Name a path inside it."
        )
    if not path.exists():
        raise LocalError(f'"{masked(url)}" is not there: {path} does not exist.', "Check the path.")
    return path


def _is_gguf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_GGUF)) == _GGUF


def _usable(url: str, path: Path) -> Path:
    """The path itself if it is a file or a folder of files, or the one .gguf file in it."""
    if path.is_file() or any((path / name).is_file() for name in ("config.json", "adapter_config.json")):
        return path
    files = sorted(path.glob("*.gguf"))
    if len(files) != 1:
        reason = f"{path} holds {len(files)} .gguf files, not one"
        step = "Name one of these files." if files else "Name a .gguf file, or a folder with a config.json."
        raise LocalError(f'The weights for "{masked(url)}" are not usable: {reason}.', step)
    return files[0]
