"""The command line of ``kubeai-notebook``: ``demo`` opens JupyterLab on a copy of the tour.

JupyterLab and the engines of this machine are extras of the package, so this asks whether they are there before it
starts anything.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TOUR = "00_tour.ipynb"
NEEDED = {"jupyterlab": "JupyterLab", "ipykernel": "Python's kernel", "xllamacpp": "the engine of this machine"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = _parser().parse_args(arguments)
    missing = [title for module, title in NEEDED.items() if find_spec(module) is None]
    if missing:
        sys.stderr.write(f"The demo needs {' and '.join(missing)}: pip install 'kubeai-notebook[demo]'\n")
        return 1
    folder = Path(options.folder or tempfile.mkdtemp(prefix="kubeai-demo-")).resolve()
    notebook = _tour_in(folder)
    sys.stderr.write(f"The tour is {notebook}.\n")
    command = [sys.executable, "-m", "jupyterlab", str(notebook), f"--ServerApp.root_dir={folder}"]
    command += ["--no-browser"] if options.no_browser else []
    command += [] if options.port is None else [f"--ServerApp.port={options.port}"]
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:  # JupyterLab gets Ctrl-C, too, and has said goodbye
        return 0


def _tour_in(folder: Path) -> Path:
    """A copy of the tour; one that the user has worked in stays."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / TOUR
    if not copy.exists():
        packaged = Path(__file__).parent / "notebooks" / TOUR
        source = packaged if packaged.exists() else Path(__file__).parents[1] / "notebooks" / TOUR
        copy.write_bytes(source.read_bytes())
    return copy


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kubeai-notebook", description="Serve open models from a notebook.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="open JupyterLab on a copy of the tour")
    demo.add_argument("folder", nargs="?", help="where the copy is put; by default a new temporary folder")
    demo.add_argument("--no-browser", action="store_true", help="only print the address")
    demo.add_argument("--port", type=int, help="JupyterLab's port; by default a free one from 8888 on")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
