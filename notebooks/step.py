"""Run a program that takes long, and never be silent about it: a line for each thing it does, with the seconds so far.

python notebooks/step.py "Installing JupyterLab" python -m pip install jupyterlab

For `make`, before anything is installed: the standard library only. pip shows a progress bar in a terminal and nothing
elsewhere, and with ``--quiet`` nothing for minutes.
"""

from __future__ import annotations

import queue
import re
import subprocess
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SILENT_SECONDS = 5.0
TOLD = re.compile(r"(?:Downloading|Using cached|Obtaining|Installing|Building|Preparing|Getting|Successfully)\b.*")
"""What pip does; the rest of what it writes is told only where it fails."""
NOISE = re.compile(r"-(?:py|cp)\d\S*\.whl(?:\.metadata)?| \(pyproject\.toml\): started| \(from .*")
"""What says nothing to somebody who waits: tags of a wheel, and who else asked for it."""
WIDTH, LAST_LINES = 100, 30


def main(what: str, command: Sequence[str], *, silent_seconds: float = SILENT_SECONDS) -> int:
    """Run the command and tell what it does; returns its exit code."""
    begun, doing = time.monotonic(), what
    written: deque[str] = deque(maxlen=LAST_LINES)
    lines: queue.Queue[str | None] = queue.Queue()
    _tell(begun, what)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as program:
        threading.Thread(target=_read, args=(program, lines), daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=silent_seconds)
            except queue.Empty:
                _tell(begun, f"still at it: {doing}")
                continue
            if line is None:
                break
            written.append(line)
            if told := TOLD.match(line.strip()):
                doing = NOISE.sub("", told[0])
                _tell(begun, f"  {doing}")
    if program.returncode:
        sys.stderr.write("".join(written))
    _tell(begun, f"{what}: {'failed' if program.returncode else 'done'}")
    return program.returncode


def _read(program: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    for line in program.stdout or ():
        lines.put(line)
    lines.put(None)


def _tell(begun: float, words: str) -> None:
    sys.stdout.write(f"{time.monotonic() - begun:4.0f} s  {words}"[:WIDTH].rstrip() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
