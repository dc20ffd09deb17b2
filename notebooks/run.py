"""Execute a notebook as a user would and print what its cells answer.

python notebooks/run.py notebooks/00_tour.ipynb
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

SILENT_SECONDS = 5


def main(path: Path) -> int:
    """Run every cell in a fresh kernel; print each code cell and its text output as it comes."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}})
    # The kernel is on loopback; its warning that TCP is not encrypted is for others.
    client.extra_arguments = ["--log-level=ERROR"]
    telling = _Telling()
    client.on_cell_start, client.on_cell_executed = telling.begin, telling.end
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


class _Telling:
    """Prints each code cell as it begins, and what it answers as it ends; while it runs, the seconds so far."""

    def __init__(self) -> None:
        self._clock: asyncio.Task[None] | None = None

    async def begin(self, cell: nbformat.NotebookNode, **_: object) -> None:
        """Print what is run."""
        if cell.cell_type == "code":
            _print("\n" + "\n".join(f">>> {line}" for line in cell.source.splitlines()))
            self._clock = asyncio.create_task(_tell_time())

    async def end(self, cell: nbformat.NotebookNode, **_: object) -> None:
        """Print what came of it."""
        if self._clock:
            self._clock.cancel()
        for output in cell.get("outputs", ()):
            if text := _text_of(output).strip():
                _print(text)


async def _tell_time() -> None:
    for seconds in count(SILENT_SECONDS, SILENT_SECONDS):
        await asyncio.sleep(SILENT_SECONDS)
        _print(f"… {seconds} s")


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _text_of(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return str(output.data.get("text/markdown") or output.data.get("text/plain", ""))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
