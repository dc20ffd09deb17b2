"""What a wait makes of a link that is lost for a moment, without a cluster and without waiting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.core.view import Link
from kubeai_notebook.errors import DeployError, NotFoundError, UnreachableError, WaitTimeoutError
from kubeai_notebook.session import verbs
from kubeai_notebook.session.live.subscription import Change
from kubeai_notebook.session.waiting import delete, restart_pods, wait_ready, wait_seen
from tests.support.fake_api import MODELS, FakeApi, model
from tests.support.talking import talking_cluster
from tests.support.views import view_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kubeai_notebook.core.view import View

STUCK = view_in("Failing")
LOST = view_in("Failing", link=Link("reconnecting", since_seconds=1.0))
LOADING = view_in("Loading")
READY = view_in("Ready")


class Script:
    """A Subscription that gives these Views one by one, and keeps for how long it was asked to wait for each."""

    def __init__(self, *views: View) -> None:
        self.views, self.patience_seconds = list(views), []

    def until(self, predicate: Callable[[Change], bool], timeout_seconds: float) -> Change | None:
        self.patience_seconds.append(timeout_seconds)
        changes = (Change("smol", self.views.pop(0), 1) for _ in tuple(self.views))
        return next(filter(predicate, changes), None)

    def latest(self, _name: str) -> None:
        return

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def session_of(script: Script, *, is_this_machine: bool = False) -> Any:
    publisher = SimpleNamespace(subscribe=lambda _, **_options: script)
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


def test_names_the_next_step_where_nothing_explains_a_failure() -> None:
    with pytest.raises(DeployError) as raised:
        wait_ready(session_of(Script(STUCK)), "smol", 60)
    assert raised.value.hint == 'attach("smol").why() says what is seen of it.'


def test_says_where_to_look_for_what_holds_a_pod() -> None:
    session = session_of(Script())
    pods = ({"metadata": {"name": "model-smol-1"}},)
    session.publisher.view = lambda _: SimpleNamespace(observation=SimpleNamespace(engine_pods=pods))
    session.cluster.delete_pod = lambda _: None
    with pytest.raises(WaitTimeoutError, match="model-smol-1 is being deleted") as raised:
        restart_pods(session, "smol", 1)
    assert raised.value.hint == 'attach("smol").why() says what holds it.'


def test_waits_on_for_this_machine_that_came_back() -> None:
    script = Script(LOADING, LOST, LOADING, READY)
    wait_ready(session_of(script, is_this_machine=True), "smol", 900)
    assert script.patience_seconds[-1] > 800


def made(api: FakeApi, name: str, uid: str, **metadata: Any) -> dict[str, Any]:
    """A Model that the API has and its watches have not told of yet."""
    fresh = model(name)
    fresh["metadata"] |= {"namespace": "default", "uid": uid, "resourceVersion": "0", **metadata}
    api.objects[MODELS][name] = fresh
    return fresh


@pytest.mark.parametrize("name", ["fresh", "smol"], ids=["nothing is known of it", "a former one has its name"])
def test_waits_for_a_model_that_was_not_seen_here_yet(tmp_path: Path, name: str) -> None:
    with talking_cluster(tmp_path) as (smol, _, _, api):
        assert smol.view.uid != "new"  # (it is known here)
        former = api.objects[MODELS]["smol"]
        made(api, name, "new", finalizers=["kubeai.org/cache-eviction"])
        if name == "smol":
            api.send(MODELS, {"type": "DELETED", "object": former})
        with pytest.raises(WaitTimeoutError, match=f"{name} is being deleted, but is not gone after"):
            verbs.delete(smol.session, name, yes=True, timeout_seconds=0.5)
        api.change(MODELS, api.objects[MODELS][name], gone=True)


@pytest.mark.parametrize("name", ["fresh", "smol"], ids=["nothing is known of it", "a former one has its name"])
def test_sees_that_a_model_is_gone_of_which_nothing_was_told(tmp_path: Path, name: str) -> None:
    with talking_cluster(tmp_path) as (smol, _, _, api):
        assert smol.view.uid != "new"  # (it is known here)
        made(api, name, "new")
        assert verbs.delete(smol.session, name, yes=True).note == f"{name} is deleted."
        assert name not in api.objects[MODELS]


def test_does_not_take_a_model_for_gone_while_the_api_gives_no_answer() -> None:
    answers = [UnreachableError("The API is away."), NotFoundError("It is gone.")]

    def asked(_name: str) -> None:
        raise answers.pop(0)

    session = session_of(Script())
    session.cluster.delete_model, session.cluster.model = lambda *_: None, asked
    delete(session, "smol", 60, uid="new")
    assert answers == []


def test_has_not_seen_a_model_while_a_former_one_of_its_name_is_shown() -> None:
    script = Script(of("former", 5), of("new", 1), of("new", 2))
    wait_seen(session_of(script).publisher, "smol", 1, uid="new")
    assert [view.uid for view in script.views] == ["new"]


def of(uid: str, generation: int) -> View:
    view = view_in("Ready")
    view.model["metadata"] |= {"uid": uid, "generation": generation}
    return view
