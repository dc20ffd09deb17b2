"""What goes on at the same time, and what waits."""

from __future__ import annotations

import threading

from kubeai_notebook.session.live.pool import AT_ONCE, Pool
from tests.support.waiting import until


def test_does_one_of_a_kind_for_a_model_at_a_time_and_others_meanwhile() -> None:
    pool, over, done = Pool(), threading.Event(), []
    pool.submit("log", "slow", over.wait)
    pool.submit("log", "slow", lambda: done.append("slow"))
    pool.submit("log", "good", lambda: done.append("good"))
    pool.submit("probe", "slow", lambda: done.append("probe"))
    until(lambda: sorted(done) == ["good", "probe"])
    over.set()
    until(lambda: "slow" in done)
    pool.close()


def test_bounds_what_goes_on_at_once() -> None:
    pool, over, begun = Pool(), threading.Event(), []

    def work() -> None:
        begun.append(1)
        over.wait()

    for number in range(AT_ONCE + 5):
        pool.submit("log", f"m-{number}", work)
    until(lambda: len(begun) == AT_ONCE)
    assert len([one for one in threading.enumerate() if one.name == "kubeai-log"]) == AT_ONCE
    over.set()
    until(lambda: len(begun) == AT_ONCE + 5)
    pool.close()


def test_goes_on_after_a_job_that_failed(caplog) -> None:
    pool, done = Pool(), []

    def fail() -> None:
        raise KeyError("x")

    pool.submit("log", "m", fail)
    pool.submit("log", "m", lambda: done.append(1))
    until(lambda: done)
    assert "A log of m failed." in caplog.text
    pool.close()


def test_begins_nothing_when_it_is_closed() -> None:
    pool, done = Pool(), []
    pool.close()
    pool.submit("log", "m", lambda: done.append(1))
    assert not [one for one in threading.enumerate() if one.name == "kubeai-log"]
    assert done == []
