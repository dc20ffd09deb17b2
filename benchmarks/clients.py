"""What the benchmarks of calls share: a client in its process, and the bars that a figure has to reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent
OURS = [sys.executable, str(HERE / "batch_map.py")]
BARE = [sys.executable, str(HERE / "baselines" / "batch_aiohttp.py")]


def run(command: list[str], *arguments: object) -> dict[str, float]:
    """The figures that a client prints as its last line.

    Raises:
        SystemExit: it has failed.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [*command, *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


class Bars:
    """Collects what is missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def check(self, what: str, value: float, *, least: float | None = None, most: float | None = None) -> None:
        """Say whether a figure reaches its bar."""
        met = value >= least if least is not None else value <= (most or 0)
        bound = f"at least {least:g}" if least is not None else f"at most {most:g}"
        line = f"    {value:.2f} {what}; {bound}: {'met' if met else 'NOT met'}"
        print(line)
        if not met:
            self.missed.append(line.strip())

    def verdict(self) -> int:
        """The exit code, after a last line."""
        print("\n".join(["", "MISSED:", *self.missed]) if self.missed else "\nEvery bar is met.")
        return bool(self.missed)
