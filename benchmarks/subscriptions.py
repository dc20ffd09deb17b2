"""What 200 Subscriptions to all Models cost, on 1,000 Models of 5 Pods: memory, and the time from API change to item.

``python benchmarks/subscriptions.py``; the exit code is 1 when a bar is missed. The API runs in a process of its own;
all Subscriptions are read by coroutines of one thread, as a server with 200 browsers reads them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from serve import missed, p95, row, served

HERE = Path(__file__).parent
CHANGES = 100

WATCH = """
import asyncio, copy, gc, json, sys, threading, time, urllib.request
import psutil
from kubernetes.client import Configuration
from kubeai_notebook.cluster.client import Api, Cluster
from kubeai_notebook.session.live.publisher import Publisher
from kubeai_notebook.session.live.subscription import ALL

url, readers, idle, changes = sys.argv[1], *map(int, sys.argv[2:])
cluster = Cluster(Api(Configuration(host=url)), "default")
publisher = Publisher(cluster)
publisher.ready()
names = publisher.names()
seen = {}  # by the name of the change, how many have it
took, told = [], threading.Condition()

async def read(subscription):
    async for change in subscription:
        generation = change.view.model["metadata"]["generation"] if change.view else 0
        if change.name == names[0] and generation > 1:
            took.append((generation, time.perf_counter()))
            seen[generation] = seen.get(generation, 0) + 1
            if seen[generation] == readers:
                with told:
                    told.notify_all()

async def read_all():
    await asyncio.gather(*map(read, subscriptions))

subscriptions = [publisher.subscribe(ALL) for _ in range(readers)]
unread = [publisher.subscribe(ALL) for _ in range(idle)]
threading.Thread(target=asyncio.run, args=(read_all(),), daemon=True).start()
while any(one._pending for one in subscriptions):
    time.sleep(0.05)
gc.collect()
memory = psutil.Process().memory_info().rss / 1e6
model = copy.deepcopy(dict(publisher.view(names[0]).model))
every, last = [], []
for generation in range(2, changes + 2):
    model["metadata"]["generation"] = generation
    body = json.dumps(model).encode()
    request = urllib.request.Request(f"{url}/_put?path=apis/kubeai.org/v1/namespaces/default/models", body)
    began = time.perf_counter()
    urllib.request.urlopen(request).read()
    with told:
        assert told.wait_for(lambda: seen.get(generation, 0) == readers, 20), seen
        came = [at - began for number, at in took if number == generation]
    every += [1000 * seconds for seconds in came]
    last.append(max(came) * 1000)
    time.sleep(0.1)
publisher.close()
cluster.close()
print(json.dumps({"memory": memory, "every": every, "last": last}))
"""


def main() -> int:
    """One Subscription, 200 that are read, and 199 beside one that is read."""
    one, all_read, unread = watched(1, 0), watched(200, 0), watched(1, 199)
    row("200 Subscriptions less one, RSS", all_read["memory"] - one["memory"], "MB", bar=30, beside="")
    row("199 that never read less none, RSS", unread["memory"] - one["memory"], "MB", bar=30, beside="")
    for name, figures in (("one", one), ("200", all_read), ("one beside 199 unread", unread)):
        slowest = f"the slowest reader, p95: {p95(figures['last']):.1f} ms"
        row(f"{name}: API change to item, p50", statistics.median(figures["every"]), "ms", bar=20, beside="")
        row(f"{name}: API change to item, p95", p95(figures["every"]), "ms", bar=50, beside=slowest)
    return 1 if missed else 0


def watched(readers: int, idle: int) -> Any:
    """The figures of a process with so many Subscriptions that are read, and so many that are not."""
    with served() as url:
        done = subprocess.run(
            [sys.executable, "-c", WATCH, url, str(readers), str(idle), str(CHANGES)],
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
            check=True,
            capture_output=True,
            text=True,
        )
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main())
