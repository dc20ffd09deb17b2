"""What 50 open sidebars cost a Jupyter server with 1,000 Models, and what loading the server half costs one.

``python benchmarks/server.py``; the exit code is 1 when a bar is missed. The API is the tests' own, in a process of its
own; each sidebar is a connection that reads its stream.
"""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import psutil
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.fake_api import MODELS
from tests.support.jupyter import Jupyter
from tests.support.waiting import until

COUNT, SIDEBARS = 1000, 50
IMPORT_BAR_MS, GROWTH_BAR_MB, SEEN_BAR_SECONDS = 20.0, 30.0, 1.0
IMPORT = """
import jupyter_server.serverapp, jupyter_server.base.handlers, sys, time
before = set(sys.modules)
started = time.process_time()
import kubeai_notebook.server.handlers as handlers
handlers.routes()
print((time.process_time() - started) * 1000, len(set(sys.modules) - before))
"""


def main() -> int:
    """Print a line for each number; 1 when one is over its bar."""
    met = [imported(), *sidebars()]
    return 0 if all(met) else 1


def imported() -> bool:
    """CPU milliseconds to import the server half and to make its routes, where Jupyter Server is loaded already."""
    runs = [
        subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True) for _ in range(6)
    ]
    rows = [run.stdout.split() for run in runs[1:]]  # the first one writes bytecode
    milliseconds = statistics.median(float(row[0]) for row in rows)
    return row(f"import and routes ({rows[0][1]} modules)", milliseconds, "ms", IMPORT_BAR_MS)


def sidebars() -> list[bool]:
    """Memory, watches and delay of 50 streams."""
    with tempfile.TemporaryDirectory() as folder, fake_api() as api:
        kubeconfig = Path(folder) / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(config_of(api)))
        with Jupyter(Path(folder) / "server", KUBECONFIG=str(kubeconfig), HOME=folder) as jupyter:
            process = psutil.Process(jupyter.process.pid)
            first = Reader(jupyter)
            until(lambda: first.models >= COUNT, 120)
            time.sleep(3)
            before = process.memory_info().rss
            others = [Reader(jupyter) for _ in range(SIDEBARS - 1)]
            until(lambda: all(reader.models >= COUNT for reader in others), 120)
            time.sleep(3)
            growth = (process.memory_info().rss - before) / 1e6
            delays = [delay(api, number, [first, *others]) for number in range(10)]
            asked = json.load(urllib.request.urlopen(f"{api}/_requests"))
    watches = [line.partition("?")[0] for line in asked if line.endswith("?watch")]
    most = max(watches.count(path) for path in set(watches))
    return [
        row(f"growth of {SIDEBARS} sidebars after the first, {COUNT} Models", growth, "MB", GROWTH_BAR_MB),
        row("watches of one kind, at most", most, "", 1),
        row("a change is in the last sidebar, median", statistics.median(delays), "s", SEEN_BAR_SECONDS),
    ]


class Reader:
    """One sidebar."""

    def __init__(self, jupyter: Jupyter) -> None:
        self.models, self.newest = 0, ""
        self._jupyter = jupyter
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            with self._jupyter.stream() as events:
                for kind, _, data in events:
                    self.models += kind == "model"
                    if kind == "model":
                        self.newest = data["row"]["profile"]
        except (http.client.HTTPException, OSError):
            return  # the server ends with the benchmark


def delay(api: str, number: int, readers: list[Reader]) -> float:
    """Seconds from a change of one Model until the last sidebar has it."""
    model = json.load(urllib.request.urlopen(f"{api}/{MODELS}/model-0000"))
    model["spec"]["resourceProfile"] = f"change:{number}"
    began = time.perf_counter()
    urllib.request.urlopen(urllib.request.Request(f"{api}/_put?path={MODELS}", json.dumps(model).encode())).read()
    until(lambda: all(reader.newest == f"change:{number}" for reader in readers), 30)
    return time.perf_counter() - began


class fake_api:  # noqa: N801 - a context manager that reads as a function
    """The tests' API with its Models, in a process of its own; gives its url."""

    def __enter__(self) -> str:
        command = [sys.executable, "-m", "tests.support.fake_api", str(COUNT), "1"]
        root = Path(__file__).parents[1]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


def config_of(api: str) -> dict[str, object]:
    """A kubeconfig that leads there."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "a", "cluster": {"server": api}}],
        "users": [{"name": "a", "user": {"token": "t"}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "default"}}],
        "current-context": "a",
    }


def row(what: str, value: float, unit: str, bar: float) -> bool:
    print(f"{what:60} {value:8.1f} {unit:3} bar {bar:g}: {'met' if value <= bar else 'NOT met'}")
    return value <= bar


if __name__ == "__main__":
    sys.exit(main())
