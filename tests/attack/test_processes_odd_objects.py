"""What may be stored may be odd; it costs itself, never the daemon nor the Models of others."""

from __future__ import annotations

import copy
import itertools
import os
import random
import signal
import threading
from http.client import HTTPException

import pytest

from tests.support.attack import rounds
from tests.support.daemon import CONFIG_MAPS, EVENTS, MODELS, PODS, SCRIPTED, Daemon, model_of, scripted_options
from tests.support.waiting import until

CORE = "/api/v1/namespaces/default"
OBJECTS = rounds(full=900, short=120)
KILLS = rounds(full=50, short=2)
ODD = (None, "", "text", 5, -1, 1.5, True, [], {}, [None], {"a": None}, ["x"], 10**20, "2026-01-01T00:00:00.123456Z",
       "2026-01-01T00:00:00+00:00", "0001-01-01T00:00:00+23:59", "\u202e\x1b[31m")  # fmt: skip
SERVER = {"name": "server", "image": "x", "args": ["--model=x"], "env": [{"name": "A", "value": "b"}],
          "envFrom": [{"secretRef": {"name": "s"}}], "resources": {"requests": {"cpu": "1"}},
          "volumeMounts": [{"name": "v", "mountPath": "/a", "subPath": "a"}]}  # fmt: skip
LABELS = {"model": "healthy", "app.kubernetes.io/name": "ollama", "pod-hash": "abc"}
OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "x"}
STATUS = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"state": {}}]}
KINDS = {
    EVENTS: {"involvedObject": {"kind": "Pod", "name": "x", "uid": "u"}, "reason": "Pulling", "message": "m",
             "type": "Normal", "count": 1, "firstTimestamp": "2020-01-01T00:00:00Z",
             "lastTimestamp": "2020-01-01T00:00:00Z", "source": {"component": "x"}},
    PODS: {"spec": {"containers": [SERVER], "volumes": [{"name": "v", "configMap": {"name": "c"}}], "nodeName": "n"},
           "status": STATUS},
    MODELS: {"spec": model_of("x", url=SCRIPTED, env={"A": "b"}, args=["a"], files=[{"path": "/a", "content": "b"}],
                              targetRequests=1, scaleDownDelaySeconds=1, minReplicas=0)["spec"], "status": {}},
    f"{CORE}/secrets": {"data": {"a": "YQ=="}, "stringData": {"b": "c"}, "type": "Opaque"},
    CONFIG_MAPS: {"data": {"a": "b"}, "binaryData": {"c": "YQ=="}},
    f"{CORE}/services": {"spec": {"ports": [{"port": 1}], "selector": {"a": "b"}}},
    f"{CORE}/persistentvolumeclaims": {"spec": {"resources": {"requests": {"storage": "1"}}}, "status": {}},
    "/apis/batch/v1/namespaces/default/jobs": {"spec": {"template": {"spec": {}}}, "status": {}},
}  # fmt: skip


def places(value, before=()):
    """The paths of all that is in an object."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*before, key)
        yield from places(inner, (*before, key))


def odd_objects(chance):
    """Address and body of objects with one or two values of another kind, or missing."""
    for number in itertools.count():
        path, made = chance.choice(list(KINDS)), {}
        if path in (EVENTS, PODS):
            path = chance.choice((EVENTS, PODS))
        made = copy.deepcopy(KINDS[path])
        for _ in range(chance.choice((1, 1, 2))):
            if not (found := list(places(made))):
                break
            *way, last = chance.choice(found)
            inside = made
            for key in way:
                inside = inside[key]
            if chance.random() < 0.2 and isinstance(inside, dict):
                del inside[last]
            else:
                inside[last] = copy.deepcopy(chance.choice(ODD))
        metadata = {"name": f"odd-{number}", "ownerReferences": [OWNER] * chance.choice((0, 1))}
        if path == PODS:
            metadata["labels"] = {key: text for key, text in LABELS.items() if chance.random() < 0.8}
        yield path, {**made, "metadata": metadata}


@pytest.fixture
def daemon(tmp_path):
    options = scripted_options(tmp_path, interval="0.2s", timeWindow="1s")
    running = Daemon(tmp_path / "home", *options, KUBEAI_LOCAL_TESTING="1")
    running.start()
    yield running
    running.stop()


def answers(daemon):
    status, text = daemon.ask("/completions", {"model": "healthy", "prompt": "x"})
    return status == 200 and "scripted" in text


@pytest.mark.finding("M2")
def test_lives_with_whatever_may_be_stored(daemon):
    chance = random.Random(11)
    daemon.create("healthy", url=SCRIPTED)
    daemon.ready_pod("healthy")
    pid, stored = daemon.status()["pid"], []
    for path, body in itertools.islice(odd_objects(chance), OBJECTS):
        status, _ = daemon.api("POST", path, body)
        assert status in (201, 400, 403, 422), (path, body)
        stored += [f"{path}/{body['metadata']['name']}"] * (status == 201)
        if len(stored) % 10 == 9:
            # A deletion reads all Events, and a Pod that follows writes some.
            daemon.api("DELETE", chance.choice(stored))
    assert len(stored) > OBJECTS / 3
    for pod in daemon.pods("healthy")[:3]:
        daemon.api("DELETE", f"{PODS}/{pod['metadata']['name']}")
    until(lambda: answers(daemon), 60)
    assert daemon.command("status").returncode == 0
    assert daemon.ask("/models")[0] == 200
    for path in stored:
        daemon.api("DELETE", path)
    until(lambda: len(daemon.api("GET", PODS)[1]["items"]) == 1, 30)
    daemon.create("after", url=SCRIPTED)
    daemon.ready_pod("after")
    assert answers(daemon)
    assert daemon.status()["pid"] == pid


@pytest.mark.finding("M2")
def test_shows_a_pod_that_it_cannot_run(daemon):
    assert daemon.api("POST", PODS, {"metadata": {"name": "bare"}, "spec": None})[0] == 201
    failed = until(lambda: (pod := daemon.api("GET", f"{PODS}/bare")[1])["status"].get("reason") and pod)
    assert (failed["status"]["phase"], failed["status"]["reason"]) == ("Failed", "KubeletError")
    assert daemon.api("DELETE", f"{PODS}/bare")[0] == 200
    until(lambda: daemon.api("GET", f"{PODS}/bare")[0] == 404)
    assert daemon.status()["running"]


@pytest.mark.finding("M2")
@pytest.mark.timeout(600)
def test_keeps_every_acknowledged_write_when_it_is_killed_in_the_middle(daemon):
    kept, numbers = set(), itertools.count()
    for _ in range(KILLS):
        ended, enough = threading.Event(), threading.Semaphore(0)

        def write(ended=ended, enough=enough):
            while not ended.is_set():
                name = f"kept-{next(numbers)}"
                try:
                    if daemon.api("POST", CONFIG_MAPS, {"metadata": {"name": name}, "data": {"a": name}})[0] == 201:
                        kept.add(name)
                        enough.release()
                except (OSError, HTTPException, ValueError):
                    return

        writers = [threading.Thread(target=write) for _ in range(4)]
        pid = daemon.status()["pid"]
        for writer in writers:
            writer.start()
        for _ in range(20):
            assert enough.acquire(timeout=20)
        os.kill(pid, signal.SIGKILL)
        ended.set()
        for writer in writers:
            writer.join(40)
        until(lambda: not daemon.status()["running"])
        daemon.start()
    there = {item["metadata"]["name"] for item in daemon.api("GET", CONFIG_MAPS)[1]["items"]}
    assert kept - there == set()
