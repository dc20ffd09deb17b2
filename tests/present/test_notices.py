from datetime import UTC, datetime, timedelta

import pytest

from kubeai_notebook.core.notice import Notice
from kubeai_notebook.core.plan import Outcome, Stake
from kubeai_notebook.core.remedy import Remedy
from kubeai_notebook.present.details import details_of, idle_text
from kubeai_notebook.present.log import Log
from kubeai_notebook.present.notices import progress_of
from kubeai_notebook.present.wire import Details, Request
from tests.support.views import view_in

NOW = datetime(2026, 11, 22, 22, 0, 0, tzinfo=UTC)


def test_says_what_a_verb_did_in_magics() -> None:
    done = Outcome(action="fixed", name="smol", note="Do restart() now.", diff=("a → b",), restarts=True)
    answer = progress_of("1", "done", name="smol", result=done)
    assert (answer.note, answer.diff, answer.restarts) == ("Do %kubeai_restart smol now.", ("a → b",), True)


def test_says_what_a_deletion_takes_away() -> None:
    stake = Stake(verb="delete", name="smol", pods=2, ready=1, resource_profile="l4:1")
    answer = progress_of("1", "done", name="smol", result=stake)
    assert answer.note == "With it go 2 Pods on l4:1, and requests that are being answered break off."


def test_shows_a_notice_with_its_next_step_and_plain() -> None:
    notice = Notice(code="X", field="url", message="No \x1b[31murl.", remedies=(Remedy(title="models() lists."),))
    (line,) = progress_of("1", "failed", name="smol", notices=[notice]).notices
    assert (line.code, line.field, line.remedy) == ("X", "url", "%kubeai_models lists.")
    assert "\x1b" not in line.message


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"id": "1", "verb": "eval"},
        {"id": "1", "verb": "scale", "replicas": -1},
        {"id": "1", "verb": "scale", "replicas": "2"},
        {"id": "1", "verb": "scale", "replicas": 10**9},
        {"id": "1", "verb": "delete", "yes": "true"},
        {"id": "1", "verb": "fix", "remedy_id": "../../etc"},
        {"id": "1", "verb": "pause", "namespace": "kube-system"},
        {"id": "<script>", "verb": "pause"},
        "delete",
    ],
)
def test_takes_nothing_from_a_browser_but_a_verb_with_its_arguments(message: object) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Request.model_validate(message)


def event(number: int, message: str, **more: object) -> dict[str, object]:
    at = f"2026-11-22T20:00:{number:02}Z"
    return {"reason": "Pulling", "message": message, "lastTimestamp": at, "metadata": {}, **more}


def test_shows_the_newest_events_first_masked_and_few() -> None:
    view = view_in("Loading")
    view.model["spec"]["env"] = {"API_KEY": "abcdefgh12345678"}
    events = tuple(event(number, f"image {number} by abcdefgh12345678", count=number) for number in range(20))
    object.__setattr__(view.observation, "events", events)
    details = details_of(view, Log("a\nb", pod="smol-1"))
    assert details.events[0].text == "Pulling: image 19 by *** (19 times)"
    assert (len(details.events), details.log, details.pod) == (10, "a\nb", "smol-1")


def test_keeps_the_end_of_a_long_log_and_says_why_there_is_none() -> None:
    details = details_of(view_in("Loading"), Log("x" * 50_000 + "end", pod="smol-1"))
    assert (len(details.log), details.log[-3:]) == (20_000, "end")
    assert details_of(view_in("Loading"), None, "smol has no Pod.") == Details(problem="smol has no Pod.")


@pytest.mark.parametrize(
    ("idle_seconds", "words"),
    [(2820.0, "47 min on 1 Pod of cpu:1"), (9e9, "2 h on 1 Pod of cpu:1"), (59.0, ""), (0.0, ""), (None, "")],
)
def test_says_what_nobody_uses_as_far_as_it_is_known(idle_seconds: float | None, words: str) -> None:
    view = view_in("Ready", ready=1)
    view.model["metadata"]["creationTimestamp"] = (NOW - timedelta(hours=2)).isoformat()
    assert idle_text(view, idle_seconds, NOW) == words


def test_says_nothing_of_a_model_that_holds_nothing() -> None:
    asleep = view_in("Asleep", desired=0)
    asleep.model["metadata"]["creationTimestamp"] = NOW.isoformat()
    assert idle_text(asleep, 7200.0, NOW) == ""
