"""Which run's log is shown, and which of its lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kubeai_notebook.local.emulation.log_requests import log_request_of, run_id_of, shown
from kubeai_notebook.local.emulation.refusals import StatusError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def pod(state, *, run="", last=""):
    ended = {"terminated": {"containerID": last}} if last else {}
    return {
        "metadata": {"name": "p"},
        "status": {"containerStatuses": [{"state": {state: {}}, "containerID": run, "lastState": ended}]},
    }


def test_shows_the_last_run_while_the_next_one_waits():
    crashed = pod("waiting", run="local://a/2", last="local://a/1")
    assert run_id_of(crashed, "server", previous=False) == "a/1"
    running = pod("running", run="local://a/2", last="local://a/1")
    assert [run_id_of(running, "server", previous=previous) for previous in (False, True)] == ["a/2", "a/1"]


@pytest.mark.parametrize(
    ("container", "previous", "message"),
    [
        ("loader", False, "container loader is not valid for pod p"),
        ("server", True, 'previous terminated container "server" in pod "p" not found'),
        ("server", False, 'container "server" in pod "p" is waiting to start: ContainerCreating'),
    ],
)
def test_refuses_a_log_that_is_not_there(container, previous, message):
    with pytest.raises(StatusError) as refused:
        run_id_of(pod("waiting"), container, previous=previous)
    assert (refused.value.code, str(refused.value)) == (400, message)


@pytest.mark.parametrize(
    ("query", "since"),
    [
        ({}, b""),
        ({"sinceSeconds": "60"}, b"2026-11-22T11:59:00"),
        ({"sinceTime": "2026-11-22T12:00:00+02:00"}, b"2026-11-22T10:00:00"),
        ({"sinceSeconds": "99999999999"}, b""),
    ],
)
def test_reads_from_when_on_lines_are_wanted(query, since):
    assert log_request_of(query, NOW, pod="p").since == since


@pytest.mark.parametrize(
    ("query", "code"), [({"sinceTime": "noon"}, 400), ({"sinceSeconds": "0"}, 422), ({"tailLines": "-1"}, 422)]
)
def test_refuses_numbers_and_times_that_mean_nothing(query, code):
    with pytest.raises(StatusError) as refused:
        log_request_of(query, NOW, pod="p")
    assert refused.value.code == code


def test_shows_lines_with_their_times_or_without():
    lines = [b"2026-11-22T12:00:00Z a b\n", b"2026-11-22T12:00:01Z c\n"]
    assert shown(lines, timed=False) == b"a b\nc\n"
    assert shown(lines, timed=True) == b"".join(lines)
