"""A try that only repeats the failure before it is read as that failure; one that goes further, as it is."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kubeai_notebook.core.observation import Observation
from kubeai_notebook.core.phase import ModelStatus, status_of
from kubeai_notebook.core.retries import as_waiting

from .test_phase import NOW, model, pod, stamp


def tried(*, restarts: int, lived: float, since: float, code: int = 1) -> dict[str, Any]:
    """A Pod in a try that began ``since`` seconds ago, after one that ended when it had lived so long."""
    last = {"exitCode": code, "startedAt": stamp(since + 20 + lived), "finishedAt": stamp(since + 20)}
    made = pod(state={"running": {"startedAt": stamp(since)}})
    made["status"]["containerStatuses"][0] |= {"restartCount": restarts, "lastState": {"terminated": last}}
    return made


def status(raw: dict[str, Any]) -> ModelStatus:
    return status_of(Observation(model=model(), pods=(as_waiting(raw, NOW),)), NOW)


@pytest.mark.parametrize(
    ("raw", "phase"),
    [
        (tried(restarts=2, lived=5, since=3), "Failing"),
        (tried(restarts=7, lived=0, since=1), "Failing"),
        (tried(restarts=2, lived=5, since=20), "Loading"),
        (tried(restarts=1, lived=5, since=3), "Loading"),
        (tried(restarts=4, lived=7200, since=61), "Loading"),
        (tried(restarts=4, lived=5, since=3, code=0), "Loading"),
    ],
    ids=["repeats", "fails at once", "goes further", "is the first again", "served for long", "was no failure"],
)
def test_stays_failing_until_a_try_goes_further(raw: dict[str, Any], phase: str) -> None:
    assert status(raw).phase == phase


def test_is_the_same_while_it_waits_while_it_tries_and_while_it_has_just_ended() -> None:
    tries = tried(restarts=2, lived=5, since=3)
    ended = tried(restarts=2, lived=5, since=3)
    ended["status"]["containerStatuses"][0]["state"] = {"terminated": {"exitCode": 1}}
    assert status(tries).detail == "2 tries ended with exit code 1. It is being tried again."
    assert status(ended).detail == "3 tries ended with exit code 1. It is being tried again."
    assert status(tries).retried
    assert status(ended).retried


def test_leaves_a_pod_alone_that_is_ready_and_changes_none_in_place() -> None:
    serving = tried(restarts=2, lived=5, since=3)
    serving["status"]["conditions"][1]["status"] = "True"
    assert as_waiting(serving, NOW) is serving
    tries = tried(restarts=2, lived=5, since=3)
    before = copy.deepcopy(tries)
    as_waiting(tries, NOW)
    assert tries == before


@pytest.mark.parametrize("odd", [{}, {"status": None}, {"status": {"containerStatuses": [None, {"state": 3}]}}])
def test_reads_odd_pods(odd: dict[str, Any]) -> None:
    assert as_waiting(odd, NOW) is odd
