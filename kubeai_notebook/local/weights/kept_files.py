"""Files that are kept: where they may lie, whether they are whole, and how they go."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from kubeai_notebook.errors import LocalError
from kubeai_notebook.text import one_line

from .progress import tell
from .seals import Seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path


def whole(
    seal: Seal, files: Mapping[str, Path], sums: Mapping[str, str], *, sizes: Mapping[str, int], doubted: bool
) -> bool:
    """Whether what lies here is what was fetched; else that is told."""
    fault = seal.fault(files, sums, sizes=sizes, doubted=doubted)
    if fault:
        tell(damaged=fault)
    return fault is None


def kept(
    target: Path,
    files: Mapping[str, Path],
    fetch: Callable[[], Path],
    *,
    sums: Mapping[str, str] | None = None,
    sizes: Mapping[str, int] | None = None,
    doubted: bool,
) -> None:
    """Have ``target`` hold these whole files: as they lie here, or else as ``fetch`` brings them, moved in one step."""
    seal = Seal(target.parent, target.name)
    if target.exists() and whole(seal, files, sums or {}, sizes=sizes or {}, doubted=doubted):
        return
    remove(target)
    fetch().replace(target)
    seal.write(files)


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def below(folder: Path, names: Iterable[str], *, where: str) -> dict[str, Path]:
    """Where files of these names lie in a folder. LocalError when one would lie outside: a store may say any name."""
    files = {name: folder / name for name in names}
    for name, path in files.items():
        if folder.resolve() not in path.resolve().parents:
            raise LocalError(f'{where} has a file named "{one_line(name, 100)}", which leads out of its folder.')
    return files


def place_of(paths: list[Path]) -> Path:
    """The one file, or the folder that the first of several lies in."""
    return paths[0] if len(paths) == 1 else paths[0].parent
