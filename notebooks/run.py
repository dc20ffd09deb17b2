"""Execute a notebook as a user would and print what its cells answer.

python notebooks/run.py notebooks/00_tour.ipynb
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def main(path: Path) -> int:
    """Run every cell in a fresh kernel; print each code cell and its text output as it comes."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}})
    # The kernel is on loopback; its warning that TCP is not encrypted is for others.
    client.extra_arguments = ["--log-level=ERROR"]
    client.on_cell_executed = lambda cell, **_: _print_cell(cell)
    try:
        client.execute()
    except CellExecutionError:
        return 1
    daemon = Path(sys.executable).with_name("kubeai-local")
    sys.stdout.write(
        f"\nTo run it yourself:  make lab    (JupyterLab, where {path} is)\n"
        f"KubeAI on this machine waits for more work; to end it:  {daemon} stop\n"
    )
    return 0


def _print_cell(cell: nbformat.NotebookNode) -> None:
    if cell.cell_type != "code":
        return
    sys.stdout.write("\n" + "\n".join(f">>> {line}" for line in cell.source.splitlines()) + "\n")
    shown = [text for output in cell.outputs if (text := _text_of(output).strip())]
    sys.stdout.write("".join(f"{text}\n" for text in shown))
    sys.stdout.flush()


def _text_of(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return str(output.data.get("text/markdown") or output.data.get("text/plain", ""))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
