"""What the pure core costs: one whole validation, and a diagnosis of a thousand Models.

Processor seconds, the median of five; the bars are 1 ms for validating a full spec, and 1 s for diagnosing
1,000 Models with 5 Pods each, one in ten of them crashing with a log of 400 lines.
"""

from __future__ import annotations

import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis import diagnose
from kubeai_notebook.core.observation import LogTail, Observation
from kubeai_notebook.core.spec import spec_of

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = Path(__file__).parents[1] / "tests" / "golden" / "logs" / "vllm-weights-shape.log"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
RUNS = 5
FULL = {
    "name": "full",
    "url": "hf://TinyLlama/TinyLlama-1.1B-Chat-v0.3",
    "adapters": {"colorist": "hf://jashing/tinyllama-colorist-lora"},
    "args": ["--max-model-len=2048", "--max-num-seqs=8", "--tensor-parallel-size=2"],
    "env": {f"NAME_{number}": "x" for number in range(20)},
    "files": {f"/{number}": "x" * 5_000 for number in range(10)},
}


def main() -> int:
    """Print a row a figure; 1 when one is over its bar."""
    models = _models()
    rows = [
        ("validate a full spec (types, traps, admission), ms", 1_000 * _seconds(_validated, 50), 1.0),
        ("diagnose 1,000 Models x 5 Pods, 100 crashing, s", _seconds(lambda: _diagnosed(models), 1), 1.0),
    ]
    for name, figure, bar in rows:
        print(f"{name:55} {figure:8.3f}   bar {bar:g}: {'met' if figure <= bar else 'NOT met'}")
    return int(any(figure > bar for _, figure, bar in rows))


def _seconds(call: Callable[[], object], number: int) -> float:
    """Processor seconds of one call, the median of five."""
    call()
    figures = []
    for _ in range(RUNS):
        started = time.process_time()
        for _ in range(number):
            call()
        figures.append((time.process_time() - started) / number)
    return statistics.median(figures)


def _validated() -> None:
    spec_of(FULL)


def _diagnosed(models: list[Observation]) -> None:
    found = [diagnose(observation, now=NOW) for observation in models]
    assert sum(map(bool, found)) == 100


def _models() -> list[Observation]:
    log = "\n".join((LOG.read_text(encoding="utf-8").splitlines() * 4)[-400:])
    crashed = {"waiting": {"reason": "CrashLoopBackOff"}}
    healthy = [_pod(f"p{number}", {"running": {}}, ready=True) for number in range(5)]
    crashing = (_pod("p0", crashed, ready=False), *healthy[1:])
    tail = (LogTail(pod="p0", text=log, previous=True),)
    well = [Observation(model=_model(f"w{number}"), pods=tuple(healthy)) for number in range(900)]
    ill = [Observation(model=_model(f"i{number}"), pods=crashing, logs=tail) for number in range(100)]
    return [*well, *ill]


def _model(name: str) -> dict[str, object]:
    labels = {"features.kubeai.org/TextGeneration": "true"}
    metadata = {"name": name, "namespace": "default", "labels": labels, "creationTimestamp": "2026-11-22T11:00:00Z"}
    spec = {"url": "hf://a/b", "engine": "VLLM", "features": [], "resourceProfile": "cpu:1", "replicas": 5}
    return {"metadata": metadata, "spec": spec, "status": {"replicas": {"all": 5, "ready": 5}}}


def _pod(name: str, state: dict[str, object], *, ready: bool) -> dict[str, object]:
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": str(ready)}]
    ended = {"terminated": {"exitCode": 1, "reason": "Error"}}
    container = {"name": "server", "ready": ready, "started": ready, "restartCount": 3, "state": state}
    if not ready:
        container["lastState"] = ended
    metadata = {"name": name, "uid": name, "labels": {"pod-hash": "h"}, "creationTimestamp": "2026-11-22T11:00:00Z"}
    status = {"phase": "Running", "conditions": conditions, "containerStatuses": [container]}
    return {"metadata": metadata, "spec": {"containers": [{"name": "server"}]}, "status": status}


if __name__ == "__main__":
    sys.exit(main())
