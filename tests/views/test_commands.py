"""What a button starts: handed off, done once, and told to its end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.core.notice import wrong
from kubeai_notebook.errors import NotFoundError, SpecError
from kubeai_notebook.present.card import card_of
from kubeai_notebook.present.models_table import row_of
from kubeai_notebook.present.trial_wire import TrialState
from kubeai_notebook.views.commands import Commands, Progress, take
from tests.support.fake_api import MODELS, model, writes
from tests.support.talking import talking_cluster
from tests.support.views import view_in
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Told(list[Progress]):
    """What a widget is told."""

    def states(self) -> list[str]:
        return [progress.state for progress in self]

    def wait(self) -> Progress:
        """How it ended."""
        assert until(lambda: self.states()[-1:] in (["done"], ["failed"]))
        return self[-1]


class Gate:
    """Work that goes on until the gate is opened."""

    def __init__(self) -> None:
        self.opened, self.times = threading.Event(), 0

    def __call__(self) -> str:
        self.times += 1
        assert self.opened.wait(10)
        return "through"


def test_returns_before_the_work_is_done_and_tells_its_steps() -> None:
    told, gate = Told(), Gate()
    assert Commands().hand_off(gate, told.append, key="scale")
    assert told.states()[0] == "queued"
    assert not gate.opened.is_set()
    gate.opened.set()
    assert told.wait() == Progress("done", "through")
    assert told.states() == ["queued", "doing", "done"]


def test_does_nothing_twice_for_a_double_click_and_does_it_again_afterwards() -> None:
    told, gate, commands = Told(), Gate(), Commands()
    assert commands.hand_off(gate, told.append, key="delete")
    second = Told()
    assert not commands.hand_off(gate, second.append, key="delete")
    assert [one.notices[0].code for one in second] == ["UnderWay"]
    gate.opened.set()
    told.wait()
    assert gate.times == 1
    again = Told()
    assert commands.hand_off(gate, again.append, key="delete")
    again.wait()
    assert gate.times == 2


def test_leaves_what_a_widget_shows_as_it_is_where_the_same_goes_on_already() -> None:
    gate, commands, told, second = Gate(), Commands(), Told(), Told()
    asked = TrialState(model="smol", kind="rank", code="")
    commands.hand_off(gate, told.append, key="rank")
    shown = told[0].shown_in(asked, "Ranking …")
    commands.hand_off(gate, second.append, key="rank")
    gate.opened.set()
    assert shown.busy == "Ranking …"
    assert second[0].shown_in(shown, "Ranking …") == shown
    told.wait()


def test_does_what_has_one_queue_in_its_order() -> None:
    first, second, commands = Gate(), Gate(), Commands()
    told, later = Told(), Told()
    commands.hand_off(first, told.append, key="pause", queue="smol")
    commands.hand_off(second, later.append, key="resume", queue="smol")
    assert until(lambda: first.times == 1)
    assert (second.times, later.states()) == (0, ["queued"])
    first.opened.set()
    second.opened.set()
    assert (told.wait().state, later.wait().state) == ("done", "done")


def test_takes_as_many_and_no_more() -> None:
    gate, commands, refused = Gate(), Commands(most=2), Told()
    told = [Told(), Told()]
    for key, one in enumerate(told):
        commands.hand_off(gate, one.append, key=key)
    assert not commands.hand_off(gate, refused.append, key="third")
    assert (refused.states(), refused[0].notices[0].code) == (["failed"], "TooMany")
    gate.opened.set()
    assert [one.wait().state for one in told] == ["done", "done"]


def failing(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "field", "text"),
    [
        (
            NotFoundError("There is no smol.", "Look."),
            "NotFoundError",
            "",
            "There is no smol. Look.",
        ),
        (SpecError([wrong("url", "Required", "A Model needs a url.")]), "Required", "url", "A Model needs a url."),
    ],
)
def test_tells_an_error_as_a_notice(error: Exception, code: str, field: str, text: str) -> None:
    told = Told()
    Commands().hand_off(failing(error), told.append, key="serve")
    (notice,) = told.wait().notices
    assert (notice.code, notice.field, str(notice)) == (code, field, text)


def test_tells_a_bug_without_its_words_and_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    Commands().hand_off(failing(KeyError("hf_secret")), told.append, key="serve")
    (notice,) = told.wait().notices
    assert (notice.code, "KeyError" in notice.message, "hf_secret" in str(notice)) == ("Bug", True, False)
    assert "A command failed." in caplog.text


ASKED: dict[str, dict[str, Any]] = {
    "scale": {"verb": "scale", "replicas": 2}, "pause": {"verb": "pause"}, "resume": {"verb": "resume"},
    "restart": {"verb": "restart"}, "delete": {"verb": "delete", "yes": True},
    "what a deletion takes away": {"verb": "delete", "dry_run": True},
}  # fmt: skip


@pytest.mark.parametrize("verb", ASKED)
def test_does_nothing_to_another_model_than_the_one_that_was_shown(tmp_path: Path, verb: str) -> None:
    with talking_cluster(tmp_path) as (smol, _, _, api):
        shown = smol.view.uid
        former, anew = api.objects[MODELS]["smol"], model("smol")
        anew["metadata"]["uid"] = "another"
        with smol.session.subscribe("smol", looks=False) as changes:
            api.change(MODELS, former, gone=True)
            api.change(MODELS, anew)
            assert changes.until(lambda change: change.view is not None and change.view.uid == "another", 30)
        answers: list[dict[str, Any]] = []
        take(smol.session, "smol", {"id": "a", "uid": shown, **ASKED[verb]}, send=answers.append)
        assert until(lambda: answers[-1:] and answers[-1]["state"] in ("done", "failed"))
        (notice,) = answers[-1]["notices"]
        assert (notice["code"], "another Model has its name now" in notice["message"]) == ("ConflictError", True)
        assert writes(api) == []


def test_answers_each_widget_that_asks_the_same_question(tmp_path: Path) -> None:
    gate = Gate()

    def shown(_name: str) -> str:
        return gate()

    with talking_cluster(tmp_path) as (smol, _, _, _api):
        answers: list[dict[str, Any]] = []
        for asker in ("a", "b"):
            take(smol.session, "smol", {"id": asker, "verb": "show"}, send=answers.append, show=shown)
        gate.opened.set()
        assert until(lambda: {one["id"] for one in answers if one["state"] == "done"} == {"a", "b"})


def test_has_the_uid_of_what_is_shown_on_a_card_and_in_a_row() -> None:
    view = view_in("Ready", ready=1)
    view.model["metadata"]["uid"] = "its own"
    assert (card_of(view, namespace="default").uid, row_of(view).uid) == ("its own", "its own")


def test_leaves_no_thread() -> None:
    before, told = set(threading.enumerate()), Told()
    Commands().hand_off(lambda: None, told.append, key="once")
    told.wait()
    assert until(lambda: set(threading.enumerate()) <= before)
