"""What serving and watching cost, beside ``kubectl apply`` and a plain watch: medians of five processes.

``python benchmarks/serve.py [serve|dry-run|live]…``; the exit code is 1 when a bar is missed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
ROUNDS, CHANGES = 5, 60
MODELS, PODS = 1000, 5
missed: list[str] = []

SERVE = """
import json, sys, time
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.instance().extension_manager.load_extension("kubeai_notebook")
began = time.perf_counter()
from kubeai_notebook.session.session import Session
session = Session()
def serve(name, began):
    session.serve(name=name, engine="OLlama", url="ollama://smollm2:135m", scaling={"min_replicas": 0})
    return time.perf_counter() - began
print(json.dumps([serve(sys.argv[1] + "-a", began), serve(sys.argv[1] + "-b", time.perf_counter())]))
session.close()
"""

DRY_RUN = """
import json, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.extension_manager.load_extension("kubeai_notebook")
began = time.process_time()
receipt = shell.run_line_magic("kubeai_serve", "ollama://smollm2:135m --engine OLlama --dry-run")
print(json.dumps(time.process_time() - began))
"""

LIVE = """
import gc, json, sys, threading, time, urllib.request
import psutil
from kubernetes.client import Configuration
from kubeai_notebook.cluster.client import Api, Cluster
from kubeai_notebook.session.live.publisher import Publisher
url, number = sys.argv[1], int(sys.argv[2])
me = psutil.Process()
gc.collect()
before = me.memory_info().rss
cluster = Cluster(Api(Configuration(host=url)), "default")
began = time.perf_counter()
publisher = Publisher(cluster)
publisher.ready()
listed = time.perf_counter() - began
names = publisher.names()
publisher.views()
gc.collect()
grown = (me.memory_info().rss - before) / 1e6
watches = len([one for one in threading.enumerate() if one.name.startswith("kubeai-watch")])
changes = publisher.subscribe([names[0]])
others = [publisher.subscribe([name]) for name in names[1:100]]
time.sleep(2)
cpu = me.cpu_times()
time.sleep(10)
now = me.cpu_times()
rest = (now.user + now.system - cpu.user - cpu.system) / 10 * 100
model = json.loads(json.dumps(publisher.view(names[0]).model))
took = []
for generation in range(2, number + 2):
    model["metadata"]["generation"] = generation
    path = "apis/kubeai.org/v1/namespaces/default/models"
    request = urllib.request.Request(f"{url}/_put?path={path}", json.dumps(model).encode())
    began = time.perf_counter()
    urllib.request.urlopen(request).read()
    assert changes.until(lambda change: change.view.model["metadata"]["generation"] == generation, 10)
    took.append((time.perf_counter() - began) * 1000)
    time.sleep(0.1)
publisher.close()
cluster.close()
print(json.dumps({"listed": listed, "grown": grown, "watches": watches, "rest": rest, "took": took}))
"""


def main(parts: list[str]) -> int:
    """Run the parts asked for, or all."""
    for part in parts or PARTS:
        PARTS[part]()
    return 1 if missed else 0


def row(name: str, value: float, unit: str, *, bar: float, beside: str) -> None:
    """One figure, its bar and its baseline."""
    met = value <= bar
    if not met:
        missed.append(name)
    sys.stdout.write(f"{name:44} {value:8.3f} {unit:4} <= {bar:<8.3f} {'ok' if met else 'MISSED':7} {beside}\n")
    sys.stdout.flush()


def python(*arguments: str, **environment: str) -> Any:
    """What a process of its own prints last, as JSON."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(HERE.parent), **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def local() -> Iterator[str]:
    """The kubeconfig of a daemon of our own, gone afterwards."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "kubeai_notebook.local"]
        environment = {**os.environ, "KUBEAI_LOCAL_HOME": home, "PYTHONPATH": str(HERE.parent)}
        done = subprocess.run([*command, "start"], env=environment, check=True, capture_output=True, text=True)
        try:
            yield done.stdout.splitlines()[-1]
        finally:
            subprocess.run([*command, "stop"], env=environment, check=True, capture_output=True)


def serve() -> None:
    """The first and the second serve of a kernel, and kubectl."""
    with local() as kubeconfig:
        python(str(HERE / "baselines" / "kubectl_apply.py"), kubeconfig, "1")  # its cache of discovery is filled
        kubectl = statistics.median(python(str(HERE / "baselines" / "kubectl_apply.py"), kubeconfig, str(ROUNDS)))
        python("-c", SERVE, "warm", KUBECONFIG=kubeconfig)
        rounds = [python("-c", SERVE, f"r{number}", KUBECONFIG=kubeconfig) for number in range(ROUNDS)]
    first, second = (statistics.median(column) for column in zip(*rounds, strict=True))
    beside = f"kubectl apply: {kubectl:.3f} s"
    row("first serve of a kernel", first, "s", bar=kubectl + 1.0, beside=beside)
    row("second serve of a kernel", second, "s", bar=kubectl + 0.3, beside=beside)


def dry_run() -> None:
    """The processor's time of a kernel's first ``--dry-run``."""
    with local() as kubeconfig:
        figures = [python("-c", DRY_RUN, KUBECONFIG=kubeconfig) for _ in range(ROUNDS + 1)][1:]
    row("first --dry-run of a kernel, CPU", statistics.median(figures), "s", bar=1.2, beside="")


def live() -> None:
    """A thousand Models with five Pods each, in five kernels one after the other."""
    found, plain = [], []
    for _ in range(ROUNDS):
        with served() as url:
            found.append(python("-c", LIVE, url, str(CHANGES)))
        with served() as url:
            plain.append(python(str(HERE / "baselines" / "plain_watch.py"), url, "model-0000", str(CHANGES)))
    middle = {key: statistics.median(one[key] for one in found) for key in ("grown", "rest", "watches", "listed")}
    late = statistics.median(p95(one["took"]) for one in found)
    plain_late = statistics.median(p95(one["milliseconds"]) for one in plain)
    plain_grown = statistics.median(one["megabytes"] for one in plain)
    row("API change to new ModelStatus, p95", late, "ms", bar=50, beside=f"plain watch to event: {plain_late:.1f} ms")
    row("growth by 1,000 Models x 5 Pods", middle["grown"], "MB", bar=100, beside=f"plain lists: {plain_grown:.0f} MB")
    row("CPU at rest, 100 cards open", middle["rest"], "%", bar=2, beside="")
    row("watches", middle["watches"], "", bar=3, beside=f"first lists after {middle['listed']:.1f} s")


def p95(figures: list[float]) -> float:
    return sorted(figures)[int(len(figures) * 0.95)]


@contextmanager
def served() -> Iterator[str]:
    """The url of an API of canned objects."""
    command = [sys.executable, "-m", "tests.support.fake_api", str(MODELS), str(PODS)]
    server = subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()


PARTS = {"serve": serve, "dry-run": dry_run, "live": live}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
