"""What 200 Subscriptions to all of 1,000 Models with five Pods each cost, and what closed Sessions leave behind.

``python benchmarks/subscriptions.py [changes|rest|sessions]…``; the exit code is 1 when a bar is missed. The API is
the tests' own, in a process of its own. Readers are as a server has them: 150 coroutines of one event loop and 49
threads, and one Subscription that nobody ever reads.
"""

from __future__ import annotations

import statistics
import sys
import tempfile

from serve import local, missed, p95, python, row, served

CHANGES = 100
SESSIONS = 100

SETUP = """
import asyncio, gc, json, sys, threading, time, urllib.request
import psutil
from kubernetes.client import Configuration
from kubeai_notebook.cluster.client import Api, Cluster
from kubeai_notebook.session.live.publisher import Publisher
from kubeai_notebook.session.live.subscription import ALL

url, changes = sys.argv[1], int(sys.argv[2])
me = psutil.Process()
cluster = Cluster(Api(Configuration(host=url)), "default")
publisher = Publisher(cluster)
publisher.ready()
arrived, counted, lock = {}, [0], threading.Lock()

def note(change):
    if change.view is not None:
        revision = change.view.model["metadata"].get("annotations", {}).get("change")
        if revision is not None:
            arrived.setdefault(revision, []).append(time.perf_counter())
    with lock:
        counted[0] += 1

def read(changes):
    for change in changes:
        note(change)

async def read_async(changes):
    async for change in changes:
        note(change)

async def read_all(subscriptions):
    await asyncio.gather(*map(read_async, subscriptions))

def until(look, seconds=120):
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.01)

def megabytes():
    gc.collect()
    return me.memory_info().rss / 1e6

def in_thread(work, *arguments):
    threading.Thread(target=work, args=arguments, daemon=True).start()

def subscribe(coroutines, threads):
    there = counted[0] + (coroutines + threads) * len(publisher.names())
    if coroutines:
        in_thread(asyncio.run, read_all([publisher.subscribe(ALL) for _ in range(coroutines)]))
    for _ in range(threads):
        in_thread(read, publisher.subscribe(ALL))
    until(lambda: counted[0] >= there)

def change(number, readers):
    model = json.loads(json.dumps(publisher.view("model-0000").model))
    model["metadata"]["annotations"] = {"change": str(number)}
    path = "apis/kubeai.org/v1/namespaces/default/models"
    request = urllib.request.Request(f"{url}/_put?path={path}", json.dumps(model).encode())
    began = time.perf_counter()
    urllib.request.urlopen(request).read()
    until(lambda: len(arrived.get(str(number), ())) == readers)
    time.sleep(0.1)
    return [(moment - began) * 1000 for moment in arrived.pop(str(number))]
"""

MANY = (
    SETUP
    + """
subscribe(1, 0)
one = megabytes()
subscribe(149, 49)
alone = [milliseconds for number in range(changes) for milliseconds in change(number, 199)]
never_read = publisher.subscribe(ALL)
together = [milliseconds for number in range(changes, 2 * changes) for milliseconds in change(number, 199)]
many = megabytes()
print(json.dumps({"grown": many - one, "alone": alone, "together": together}))
"""
)

REST = (
    SETUP
    + """
subscribe(150, 49)
def asked():
    return json.loads(urllib.request.urlopen(f"{url}/_requests").read())
before, cpu = asked(), me.cpu_times()
time.sleep(20)
now = me.cpu_times()
spent = (now.user + now.system - cpu.user - cpu.system) / 20 * 100
watches = [request for request in before if "?watch" in request]
print(json.dumps({"asked": len(asked()) - len(before), "watches": len(watches), "spent": spent}))
"""
)

SESSIONS_OPENED = """
import gc, json, os, sys, tempfile, threading
import psutil
from kubeai_notebook.session.live.subscription import ALL
from kubeai_notebook.session.session import Session

me = psutil.Process()

def open_and_close():
    session = Session()
    changes = session.publisher.subscribe(ALL)
    session.facts
    session.close()
    assert changes.ended

def left():
    gc.collect()
    temporary = len(os.listdir(tempfile.gettempdir()))
    return [threading.active_count(), len(me.net_connections(kind="all")), me.num_fds(), temporary]

for _ in range(3):
    open_and_close()
before = left()
for _ in range(int(sys.argv[1])):
    open_and_close()
print(json.dumps([after - earlier for after, earlier in zip(left(), before)]))
"""


def changes() -> None:
    """An API change on its way to 199 readers, and the memory of 200 Subscriptions."""
    with served() as url:
        seen = python("-c", MANY, url, str(CHANGES))
    row("200 Subscriptions to ALL, less one", seen["grown"], "MB", bar=30, beside="")
    for name, figures in (("", seen["alone"]), (", one never reads", seen["together"])):
        row(f"API change to item{name}, p50", statistics.median(figures), "ms", bar=20, beside="199 readers")
        row(f"API change to item{name}, p95", p95(figures), "ms", bar=50, beside="199 readers")


def rest() -> None:
    """What 200 Subscriptions ask and cost while nothing happens."""
    with served() as url:
        seen = python("-c", REST, url, "0")
    row("requests in 20 s at rest", seen["asked"], "", bar=0, beside=f"{seen['watches']} watches open")
    row("CPU at rest, 199 readers", seen["spent"], "%", bar=2, beside="")


def sessions() -> None:
    """What Sessions leave behind that were opened, looked with, and closed."""
    with local() as kubeconfig, tempfile.TemporaryDirectory() as folder:
        left = python("-c", SESSIONS_OPENED, str(SESSIONS), KUBECONFIG=kubeconfig, TMPDIR=folder)
    for name, figure in zip(("threads", "sockets", "file descriptors", "temporary files"), left, strict=True):
        row(f"{name} left by {SESSIONS} Sessions", figure, "", bar=0, beside="")


def main(parts: list[str]) -> int:
    """Run the parts asked for, or all."""
    for part in parts or PARTS:
        PARTS[part]()
    return 1 if missed else 0


PARTS = {"changes": changes, "rest": rest, "sessions": sessions}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
