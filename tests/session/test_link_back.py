"""What is said of a Model after its API was away for long: nothing is concluded from what was not seen."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from kubernetes.client import Configuration

from kubeai_notebook.cluster.client import Api, Cluster
from kubeai_notebook.cluster.credentials import Login
from kubeai_notebook.cluster.reflector import Reflector
from kubeai_notebook.cluster.timing import Timing
from kubeai_notebook.session.live.change_tracker import ChangeTracker
from kubeai_notebook.session.live.publisher import Publisher
from tests.support.fake_api import EVENTS, MODELS, PODS, FakeApi, model, pod
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """Real time, and what is added to it."""

    later_seconds = 0.0

    def __call__(self) -> float:
        return time.time() + self.later_seconds


class Restarting(FakeApi):
    """A FakeApi that can be away, path by path, and knows no version of its life before."""

    def __init__(self) -> None:
        super().__init__()
        self.away: set[str] = set()
        self.forgotten: set[str] = set()
        self.lists: list[str] = []
        for path in (MODELS, PODS, EVENTS):
            self.objects[path] = {}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        if path in self.away:
            return web.json_response({"kind": "Status", "status": "Failure", "code": 500}, status=500)
        if request.query.get("watch") != "true":
            self.lists.append(path)
            self.forgotten.discard(path)
        elif path in self.forgotten:
            gone = {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}
            return web.json_response(gone, status=410)
        return await super()._answer(request)

    def drop(self, *paths: str) -> None:
        """End the watches of these paths, by an event that cannot be read."""
        self.away |= set(paths)
        for path in paths:
            self.send(path, {"type": "ERROR", "object": {"metadata": {"labels": {"model": "", "job-name": ""}}}})


@pytest.fixture
def api() -> Iterator[Restarting]:
    with Restarting().in_thread() as api:
        api.put(MODELS, model("served"))
        yield api


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def publisher(api: Restarting, clock: Clock) -> Iterator[Publisher]:
    cluster = Cluster(Api(Configuration(host=api.url)), "default")
    publisher = Publisher(cluster, Timing(now=clock, tick=0.05))
    publisher.ready()
    yield publisher
    publisher.close()
    cluster.close()


def test_says_that_it_reconnects_while_only_the_pods_are_away(api: Restarting, publisher: Publisher) -> None:
    api.change(PODS, pod("model-served-a-1", "served"))
    until(lambda: publisher.view("served").status.phase == "Ready")
    api.drop(PODS)
    until(lambda: publisher.view("served").link.state == "reconnecting")
    assert publisher.view("served").status.phase == "Ready"
    api.away.clear()
    until(lambda: publisher.view("served").link.state == "live")


def test_concludes_no_blocked_from_a_link_that_is_lost_or_has_just_come_back(
    api: Restarting, publisher: Publisher, clock: Clock
) -> None:
    api.change(PODS, pod("model-served-a-1", "served"))
    until(lambda: publisher.view("served").status.phase == "Ready")
    api.change(PODS, pod("model-served-a-1", "served"), gone=True)
    until(lambda: publisher.view("served").pods == ())
    api.drop(MODELS, PODS, EVENTS)
    until(lambda: publisher.view("served").link.state == "reconnecting")
    with publisher.subscribe(["served"]) as changes:
        clock.later_seconds = 60.0
        api.away.clear()
        phases = []
        for change in changes:
            phases.append((change.view.link.state, change.view.status.phase))
            if change.view.link.state == "live":
                break
        assert {phase for _, phase in phases} == {"Submitted"}
        # That it stays so is a Blocked then.
        clock.later_seconds += 60.0
        assert changes.until(lambda change: change.view.status.phase == "Blocked", 30)


def test_counts_from_the_moment_at_which_the_link_came_back() -> None:
    moments, served, now = ChangeTracker(), {"metadata": {"uid": "u"}}, datetime.now(UTC)
    assert moments.changed_at(served, [], now) is None
    back = now + timedelta(seconds=60)
    assert moments.changed_at(served, [], back, back_at_seconds=back.timestamp()) == back


class Noting(Reflector):
    """Notes for how long it rests after a failure."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.rests: list[float] = []
        super().__init__(*arguments, **options)

    def _rest(self, seconds: float, *others: Configuration) -> bool:
        self.rests.append(seconds)
        return super()._rest(seconds, *others)


def test_lists_at_once_where_its_version_is_of_an_earlier_life(api: Restarting) -> None:
    reflector = Noting(Api(Configuration(host=api.url)), PODS)
    try:
        until(lambda: reflector._stream)  # a list makes the link live, and its watch comes a moment later
        before = len(api.lists)
        api.forgotten.add(PODS)
        reflector.doubt()
        until(lambda: len(api.lists) > before and reflector.link.state == "live")
        assert reflector.rests == []
    finally:
        reflector.close()


def test_asks_often_again_once_the_server_says_where_it_is(api: Restarting) -> None:
    """The file is written a little before the server answers: what fails then is no reason for a long pause."""
    there: list[Any] = []
    login = Login(Configuration(host="http://127.0.0.1:9"), there.pop, moved=lambda: bool(there))
    reflector = Noting(Api(login=login), PODS, timing=Timing(look=0.05, first_pause=0.2))
    rests = reflector.rests
    try:
        until(lambda: rests and rests[-1] > 0.8)
        seen = len(rests)
        api.away.add(PODS)
        there.append(Configuration(host=api.url))
        until(lambda: len(rests) > seen)
        assert rests[seen] <= 0.2
        api.away.clear()
        until(lambda: reflector.link.state == "live")
    finally:
        reflector.close()
