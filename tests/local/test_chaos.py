"""Kills engines, daemons, both, at random moments; everything must come back, and nothing be left over.

``KUBEAI_CHAOS_ROUNDS`` (default 6), ``KUBEAI_CHAOS_SEED`` and ``KUBEAI_CHAOS_ENGINE=llamacpp`` are for runs by hand.
"""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.daemon import MODELS, SCRIPTED, Daemon, is_alive, processes_of, scripted_options
from tests.support.waiting import until

ROUNDS = int(os.environ.get("KUBEAI_CHAOS_ROUNDS", "6"))
SEED = int(os.environ.get("KUBEAI_CHAOS_SEED", "1"))
REAL = os.environ.get("KUBEAI_CHAOS_ENGINE") == "llamacpp"
NAMES = ("first", "second")
SECRET = "s3cr3t-of-the-chaos-test"
COMEBACK_SECONDS = 60


@pytest.fixture
def chaotic(tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    options = [] if REAL else scripted_options(tmp_path)
    running = Daemon(tmp_path / "home", *options, KUBEAI_LOCAL_TESTING="1", TMPDIR=str(temporary))
    running.start()
    yield running
    running.stop()
    assert processes_of(running.home) == []
    assert list(temporary.iterdir()) == []


def answers(daemon, name):
    body = {"model": name, "prompt": "The capital of France is", "max_tokens": 3, "temperature": 0}
    status, text = daemon.ask("/completions", body)
    return status == 200 and ("Paris" if REAL else "scripted") in text


def listening(pids):
    """How many sockets these processes listen on; Linux only, elsewhere nothing is counted."""
    if not Path("/proc/net/tcp").exists():
        return 0
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
    links = [link for pid in pids for link in Path(f"/proc/{pid}/fd").iterdir()]
    return sum(link.is_symlink() and str(link.readlink()) in inodes for link in links)


def settled(daemon):
    """One daemon, one engine for each Model, each answering."""
    if len(processes_of(daemon.home)) != 1 + len(NAMES):
        return False
    return all(len(daemon.pods(name)) == 1 and daemon.ready_pod(name) for name in NAMES)


def kill(daemon, what, chance):
    """Kill, and return who died."""
    pid = daemon.status()["pid"]
    engines = [other for other in processes_of(daemon.home) if other != pid]
    doomed = {"engine": [chance.choice(engines)], "daemon": [pid], "both": [pid, *engines]}[what]
    for victim in doomed:
        with suppress(ProcessLookupError):  # An engine that has followed its daemon already.
            os.kill(victim, signal.SIGKILL)
    if pid in doomed:
        until(lambda: not any(map(is_alive, [pid, *engines])))
        daemon.start()
        doomed = [pid, *engines]
    return doomed


@pytest.mark.timeout(max(300, ROUNDS * 30))
def test_comes_back_after_every_kill(chaotic):
    chance = random.Random(SEED)
    secret = {"metadata": {"name": "token"}, "stringData": {"HF_TOKEN": SECRET}}
    chaotic.api("POST", "/api/v1/namespaces/default/secrets", secret)
    url = {} if REAL else {"url": SCRIPTED}
    uids = {
        name: chaotic.create(name, **url, envFrom=[{"secretRef": {"name": "token"}}])["metadata"]["uid"]
        for name in NAMES
    }
    until(lambda: settled(chaotic), COMEBACK_SECONDS)
    kubeconfig, sockets = chaotic.kubeconfig, listening(processes_of(chaotic.home))
    for _ in range(ROUNDS):
        what = chance.choice(("engine", "daemon", "both"))
        until(lambda: all(answers(chaotic, name) for name in NAMES), COMEBACK_SECONDS)
        # Each round is killed at another point of what the daemon does next.
        for _ in range(chance.randrange(20)):
            assert chaotic.api("GET", MODELS)[0] == 200
        doomed = kill(chaotic, what, chance)
        until(lambda: settled(chaotic), COMEBACK_SECONDS)
        assert all(answers(chaotic, name) for name in NAMES), what
        assert not any(map(is_alive, doomed)), what
        assert listening(processes_of(chaotic.home)) == sockets, what
        assert len(list((chaotic.home / "pods").iterdir())) == len(NAMES), what
        assert chaotic.kubeconfig == kubeconfig
        found = {
            model["metadata"]["name"]: model["metadata"]["uid"] for model in chaotic.api("GET", MODELS)[1]["items"]
        }
        assert found == uids
    logs = [path for path in chaotic.home.rglob("*") if path.is_file() and not path.name.startswith("state.db")]
    assert not [path for path in logs if SECRET in path.read_text(errors="replace")]
