"""kill -9 in the middle of writes: what was acknowledged is there afterwards, and nothing is left over."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from http.client import HTTPException

import pytest

from tests.support.attack import at_length
from tests.support.daemon import MODELS, SCRIPTED, Daemon, model_of, processes_of
from tests.support.network import network_options
from tests.support.waiting import until

WRITERS, SEED = 4, 1


@pytest.fixture
def house(tmp_path):
    running = Daemon(tmp_path / "home", *network_options(tmp_path), KUBEAI_LOCAL_TESTING="1")
    running.start()
    yield running
    running.stop()
    assert processes_of(running.home) == []


class Writer(threading.Thread):
    """Creates Models without end and keeps what was acknowledged."""

    def __init__(self, daemon, number):
        super().__init__(daemon=True)
        self.acknowledged = {}
        self.ended = threading.Event()
        self._daemon, self._number = daemon, number

    def run(self):
        count = 0
        while not self.ended.is_set():
            count += 1
            name = f"w{self._number}-{count}"
            try:
                status, body = self._daemon.api("POST", MODELS, model_of(name, url=SCRIPTED, minReplicas=0))
            except (OSError, HTTPException, ValueError, LookupError, TypeError):
                continue  # The daemon is dead, or its kubeconfig is just being written.
            if status == 201:
                self.acknowledged[name] = int(body["metadata"]["resourceVersion"])


@at_length
@pytest.mark.finding("L3", "H4")
@pytest.mark.timeout(600)
def test_loses_no_acknowledged_write_when_it_is_killed(house):
    chance = random.Random(SEED)
    writers = [Writer(house, number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    kills = 12
    for _ in range(kills):
        written = sum(len(writer.acknowledged) for writer in writers)
        until(lambda: sum(len(writer.acknowledged) for writer in writers) > written + 20, 60)  # noqa: B023 - used at once
        moment = time.monotonic() + chance.random() * 2
        until(lambda: time.monotonic() > moment)  # noqa: B023 - used at once
        os.kill(house.status()["pid"], signal.SIGKILL)
        house.start()
    for writer in writers:
        writer.ended.set()
        writer.join(60)
    found = {item["metadata"]["name"] for item in house.api("GET", MODELS)[1]["items"]}
    versions = [version for writer in writers for version in writer.acknowledged.values()]
    assert {name for writer in writers for name in writer.acknowledged} <= found
    assert len(set(versions)) == len(versions) > kills * 20
    assert not list(house.home.glob("*.new"))
