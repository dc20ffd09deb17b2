"""Rows a second and CPU a row of `Model.map`, beside loops of others; the server is a process of its own.

``python benchmarks/batch.py [pace|memory|limiter]… [--seconds 20] [--rounds 3]``; the exit code is 1 when a bar is
missed. Other baselines need a venv each: ``KUBEAI_BENCH_PYTHONS='{"ondine": "…/bin/python"}'`` names them, and they run
where ``benchmarks/baselines/batch_<name>.py`` is there.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.batch_server import batch_server  # noqa: E402  (a checkout is not installed)

HERE = Path(__file__).parent
IN_FLIGHT = 64
missed: list[str] = []

OURS = """
import json, sys, time
from pathlib import Path
import narwhals  # imported before the clock starts, as the baselines import theirs
import pandas as pd
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.job import Job
from kubeai_notebook.calls.map_frame import planned_map
from kubeai_notebook.calls.question import Target
from kubeai_notebook.core.access import Access
url, rows, in_flight, store = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
frame = pd.DataFrame({"n": range(rows)})
begun, cpu = time.perf_counter(), time.process_time()
endpoint = Endpoint(Access(base_url=url))
fields = {"store": Path(store)} if store else {"store": False}
target = Target(name="m", most_in_flight=in_flight)
out = planned_map(target, frame, prompt="Classify: row {n}", fields=fields).start(endpoint, Job).result()
assert out["answer"].notna().all()
print(json.dumps({"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}))
"""

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
    parser.add_argument("what", nargs="*", default=["pace", "memory", "limiter"])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for what in options.what:
        {"pace": pace, "memory": memory, "limiter": limiter}[what](options.seconds, options.rounds)
    print("\n".join(["", "MISSED:", *missed]) if missed else "\nEvery bar is met.")
    return bool(missed)


def pace(seconds: float, rounds: int) -> None:
    """64 in flight against a server that takes 50 ms, and one that takes 500."""
    for latency_seconds in (0.05, 0.5):
        # The clients share the machine with the server, so the rows are those of a window at half of the limit.
        rows = int(seconds * IN_FLIGHT / latency_seconds * (0.5 if latency_seconds < 0.1 else 1.0))
        with batch_server(latency_seconds=latency_seconds) as server, tempfile.TemporaryDirectory() as folder:
            rates: dict[str, list[float]] = {}
            cpu: dict[str, list[float]] = {}
            for number in range(rounds):
                for name, command in commands(Path(folder), number).items():
                    spent = run(command, server.url, rows, name)
                    rates.setdefault(name, []).append(rows / spent["seconds"])
                    cpu.setdefault(name, []).append(1000 * spent["cpu_seconds"] / rows)
        print(f"\n{rows:,} rows, {IN_FLIGHT} in flight, {1000 * latency_seconds:g} ms; median of {rounds}")
        for name, values in rates.items():
            print(
                f"  {name:22} {statistics.median(values):7.0f} rows/s  {statistics.median(cpu[name]):5.2f} ms CPU a row"
            )
        judge(latency_seconds, {name: statistics.median(values) for name, values in rates.items()}, cpu)


def judge(latency_seconds: float, rates: dict[str, float], cpu: dict[str, list[float]]) -> None:
    """The bars."""
    ours, bare = rates["map, with its store"], rates["aiohttp"]
    if latency_seconds < 0.1:
        best = max(rates["openai"], rates["openai + aiohttp"])
        bar("of the bare aiohttp loop", ours / bare, 0.85)
        bar("times the best openai loop", ours / best, 1.5)
        if "ondine" in rates:
            bar("times ondine", ours / rates["ondine"], 5)
        bar("ms CPU a row, at most", -statistics.median(cpu["map, with its store"]), -0.6)
    else:
        bar("of slots / latency", ours / (IN_FLIGHT / latency_seconds), 0.95)


def bar(what: str, value: float, least: float) -> None:
    """Say whether it is met."""
    verdict = "met" if value >= least else "NOT met"
    line = f"    {abs(value):.2f} {what}; bar {abs(least):g}: {verdict}"
    print(line)
    if value < least:
        missed.append(line.strip())


def commands(folder: Path, number: int) -> dict[str, list[str]]:
    """How each client is run, before url, rows and number in flight."""
    baselines = {
        "aiohttp": ["batch_aiohttp.py"],
        "openai": ["batch_openai.py"],
        "openai + aiohttp": ["batch_openai.py", "aiohttp"],
    }
    found = {name: [sys.executable, str(HERE / "baselines" / file[0]), *file[1:]] for name, file in baselines.items()}
    for name, python in json.loads(os.environ.get("KUBEAI_BENCH_PYTHONS", "{}")).items():
        found[name] = [python, str(HERE / "baselines" / f"batch_{name}.py")]
    ours = [sys.executable, "-c", OURS]
    return {
        "map, with its store": [*ours, str(folder / f"{number}.db")],
        "map, without": [*ours, ""],
        **found,
    }


def run(command: list[str], url: str, rows: int, name: str) -> dict[str, float]:
    """One client in its process."""
    head, tail = command[:3] if command[1] == "-c" else command[:2], command[3:] if command[1] == "-c" else command[2:]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*head, url, str(rows), str(IN_FLIGHT), *tail], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def memory(_seconds: float, _rounds: int) -> None:
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
    bar("MB apart, at most", -(peaks[100_000] - peaks[10_000]), -20)


def limiter(seconds: float, _rounds: int) -> None:
    """Servers of 4, 32 and 256 slots: the pace that is found by itself, beside the best of a sweep."""
    for refuses in (False, True):
        for slots, latency_seconds in ((4, 0.05), (32, 0.1), (256, 1.0)):
            rows = int(seconds * slots / latency_seconds)
            rates = {}
            for in_flight in (slots // 2, slots, 2 * slots, 1000):
                with batch_server(latency_seconds=latency_seconds, slots=slots, refuses=refuses) as server:
                    command = [sys.executable, "-c", OURS]
                    if in_flight != 1000 and refuses and in_flight > slots:
                        continue  # a loop without a limiter is refused there
                    aiohttp = [sys.executable, str(HERE / "baselines" / "batch_aiohttp.py")]
                    tail = [server.url, str(rows), str(in_flight)]
                    whole = [*command, *tail, ""] if in_flight == 1000 else [*aiohttp, *tail]
                    done = subprocess.run(
                        whole, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True
                    )
                    rates[in_flight] = rows / json.loads(done.stdout.splitlines()[-1])["seconds"]
            ours = rates.pop(1000)
            kind = "429 beyond" if refuses else "a queue"
            print(f"\n{slots} slots, {kind}: {ours:.0f} rows/s; fixed: { {k: round(v) for k, v in rates.items()} }")
            bar("of the best fixed number", ours / max(rates.values()), 0.9)


if __name__ == "__main__":
    sys.exit(main())
