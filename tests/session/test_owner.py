"""Whose a Model is: one rule for every verb, in Python as in magics, and whichever kernel served it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import kubeai_notebook
from kubeai_notebook.core.served import SERVED_BY, served_by
from kubeai_notebook.errors import KubeAIError, NotFoundError, NotYoursError
from kubeai_notebook.local.emulation.reviews import USER
from kubeai_notebook.session.session import Session
from kubeai_notebook.settings import Settings
from tests.support.daemon import SCRIPTED, SMOL, Daemon, give, scripted_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeai_notebook.session.model import Model

VERBS: dict[str, Callable[..., Any]] = {
    "scale": lambda model, **how: model.scale(1, **how),
    "pause": lambda model, **how: model.pause(**how),
    "restart": lambda model, **how: model.restart(60, **how),
    "rollback": lambda model, **how: model.rollback(**how),
    "delete": lambda model, **how: model.delete(**how),
    "delete by name": lambda model, **how: model.session.delete(model.name, **how),
}


@pytest.fixture
def asleep(session: Session) -> Model:
    """A Model that was changed once, without a Pod."""
    session.serve(name="asleep", min_replicas=0, **SMOL)
    return session.serve(name="asleep", min_replicas=0, max_replicas=3, **SMOL)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("owner", ["bob", None])
def test_changes_what_somebody_else_served_only_where_that_is_said(
    session: Session, asleep: Model, verb: str, owner: str | None
) -> None:
    give(session, "asleep", owner)
    whose = f"served by bob, and you are {USER}" if owner else "not served with kubeai_notebook"
    before = session.cluster.model("asleep")
    with pytest.raises(NotYoursError, match=whose) as raised:
        VERBS[verb](asleep)
    assert raised.value.hint == "yes=True does it all the same."
    assert session.cluster.model("asleep")["spec"] == before["spec"]
    VERBS[verb](asleep, yes=True)


@pytest.mark.parametrize("verb", VERBS)
def test_changes_what_its_user_served_from_any_kernel(session: Session, asleep: Model, verb: str) -> None:
    with Session(context="local") as restarted:
        VERBS[verb](restarted.attach("asleep"))


def test_ends_no_pause_of_somebody_else(session: Session, asleep: Model) -> None:
    asleep.pause()
    give(session, "asleep", "bob")
    fields = {"name": "asleep", "min_replicas": 0, "max_replicas": 3, **SMOL}
    with pytest.raises(NotYoursError):
        asleep.resume()
    with pytest.raises(NotYoursError):
        session.serve(**fields)
    assert session.serve(**fields, yes=True).outcome.action == "updated"
    assert served_by(session.cluster.model("asleep")) == USER


def test_leaves_it_its_owners_where_nothing_is_taken_away(session: Session, asleep: Model) -> None:
    give(session, "asleep", "bob")
    assert session.serve(name="asleep", max_replicas=4, **SMOL).outcome.action == "updated"
    assert session.serve(name="asleep", max_replicas=4, **SMOL).outcome.action == "attached"
    assert served_by(session.cluster.model("asleep")) == "bob"


@pytest.mark.parametrize(
    "fewer",
    [{"replicas": 0, "autoscaling_disabled": True}, {"replicas": 0}, {"min_replicas": 0}, {"max_replicas": 1}],
    ids=str,
)
def test_takes_no_ready_pod_of_somebody_else_by_fewer_replicas(swarm: Model, fewer: dict[str, Any]) -> None:
    session, before = swarm.session, swarm.view.model["spec"]
    fields = {"name": "swarm", "url": SCRIPTED, "engine": "OLlama", **fewer}
    with pytest.raises(NotYoursError) as raised:
        session.serve(**fields)
    assert raised.value.stake.ready == 3
    assert session.cluster.model("swarm")["spec"] == before
    assert session.serve(**fields, yes=True).outcome.action == "updated"


@pytest.fixture(scope="module")
def three_ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    home = tmp_path_factory.mktemp("swarm")
    daemon = Daemon(home / "home", *scripted_options(home), KUBEAI_LOCAL_TESTING="1")
    settings = Settings(kubeconfig=str(daemon.start()))
    try:
        with Session(settings=settings) as session:
            yield session
    finally:
        daemon.stop()


@pytest.fixture
def swarm(three_ready: Session) -> Model:
    """Three ready Pods of somebody else."""
    fields = {"url": SCRIPTED, "engine": "OLlama", "autoscaling_disabled": False, "max_replicas": 3, "replicas": 3}
    model = three_ready.serve(name="swarm", yes=True, **fields)
    model.scale(3, yes=True).wait(60)
    give(three_ready, "swarm", "bob")
    return model


def test_tells_those_apart_who_share_a_service_account(session: Session) -> None:
    login = "system:serviceaccount:hub:default"

    def of(person: str) -> Session:
        one = Session(context="local", settings=Settings(person=person))
        one.cluster.login = lambda: login
        return one

    with of("alice") as alice, of("bob") as bob:
        alice.serve(name="asleep", min_replicas=0, **SMOL)
        with pytest.raises(NotYoursError, match=rf"served by alice \({login}\), and you are bob \({login}\)"):
            bob.delete("asleep")
    with of("alice") as again:
        again.delete("asleep")


def test_deletes_at_the_end_of_a_with_block_what_it_created(session: Session) -> None:
    with session.serve(name="short", min_replicas=0, **SMOL) as made:
        give(session, "short", "bob")
    assert made.name not in session.names()


@pytest.mark.parametrize("verb", [lambda model: model, lambda model: model.restart()], ids=["served", "and restarted"])
def test_leaves_what_was_made_anew_in_a_with_block(session: Session, verb: Callable[[Model], Model]) -> None:
    with verb(session.serve(name="short", min_replicas=0, **SMOL)) as made:
        made.delete()
        session.serve(name="short", min_replicas=0, **SMOL)
        give(session, "short", "bob")
    assert served_by(session.cluster.model("short")) == "bob"


def test_deletes_the_others_and_names_the_nearest(session: Session) -> None:
    for name in ("one", "two", "three"):
        session.serve(name=name, min_replicas=0, **SMOL)
    with pytest.raises(NotFoundError) as raised:
        session.delete("one", "tow", "three")
    ways = 'Did you mean "two"? missing_ok=True passes over what is not there.'
    assert str(raised.value) == f'There is no Model "tow". Deleted: one, three. {ways}'
    assert session.names() == ["two"]
    with pytest.raises(NotFoundError, match="There is no Model") as raised:
        session.delete("gone")
    assert raised.value.hint == "models() lists what is there. missing_ok=True passes over what is not there."
    last = session.attach("two")
    done = session.delete("gone", "two", missing_ok=True)
    assert [(model.name, model.outcome.action) for model in done] == [("gone", "nothing"), ("two", "deleted")]
    with pytest.raises(NotFoundError, match='There is no Model "two".*missing_ok=True'):
        last.delete()
    assert last.delete(missing_ok=True).note == 'There is no Model "two".'


def test_tells_every_failure(session: Session) -> None:
    session.serve(name="theirs", min_replicas=0, **SMOL)
    give(session, "theirs", "bob")
    with pytest.raises(KubeAIError, match='no Model "gone".*theirs was served by bob'):
        session.delete("gone", "theirs")


def test_deletes_by_the_packages_own_function(daemon: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubeai_notebook import settings

    monkeypatch.setattr(settings.configurable(), "context", "local")
    kubeai_notebook.serve(name="short", min_replicas=0, **SMOL)
    assert [repr(model) for model in kubeai_notebook.delete("short")] == ["Model('short', Deleted)"]


def test_stops_a_run_that_somebody_else_started_only_where_that_is_said(session: Session) -> None:
    project = kubeai_notebook.get_or_create_project("shared", session=session)
    run = project.new_function("f", model_name="short", **SMOL).run(scaling={"min_replicas": 0})
    give(session, run.name, "bob")
    with pytest.raises(NotYoursError):
        run.stop()
    run.stop(yes=True)


def test_shows_a_strange_owner_as_plain_text(session: Session) -> None:
    session.serve(name="asleep", min_replicas=0, **SMOL)
    session.cluster.patch_model("asleep", {"metadata": {"annotations": {SERVED_BY: "\x00odd\u202e" * 400}}})
    again = session.serve(name="asleep", min_replicas=0, **SMOL)
    assert again.outcome.action == "attached"
    with pytest.raises(NotYoursError) as raised:
        again.scale(1)
    assert "\u202e" not in str(raised.value)
    assert len(raised.value.message) < 1000
