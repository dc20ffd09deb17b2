"""The command line of ``kubeai-notebook``: ``demo`` opens JupyterLab on a copy of the tour.

JupyterLab and the engines of this machine are extras of the package, so this asks whether they are there before it
starts anything. ``uvx kubeai-notebook demo`` makes an environment without them, and is run again with them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import distribution
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
    uv = os.environ.get("UV", "")  # its own program, which `uvx` names to what it runs
    if missing and uv and not options.again:
        sys.stderr.write(f"The demo needs {' and '.join(missing)}, which uv fetches.\n")
        return _run(_with_the_extra(uv, sys.argv[1:] if arguments is None else arguments))
    if missing:
        sys.stderr.write(f"The demo needs {' and '.join(missing)}: pip install 'kubeai-notebook[demo]'\n")
        return 1
    folder = Path(options.folder or tempfile.mkdtemp(prefix="kubeai-demo-")).resolve()
    notebook = _tour_in(folder)
    sys.stderr.write(f"The tour is {notebook}.\n")
    command = [sys.executable, "-m", "jupyterlab", str(notebook), f"--ServerApp.root_dir={folder}"]
    command += ["--no-browser"] if options.no_browser else []
    command += [] if options.port is None else [f"--ServerApp.port={options.port}"]
    if os.geteuid() == 0:
        sys.stderr.write("You are root: JupyterLab is started with --allow-root.\n")
        command += ["--allow-root"]
    return _run(command)


def _run(command: list[str]) -> int:
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:  # what runs gets Ctrl-C, too, and has said goodbye
        return 0


def _with_the_extra(uv: str, arguments: Sequence[str]) -> list[str]:
    """The same command in an environment that has the extra, of the same wheel or release, by the same Python."""
    here = distribution("kubeai-notebook")
    direct = here.read_text("direct_url.json")
    origin = f" @ {json.loads(direct)['url']}" if direct else f"=={here.version}"
    made = [uv, "tool", "run", "--python", sys.base_prefix, "--from", f"kubeai-notebook[demo]{origin}"]
    return [*made, "kubeai-notebook", *arguments, "--again"]


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
    demo.add_argument("--again", action="store_true", help=argparse.SUPPRESS)  # by uv, which is not asked twice
    demo.add_argument("--port", type=int, help="JupyterLab's port; by default a free one from 8888 on")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
