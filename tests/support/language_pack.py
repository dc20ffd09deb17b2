"""An Italian language pack for JupyterLab that knows none of JupyterLab's own words: it makes Italian a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "jupyterlab_language_pack_it_IT"


def distribution(folder: Path, name: str, group: str, **entries: str) -> None:
    """Put what an installed distribution declares into a folder of the path."""
    info = folder / f"{name}-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    lines = [f"[{group}]", *(f"{entry} = {value}" for entry, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def language_pack(folder: Path) -> None:
    """Put the pack into a folder of the path."""
    package = folder / NAME
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    distribution(folder, NAME, "jupyterlab.languagepack", it_IT=NAME)
