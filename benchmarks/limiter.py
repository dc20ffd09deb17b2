"""Whether a batch finds the pace of a server that it knows nothing of: beside the best fixed number of a sweep.

``python benchmarks/limiter.py [--seconds 20]``; the server is a process of its own, of 4, 32 or 256 slots, and lets
what is beyond them wait or refuses it (429). The exit code is 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.clients import BARE, OURS, Bars, run
from tests.support.batch_server import batch_server

SERVERS = ((4, 0.05), (32, 0.1), (256, 1.0))
UNKNOWN = 1000
"""What a batch may have in flight where it is told nothing."""


def main() -> int:
    """Print a row a server; 1 when one is below its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args().seconds
    bars = Bars()
    for refuses in (False, True):
        for slots, latency_seconds in SERVERS:
            rows = int(seconds * slots / latency_seconds)
            server = {"latency_seconds": latency_seconds, "slots": slots, "refuses": refuses}
            # A loop that does not try again gets no further than the slots where what is beyond them is refused.
            sweep = (slots // 2, slots) if refuses else (slots // 2, slots, 2 * slots, 4 * slots)
            fixed = {in_flight: rate(BARE, in_flight, rows, server) for in_flight in sweep}
            ours = rate(OURS, UNKNOWN, rows, server)
            kind = "429 beyond them" if refuses else "a queue before them"
            named = ", ".join(f"{value:.0f} with {number}" for number, value in fixed.items())
            print(f"\n{slots} slots, {1000 * latency_seconds:g} ms, {kind}: {ours:.0f} rows/s; fixed: {named}")
            bars.check("of the best fixed number", ours / max(fixed.values()), least=0.9)
    return bars.verdict()


def rate(command: list[str], in_flight: int, rows: int, behaviour: dict[str, Any]) -> float:
    """Rows a second of one client, at a server of its own."""
    with batch_server(**behaviour) as server:
        return rows / run(command, server.url, rows, in_flight)["seconds"]


if __name__ == "__main__":
    sys.exit(main())
