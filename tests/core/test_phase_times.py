from typing import Any

import pytest

from kubeai_notebook.core.observation import Observation
from kubeai_notebook.core.phase_times import Step, start_key, steps_of
from tests.support.views import pod


def steps(*pods: Any, events: tuple[Any, ...] = ()) -> tuple[Step, ...]:
    return steps_of(Observation(model={}, pods=pods, events=events))


READY = pod(scheduled="2026-11-22T20:00:01Z", running="2026-11-22T20:00:13Z", ready="2026-11-22T20:00:51Z")


def test_tells_how_long_each_step_took() -> None:
    assert steps(READY) == (
        Step("Scheduling", 1.0, over=True),
        Step("Pulling", 12.0, over=True),
        Step("Loading", 38.0, over=True),
        Step("Ready", None, over=True),
    )


@pytest.mark.parametrize(
    ("moments", "over"),
    [
        ({}, [False] * 4),
        ({"scheduled": "2026-11-22T20:00:01Z"}, [True, False, False, False]),
        ({"scheduled": "2026-11-22T20:00:01Z", "running": "2026-11-22T20:00:13Z"}, [True, True, False, False]),
    ],
)
def test_tells_which_steps_are_over(moments: dict[str, str], over: list[bool]) -> None:
    assert [step.over for step in steps(pod(**moments))] == over
    assert [step.seconds is not None for step in steps(pod(**moments))] == over


def test_is_about_the_newest_pod() -> None:
    newer = pod(created="2026-11-22T21:00:00Z")
    assert [step.over for step in steps(READY, newer)] == [False] * 4
    assert steps() == ()


def test_tells_no_time_of_a_container_that_was_begun_anew() -> None:
    again = pod(scheduled="2026-11-22T20:00:01Z", running="2026-11-22T20:09:00Z", restarts=3)
    assert [step.seconds for step in steps(again)] == [1.0, None, None, None]


def test_has_pulled_what_ran_before() -> None:
    for crashed in ({"ended": True, "restarts": 2}, {"restarts": 2}, {"waiting": "CrashLoopBackOff"}):
        ended = pod(scheduled="2026-11-22T20:00:01Z", **crashed)
        assert [step.over for step in steps(ended)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("reasons", "pulled"),
    [
        (["Started", "Pulling"], False),  # on this machine weights are downloaded once the container runs
        (["Started", "Pulling", "Pulled"], True),
        (["Pulling", "Pulled", "Started"], True),  # elsewhere what is pulled is an image, before the container runs
        (["Pulling", "Pulled", "Started", "Pulling"], False),  # and again, before its next run
    ],
)
def test_has_not_pulled_what_it_failed_to_pull(reasons: list[str], pulled: bool) -> None:
    events = tuple(
        {"reason": reason, "message": "smol", "lastTimestamp": f"2026-11-22T20:00:{second:02}Z"}
        for second, reason in enumerate(reasons)
    )
    ended = pod(scheduled="2026-11-22T20:00:01Z", ended=True, restarts=2)
    assert [step.over for step in steps(ended, events=events)] == [True, pulled, False, False]


@pytest.mark.parametrize("moment", ["yesterday", "", "2026-11-22T19:00:00Z"])
def test_survives_times_that_are_none(moment: str) -> None:
    odd = pod(scheduled="2026-11-22T20:00:01Z", running=moment or "x", ready="never")
    assert all(step.seconds is None or step.seconds >= 0 for step in steps(odd))


def test_takes_starts_for_alike_by_engine_url_profile_and_cluster() -> None:
    spec = {"engine": "OLlama", "url": "ollama://a", "resourceProfile": "cpu:1", "args": ["--x"]}
    key = start_key({"spec": spec}, "here")
    assert key == start_key({"spec": {**spec, "args": []}}, "here")
    assert key != start_key({"spec": spec}, "there")
    assert key != start_key({"spec": {**spec, "resourceProfile": "cpu:2"}}, "here")
