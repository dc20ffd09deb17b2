"""A remedy by its id or by the number that was shown: what a reader saw is what is applied, or nothing is."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.core.notice import Finding
from kubeai_notebook.core.remedy import Command, Remedy, SetArgument, SetField
from kubeai_notebook.core.served import SERVED_BY
from kubeai_notebook.errors import ConflictError, KubeAIError, NotYoursError, UsageError
from kubeai_notebook.magics import diagnose
from kubeai_notebook.session import verbs
from kubeai_notebook.session.connection import Connection
from kubeai_notebook.session.live.subscription import Change, Subscription
from kubeai_notebook.session.model import Model
from tests.support.views import pod, view_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.session.view import View

PROFILE = Remedy(title="Write cpu:1.", changes=(SetField(name="resourceProfile", value="cpu:1"),))
IMAGE = Remedy(title="Leave the image out.", changes=(SetField(name="image", value=None),))
SHORTER = Remedy(title="Set it.", changes=(SetArgument(name="--max-model-len", value="512"),))
LOOK = Remedy(title="Look at the nodes.", command=Command(arguments=("kubectl", "get", "nodes")))
AGAIN = Remedy(title="Start its Pods again.", command=Command(verb="restart", arguments=("smol",)))
ASK = Remedy(title="Ask whoever runs the cluster.")


class FakeCluster:
    """One Model smol, whose version moves with every write."""

    namespace = "default"

    def __init__(self) -> None:
        self.spec: dict[str, Any] = {"resourceProfile": "cpus:1", "image": "mine", "args": ["--a"]}
        self.labels: dict[str, str] = {}
        self.annotations = {SERVED_BY: "alice"}
        self.version = 1
        self.patches: list[dict[str, Any]] = []
        self.meanwhile: Callable[[], None] = lambda: None
        """Called before each write, as somebody else who is faster."""

    def model(self, _name: str) -> dict[str, Any]:
        metadata = {"name": "smol", "uid": "u", "generation": self.version, "resourceVersion": str(self.version)}
        notes = {"labels": dict(self.labels), "annotations": dict(self.annotations)}
        return {"metadata": {**metadata, **notes}, "spec": dict(self.spec)}

    def login(self) -> str:
        return "alice"

    def patch_model(self, name: str, patch: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        before, self.meanwhile = self.meanwhile, lambda: None
        before()
        if patch["metadata"]["resourceVersion"] != str(self.version):
            raise ConflictError('"smol" was changed by somebody else meanwhile.')
        if dry_run:
            return self.model(name)
        self.patches.append(patch["spec"])
        self.version += 1
        self.spec |= patch["spec"]
        return self.model(name)

    def change_spec(self) -> None:
        self.version += 1
        self.spec["args"] = ["--b"]

    def change_labels(self) -> None:
        self.version += 1
        self.labels["features.kubeai.org/TextGeneration"] = "true"


class FakePublisher:
    """Gives Views with these remedies, one after the other; the last one again and again."""

    def __init__(self, *shown: tuple[Remedy, ...], ready: int = 0) -> None:
        self._shown, self._ready = list(shown), ready
        self.pods: tuple[Any, ...] = ()

    def view(self, _name: str) -> View:
        remedies = self._shown.pop(0) if len(self._shown) > 1 else self._shown[0]
        finding = Finding(code="X", message="Something is wrong.", remedies=remedies)
        view = view_in("Failing", findings=(finding,) if remedies else (), ready=self._ready)
        view.model["metadata"]["uid"] = "u"
        return replace(view, observation=replace(view.observation, pods=self.pods))

    def subscribe(self, names: list[str], *, looks: bool = True) -> Subscription:
        """Tells at once of a Model in which every change is seen already."""
        seen = view_in("Failing")
        seen.model["metadata"]["generation"] = 99
        changes = Subscription(names, looks=looks)
        changes.put(Change(names[0], seen, 1))
        return changes


def session_of(*shown: tuple[Remedy, ...], ready: int = 0) -> tuple[Any, FakeCluster]:
    session: Any = Connection()
    cluster = FakeCluster()
    session._parts |= {"cluster": cluster, "publisher": FakePublisher(*shown, ready=ready)}
    session.handle = lambda done: Model(session, done.name, outcome=done)
    return session, cluster


def test_applies_by_the_id_that_was_shown_wherever_it_stands_now() -> None:
    session, cluster = session_of((IMAGE, PROFILE))
    done = verbs.fix(session, "smol", PROFILE.id)
    assert (done.action, done.diff) == ("fixed", ("resourceProfile: cpus:1 → cpu:1",))
    assert (done.restarts, done.generation, done.uid) == (True, 2, "u")
    assert cluster.patches == [{"resourceProfile": "cpu:1"}]


def test_changes_nothing_where_the_remedy_is_none_any_more() -> None:
    session, cluster = session_of((IMAGE,))
    with pytest.raises(UsageError, match="What is wrong with smol has changed"):
        verbs.fix(session, "smol", PROFILE.id)
    assert cluster.patches == []


@pytest.mark.parametrize(
    ("remedy", "line"),
    [
        (LOOK, "Run in a terminal: kubectl get nodes"),
        (AGAIN, "Call restart(smol)."),
        (ASK, "Ask whoever runs the cluster."),
    ],
)
def test_says_what_to_run_where_the_remedy_is_no_change(remedy: Remedy, line: str) -> None:
    session, cluster = session_of((remedy,))
    with pytest.raises(UsageError) as raised:
        verbs.fix(session, "smol", remedy.id)
    assert raised.value.hint == line
    assert cluster.patches == []


def test_takes_a_number_for_what_was_shown_last() -> None:
    session, cluster = session_of((PROFILE, IMAGE))
    model = Model(session, "smol")
    assert repr(model.why()).index("1. Write cpu:1.")
    fixed = model.fix(1)
    assert cluster.patches == [{"resourceProfile": "cpu:1"}]
    assert (model.note, fixed.outcome.action) == ("", "fixed")
    assert fixed.note.startswith("smol is changed: resourceProfile: cpus:1 → cpu:1.")


def test_applies_no_other_remedy_under_a_number_than_was_shown() -> None:
    session, cluster = session_of((PROFILE,), (IMAGE, PROFILE))
    model = Model(session, "smol")
    model.why()
    with pytest.raises(UsageError, match="has changed since it was shown. Fix 1 is now: Leave the image out."):
        model.fix(1)
    assert cluster.patches == []
    # Its reader has seen now what 1 is.
    model.fix(1)
    assert cluster.patches == [{"image": None}]


def test_applies_the_very_remedy_whose_change_was_judged_though_findings_change_meanwhile() -> None:
    """The magic looks at what a fix would do before it does it; in between another Finding may have come."""
    for looks in range(1, 9):
        shown = [(SHORTER,)] * looks + [(IMAGE,)]
        session, cluster = session_of(*shown)
        options = SimpleNamespace(fix=1, dry_run=False, yes=True, wait=False, name="smol", namespace="")
        model = Model(session, "smol")
        try:
            done = diagnose.why(SimpleNamespace(options=options, model=model, session=session))
        except KubeAIError:
            assert cluster.patches == []
        else:
            (patch,) = cluster.patches
            assert [field for field in ("args", "image") if f"{field}:" in done.note] == list(patch)


def test_says_what_a_fix_would_change_and_changes_nothing() -> None:
    session, cluster = session_of((SHORTER,))
    would = verbs.fix(session, "smol", SHORTER.id, dry_run=True)
    assert (would.diff, would.restarts, would.dry_run) == (("args: with --max-model-len=512",), True, True)
    assert cluster.patches == []


def test_says_that_it_is_so_already() -> None:
    session, cluster = session_of((PROFILE,))
    cluster.spec["resourceProfile"] = "cpu:1"
    assert verbs.fix(session, "smol", PROFILE.id).action == "nothing"
    assert cluster.patches == []


def test_changes_what_somebody_else_served_only_where_that_is_said() -> None:
    session, cluster = session_of((PROFILE,), ready=2)
    cluster.annotations[SERVED_BY] = "bob"
    with pytest.raises(
        NotYoursError, match="smol was served by bob, and you are alice: nothing was changed."
    ) as raised:
        verbs.fix(session, "smol", PROFILE.id)
    assert (raised.value.stake.verb, raised.value.stake.ready) == ("fix", 2)
    assert raised.value.stake.diff == ("resourceProfile: cpus:1 → cpu:1",)
    assert cluster.patches == []
    assert verbs.fix(session, "smol", PROFILE.id, yes=True).action == "fixed"


def test_writes_nothing_where_somebody_else_was_faster() -> None:
    session, cluster = session_of((SHORTER,))
    cluster.meanwhile = cluster.change_spec
    with pytest.raises(ConflictError, match="smol was changed by somebody else meanwhile, so nothing was changed now"):
        verbs.fix(session, "smol", SHORTER.id)
    assert (cluster.patches, cluster.spec["args"]) == ([], ["--b"])


def test_does_not_mind_what_kubeai_writes_meanwhile() -> None:
    session, cluster = session_of((SHORTER,))
    cluster.meanwhile = cluster.change_labels
    assert verbs.fix(session, "smol", SHORTER.id).action == "fixed"
    assert cluster.patches == [{"args": ["--a", "--max-model-len=512"]}]


def test_keeps_what_was_shown_of_no_more_models_than_it_says() -> None:
    session, _ = session_of(())
    for number in range(1000):
        session.remember_shown(f"u{number}", (PROFILE,))
    assert len(session.shown_remedies) == 256


def test_makes_the_change_of_the_dry_run_though_kubeai_wrote_meanwhile() -> None:
    session, cluster = session_of((PROFILE,))
    would = verbs.fix(session, "smol", PROFILE.id, dry_run=True)
    cluster.change_labels()
    verbs.fix(session, "smol", PROFILE.id, resource_version=would.resource_version)
    assert cluster.patches == [{"resourceProfile": "cpu:1"}]


@pytest.mark.parametrize("version", ["1", "never seen"])
def test_refuses_a_change_that_was_shown_on_an_older_model(version: str) -> None:
    session, cluster = session_of((SHORTER,))
    assert verbs.fix(session, "smol", SHORTER.id, dry_run=True).resource_version == "1"
    cluster.change_spec()
    with pytest.raises(ConflictError, match="smol was changed since this change was shown"):
        verbs.fix(session, "smol", SHORTER.id, resource_version=version)
    assert cluster.patches == []
    newer = verbs.fix(session, "smol", SHORTER.id, dry_run=True)
    verbs.fix(session, "smol", SHORTER.id, resource_version=newer.resource_version)
    assert cluster.patches == [{"args": ["--b", "--max-model-len=512"]}]


BETWEEN_TRIES = pod(running="2026-11-22T20:01:00Z", ended=True, restarts=1)
READY = pod(running="2026-11-22T20:01:00Z", ended=True, restarts=1, ready="2026-11-22T20:01:05Z")


def test_makes_the_change_that_was_shown_while_the_engine_is_tried_again() -> None:
    """Between two crashes a Pod runs and nothing is wrong with it."""
    session, cluster = session_of((PROFILE,), ())
    would = verbs.fix(session, "smol", PROFILE.id, dry_run=True)
    session.publisher.pods = (BETWEEN_TRIES,)
    verbs.fix(session, "smol", PROFILE.id, resource_version=would.resource_version)
    assert cluster.patches == [{"resourceProfile": "cpu:1"}]


def test_takes_a_number_while_the_engine_is_tried_again() -> None:
    session, cluster = session_of((PROFILE, IMAGE), ())
    model = Model(session, "smol")
    model.why()
    session.publisher.pods = (BETWEEN_TRIES,)
    model.fix(2)
    assert cluster.patches == [{"image": None}]


@pytest.mark.parametrize("pods", [(READY,), ()], ids=["it came up by itself", "its Pod is gone"])
def test_makes_no_change_for_a_failure_that_is_over(pods: tuple[Any, ...]) -> None:
    session, cluster = session_of((PROFILE,), ())
    would = verbs.fix(session, "smol", PROFILE.id, dry_run=True)
    session.publisher.pods = pods
    with pytest.raises(UsageError, match="no longer applies"):
        verbs.fix(session, "smol", PROFILE.id, resource_version=would.resource_version)
    assert cluster.patches == []


def test_makes_no_other_change_than_was_shown_while_the_engine_is_tried_again() -> None:
    session, cluster = session_of((PROFILE,), ())
    would = verbs.fix(session, "smol", PROFILE.id, dry_run=True)
    session.publisher.pods = (BETWEEN_TRIES,)
    with pytest.raises(UsageError, match="no longer applies"):
        verbs.fix(session, "smol", IMAGE.id, resource_version=would.resource_version)
    cluster.change_spec()
    with pytest.raises(ConflictError, match="smol was changed since this change was shown"):
        verbs.fix(session, "smol", PROFILE.id, resource_version=would.resource_version)
    assert cluster.patches == []


def test_makes_no_change_where_none_was_shown_and_the_model_is_another_now() -> None:
    session, cluster = session_of((PROFILE,))
    cluster.spec["resourceProfile"] = "cpu:1"
    shown = verbs.fix(session, "smol", PROFILE.id, dry_run=True)
    assert (shown.action, shown.resource_version) == ("nothing", "1")
    cluster.spec["resourceProfile"] = "cpus:1"
    cluster.version += 1
    with pytest.raises(ConflictError, match="was changed since this change was shown"):
        verbs.fix(session, "smol", PROFILE.id, resource_version=shown.resource_version)
    assert cluster.patches == []
