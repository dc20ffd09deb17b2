"""The live table without a browser: its rows, and what it takes from one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.core.whereabouts import Whereabouts
from kubeai_notebook.session.live.subscription import ALL, Change, Subscription
from kubeai_notebook.views import live
from kubeai_notebook.views.models_table import LiveModels
from tests.support.talking import talking_cluster
from tests.support.views import view_in
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kubeai_notebook.core.view import View

pytestmark = pytest.mark.usefixtures("built")


class FakeSession:
    """Stands for a Session whose publisher leaves a Change when `now_is` is called."""

    def __init__(self) -> None:
        self.where = Whereabouts(this_machine=True, namespace="default")
        self.changes = Subscription(ALL)
        self.revision = 0

    def subscribe(self) -> Subscription:
        return self.changes

    def now_is(self, name: str, view: View | None) -> None:
        self.revision += 1
        model = {"metadata": {"name": name}, "spec": {}}
        named = view and replace(view, revision=self.revision, observation=replace(view.observation, model=model))
        self.changes.put(Change(name, named, self.revision))


@pytest.fixture
def session() -> Iterator[FakeSession]:
    session = FakeSession()
    session.now_is("b", view_in("Ready", ready=1))
    session.now_is("a", view_in("Loading"))
    yield session
    session.changes.close()


def phases(table: LiveModels) -> dict[str, str]:
    return {row.name: row.phase for row in table.shown.rows}


def test_shows_all_models_by_name_and_follows_them(session: FakeSession) -> None:
    table = LiveModels(session)
    assert list(phases(table).items()) == [("a", "Loading"), ("b", "Ready")]
    session.now_is("a", view_in("Ready", ready=1))
    session.now_is("b", None)
    session.now_is("c", view_in("Failing"))
    assert until(lambda: phases(table) == {"a": "Ready", "c": "Failing"})
    assert until(lambda: [row["phase"] for row in table.children[0].table["rows"]] == ["Ready", "Failing"])


class FakeHandle:
    """Stands for the output of a cell that holds a snapshot."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def update(self, still: Mapping[str, str]) -> None:
        self.texts.append(still["text/plain"])


def test_leaves_the_last_change_to_the_snapshots_of_all_cells(session: FakeSession) -> None:
    table, handles = LiveModels(session), [FakeHandle(), FakeHandle()]
    for handle in handles:
        table._snapshots.add(handle.update)
    for phase in ("Pulling", "Loading", "Ready", "Failing"):
        session.now_is("a", view_in(phase))
        assert until(lambda phase=phase: phases(table)["a"] == phase)
    for handle in handles:
        assert until(lambda handle=handle: "a  Failing" in handle.texts[-1])


def test_goes_on_after_a_change_that_it_cannot_show(session: FakeSession, caplog: pytest.LogCaptureFixture) -> None:
    table = LiveModels(session)
    session.now_is("a", replace(view_in("Ready"), status=None))  # type: ignore[arg-type]  # what a bug would leave
    assert until(lambda: "could not be updated" in caplog.text)
    session.now_is("a", view_in("Failing"))
    assert until(lambda: phases(table).get("a") == "Failing")


def test_ends_with_its_subscription(session: FakeSession) -> None:
    table = LiveModels(session)
    assert not table.ended
    table.close()
    assert table.ended


@pytest.mark.parametrize(
    "content",
    [
        None,
        "delete",
        {"id": "1", "verb": "delete", "name": "elsewhere"},
        {"id": "1", "verb": "delete", "name": ["a"]},
        {"id": "1", "verb": "eval", "name": "a"},
        {"id": "1", "verb": "delete", "name": "a", "more": 1},
    ],
)
def test_takes_nothing_but_verbs_for_models_that_it_shows(session: FakeSession, content: Any) -> None:
    sent: list[Any] = []
    LiveModels(session)._taken(content, sent.append)
    assert sent == []


def test_looks_away_from_a_model_whose_card_is_taken_away(tmp_path: Path) -> None:
    with talking_cluster(tmp_path) as (smol, _, _, _):
        table = LiveModels(smol.session)
        assert table._toggle_card("smol") == "The card of smol is below the table."
        cards = live._cards_by_session()[smol.session]
        assert (len(table.children), cards.changes.names) == (2, {"smol"})
        assert table._toggle_card("smol") == ""
        assert (len(table.children), cards.changes.names) == (1, set())
        assert table._toggle_card("smol") == "The card of smol is below the table."
        assert cards.changes.names == {"smol"}
        table.close()
        assert cards.changes.names == set()
