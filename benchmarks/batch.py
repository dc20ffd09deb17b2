"""Rows a second and CPU a row of `Model.map`, beside loops of others; the server is a process of its own.

``python benchmarks/batch.py [pace|memory]… [--seconds 20] [--rounds 5] [--latency-ms 50 500]``; the exit code is 1 when
a bar is missed. A ratio is of two clients in the same round, and the median of the rounds counts: rates of a shared
machine wander. Baselines that need a venv each are named by ``KUBEAI_BENCH_PYTHONS='{"ondine": "…/bin/python"}'`` and
stand in ``benchmarks/baselines/batch_<name>.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.clients import BARE, HERE, OURS, ROOT, Bars, run
from tests.support.batch_server import batch_server

IN_FLIGHT = 64
SLOW = ("ondine", "litellm", "daft", "openaivec")
"""Of these a window is as long with a tenth of the rows."""
Figures = dict[str, list[dict[str, float]]]

MEMORY = """
import json, sys
from pathlib import Path
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.job import Job
from kubeai_notebook.calls.map_frame import planned_map
from kubeai_notebook.calls.question import Target
from kubeai_notebook.core.access import Access
url, source, to = sys.argv[1:]
planned = planned_map(Target(name="m", most_in_flight=64), source, prompt="{text}", fields={"store": False, "to": to})
planned.start(Endpoint(Access(base_url=url)), Job).result()
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps(int(peak.split()[1]) / 1024))  # ru_maxrss would count what the parent held
"""


def main() -> int:
    """Print a row a measurement; 1 when one is over its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["pace", "memory"])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency-ms", type=float, nargs="*", default=[50, 500])
    options = parser.parse_args()
    bars = Bars()
    if "pace" in options.what:
        for latency_ms in options.latency_ms:
            pace(latency_ms / 1000, options, bars)
    if "memory" in options.what:
        memory(bars)
    return bars.verdict()


def pace(latency_seconds: float, options: argparse.Namespace, bars: Bars) -> None:
    """64 in flight against a server that takes so long for an answer."""
    # The clients share the machine with the server, so the rows are those of a window at half of the limit.
    rows = int(options.seconds * IN_FLIGHT / latency_seconds * (0.5 if latency_seconds < 0.1 else 1.0))
    figures: Figures = {}
    with batch_server(latency_seconds=latency_seconds) as server, tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            for name, command in clients().items():
                asked = rows // 10 if name in SLOW else rows
                store = [Path(folder) / f"{number}.db"] if name == "map" else []
                spent = run(command, server.url, asked, IN_FLIGHT, *store)
                rate, cpu_ms = asked / spent["seconds"], 1000 * spent["cpu_seconds"] / asked
                figures.setdefault(name, []).append({"rate": rate, "cpu_ms": cpu_ms})
    print(f"\n{rows:,} rows, {IN_FLIGHT} in flight, {1000 * latency_seconds:g} ms; median of {options.rounds}")
    for name, rounds in figures.items():
        rate, cpu_ms = (median(one[kind] for one in rounds) for kind in ("rate", "cpu_ms"))
        print(f"  {name:22} {rate:7.0f} rows/s  {cpu_ms:5.2f} ms CPU a row")
    judge(latency_seconds, figures, bars)


def judge(latency_seconds: float, figures: Figures, bars: Bars) -> None:
    """The bars."""
    ours = [one["rate"] for one in figures["map"]]
    ceiling = IN_FLIGHT / latency_seconds
    openai = [name for name in figures if name.startswith("openai ")]

    def times(*names: str) -> float:
        best = [max(figures[name][number]["rate"] for name in names) for number in range(len(ours))]
        return median(rate / other for rate, other in zip(ours, best, strict=True))

    def cpu_ms(name: str) -> float:
        return median(one["cpu_ms"] for one in figures[name])

    if latency_seconds >= 0.1:
        bars.check("of slots / latency", median(ours) / ceiling, least=0.95)
        return
    bars.check("of the bare aiohttp loop", times("aiohttp"), least=0.85)
    fastest = max(openai, key=lambda name: median(one["rate"] for one in figures[name]))
    if 1.5 * median(one["rate"] for one in figures[fastest]) <= ceiling:
        bars.check("times the best openai loop", times(*openai), least=1.5)
    else:
        print(f"    No client can be 1.5 times as fast as {fastest}: slots / latency is {ceiling:,.0f} rows/s.")
        bars.check(f"of the CPU a row of {fastest}", cpu_ms("map") / cpu_ms(fastest), most=1 / 1.5)
    if "ondine" in figures:
        bars.check("times ondine", times("ondine"), least=5)
    bars.check("ms CPU a row", cpu_ms("map"), most=0.6)


def clients() -> dict[str, list[str]]:
    """How each client is run, before url, rows and number in flight; each as its own documentation recommends."""
    baselines = HERE / "baselines"
    pythons = json.loads(os.environ.get("KUBEAI_BENCH_PYTHONS", "{}"))
    openai = [pythons.pop("openai", sys.executable), str(baselines / "batch_openai.py")]
    return {
        "map": OURS,
        "map, without its store": OURS,
        "aiohttp": BARE,
        "openai + httpx": [*openai, "httpx"],
        "openai + aiohttp": [*openai, "aiohttp"],
        **{name: [python, str(baselines / f"batch_{name}.py")] for name, python in pythons.items()},
    }


def memory(bars: Bars) -> None:
    """Peak memory from Parquet to Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    peaks: dict[int, Any] = {}
    with batch_server() as server, tempfile.TemporaryDirectory() as folder:
        for rows in (10_000, 100_000):
            source = Path(folder) / f"{rows}.parquet"
            pq.write_table(pa.table({"text": [f"row {number} " + "x" * 200 for number in range(rows)]}), source)
            command = [sys.executable, "-c", MEMORY, server.url, str(source), str(source) + ".out"]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            peaks[rows] = json.loads(done.stdout)
    print(f"\nPeak memory: {peaks[10_000]:.0f} MB at 10,000 rows, {peaks[100_000]:.0f} MB at 100,000")
    bars.check("MB apart", peaks[100_000] - peaks[10_000], most=20)


if __name__ == "__main__":
    sys.exit(main())
