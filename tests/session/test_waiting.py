"""What a wait makes of a link that is lost for a moment, without a cluster and without waiting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.core.view import Link
from kubeai_notebook.errors import DeployError, UnreachableError
from kubeai_notebook.session.live.subscription import Change
from kubeai_notebook.session.waiting import wait_ready
from tests.support.views import view_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.core.view import View

STUCK = view_in("Failing")
LOST = view_in("Failing", link=Link("reconnecting", since_seconds=1.0))
LOADING = view_in("Loading")
READY = view_in("Ready")


class Script:
    """A Subscription that gives these Views one by one, and keeps for how long it was asked to wait for each."""

    def __init__(self, *views: View) -> None:
        self.views, self.patience_seconds = list(views), []

    def until(self, _: Callable[[Change], bool], timeout_seconds: float) -> Change | None:
        self.patience_seconds.append(timeout_seconds)
        return Change("smol", self.views.pop(0), 1) if self.views else None

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def session_of(script: Script, *, is_this_machine: bool = False) -> Any:
    publisher = SimpleNamespace(subscribe=lambda _: script)
    cluster = SimpleNamespace(is_this_machine=is_this_machine)
    return SimpleNamespace(publisher=publisher, cluster=cluster, remember_shown=lambda *_: None)


def test_waits_on_while_the_link_to_a_cluster_is_lost() -> None:
    script = Script(STUCK, LOST, READY)
    wait_ready(session_of(script), "smol", 60)
    assert [seconds > 50 for seconds in script.patience_seconds] == [True, False, True]


def test_gives_up_what_is_stuck_once_the_link_is_back() -> None:
    script = Script(STUCK, LOST, STUCK)
    with pytest.raises(DeployError, match="smol is Failing"):
        wait_ready(session_of(script), "smol", 60)
    assert script.patience_seconds[-1] < 5


def test_says_at_the_end_that_the_cluster_is_away() -> None:
    with pytest.raises(UnreachableError):
        wait_ready(session_of(Script(STUCK, LOST)), "smol", 60)


def test_waits_three_seconds_for_this_machine_though_no_view_comes_after_the_loss() -> None:
    script = Script(STUCK, LOST)
    with pytest.raises(UnreachableError):
        wait_ready(session_of(script, is_this_machine=True), "smol", 900)
    assert script.patience_seconds[-1] <= 3


def test_waits_on_for_this_machine_that_came_back() -> None:
    script = Script(LOADING, LOST, LOADING, READY)
    wait_ready(session_of(script, is_this_machine=True), "smol", 900)
    assert script.patience_seconds[-1] > 800
