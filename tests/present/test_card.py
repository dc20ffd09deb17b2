from dataclasses import replace
from typing import Any, get_args

import pytest

from kubeai_notebook.core.model_spec import FEATURES
from kubeai_notebook.core.notice import Finding
from kubeai_notebook.core.observation import HttpAnswer
from kubeai_notebook.core.phase import Phase
from kubeai_notebook.core.remedy import Command, Remedy, SetField
from kubeai_notebook.core.view import Link
from kubeai_notebook.errors import ForbiddenError
from kubeai_notebook.present.card import broken_line, card_of, deleted_card, line_of, waiting_line, waking_line
from kubeai_notebook.present.models_table import row_of
from kubeai_notebook.present.wire import Card
from tests.support.views import FINDING, SINCE, pod, view_in


def card(phase: str, note: str = "", **changes: object) -> Card:
    return card_of(view_in(phase, **changes), namespace="default", note=note)


def rows(card: Card) -> dict[str, str]:
    return {fact.label: fact.value for fact in card.facts}


@pytest.mark.parametrize("phase", get_args(Phase))
def test_has_a_tone_and_an_announcement_for_each_phase(phase: str) -> None:
    waiting = {"Deleting", "Submitted", "Caching", "Updating", "Scheduling", "Pulling", "Loading"}
    assert (card(phase).tone == "busy") == (phase in waiting)
    assert card(phase).announcement == f"Model smol is {phase}."


@pytest.mark.parametrize(
    ("features", "has_one"),
    [*(([feature], True) for feature in FEATURES), (["Singing"], False), ([], False)],
)
def test_has_a_playground_for_every_feature_that_is_known(features: list[str], has_one: bool) -> None:
    view = view_in("Ready", ready=1)
    view.model["spec"]["features"] = features
    assert card_of(view, namespace="default").playground is has_one


def test_says_what_the_model_is_in_rows() -> None:
    assert rows(card("Loading")) == {
        "Replicas": "0 of 1 ready",
        "Engine": "OLlama",
        "Profile": "cpu:1",
        "Source": "ollama://smollm2:135m",
    }


def test_hides_the_value_of_a_variable_in_the_source() -> None:
    view = view_in("Ready", ready=1)
    view.model["spec"] |= {"url": "hf://org/swordfish99", "env": {"DB_PASSWORD": "swordfish99"}}
    assert rows(card_of(view, namespace="default"))["Source"] == "hf://org/***"


def test_names_the_engine_that_stands_in() -> None:
    assert rows(card("Ready", stand_in="llama.cpp"))["Engine"] == "llama.cpp, in place of Ollama"


def test_has_no_row_for_what_is_not_there() -> None:
    assert rows(card("Asleep", desired=0, profile="")).keys() == {"Engine", "Source"}


def test_does_not_say_twice_how_many_replicas_are_ready() -> None:
    ready = card("Ready", ready=1, detail="1 of 1 replicas ready.")
    assert (ready.detail, rows(ready)["Replicas"]) == ("", "1 of 1 ready")


def test_keeps_sentence_note_progress_and_time() -> None:
    pulling = card("Pulling", note="smol is being served.", progress=0.44)
    assert (pulling.detail, pulling.note, pulling.progress) == ("A sentence.", "smol is being served.", 0.44)
    assert pulling.phase_since_seconds == SINCE.timestamp()
    assert card("Pulling", since=None).phase_since_seconds == 0


def test_says_who_has_to_act_only_where_nothing_goes_on_by_itself() -> None:
    assert card("Failing").next_step == "It does not go on by itself: it needs you."
    assert card("Unmanaged").next_step == "It does not go on by itself: it needs you or an administrator."
    assert [card(phase).next_step for phase in ("Loading", "Degraded", "Ready", "Asleep")] == [""] * 4


@pytest.mark.parametrize(
    ("who", "sentence"),
    [
        ("user", "It does not go on by itself: it needs you."),
        ("admin", "It does not go on by itself: it needs an administrator."),
        ("nobody", "It may pass by itself."),
    ],
)
def test_says_who_has_to_act_as_its_reason_does(who: Any, sentence: str) -> None:
    assert card("Failing", findings=(replace(FINDING, who=who),)).next_step == sentence


def test_says_that_what_is_tried_again_goes_on_by_itself() -> None:
    assert card("Failing", retried=True).next_step == "It needs you, and then goes on by itself at its next try."
    passes = card("Failing", retried=True, findings=(replace(FINDING, who="nobody"),))
    assert passes.next_step == "It may pass by itself."


def test_says_how_quickly_it_answered() -> None:
    view = view_in("Ready", ready=1)
    answered = replace(view, observation=replace(view.observation, answer=HttpAnswer(status=200, seconds=0.42)))
    assert rows(card_of(answered, namespace="default"))["Replicas"] == "1 of 1 ready, answered in 0.4 s"
    at_once = replace(view, observation=replace(view.observation, answer=HttpAnswer(status=200, seconds=0.042)))
    assert rows(card_of(at_once, namespace="default"))["Replicas"] == "1 of 1 ready, answered in under 0.1 s"
    refused = replace(view, observation=replace(view.observation, answer=HttpAnswer(status=404, seconds=0.42)))
    assert rows(card_of(refused, namespace="default"))["Replicas"] == "1 of 1 ready"


def test_numbers_the_lines_of_all_fixes_through() -> None:
    patch = Remedy(title="Set it.", changes=(SetField(name="image", value=None),))
    command = Remedy(title="Look.", command=Command(arguments=("kubectl", "get", "nodes")))
    other = replace(FINDING, code="Other", remedies=(command, patch))
    failing = card("Failing", findings=(FINDING, other))
    assert [(one.number, one.kind, one.title, one.how) for one in failing.findings[1].remedies] == [
        (3, "command", "Look.", "!kubectl get nodes"),
        (4, "change", "Set it.", "%kubeai_why smol --fix 4"),
    ]


def test_sends_the_id_of_each_fix() -> None:
    (finding,) = card("Failing", findings=(FINDING,)).findings
    assert [one.id for one in finding.remedies] == [remedy.id for remedy in FINDING.remedies]


def test_shows_findings_and_announces_the_first_where_it_is_bad() -> None:
    failing = card("Failing", findings=(FINDING,))
    assert failing.announcement == "Model smol is Failing. The engine needs more memory."
    (shown,) = failing.findings
    assert (shown.code, shown.message, shown.evidence) == ("OutOfMemory", FINDING.message, "exit 137\nOOMKilled")
    assert [(one.title, one.kind, one.how) for one in shown.remedies] == [
        ("Use a larger profile.", "advice", ""),
        ("Serve a smaller model.", "advice", ""),
    ]
    assert card("Loading", findings=(FINDING,)).announcement == "Model smol is Loading."


def test_says_since_when_it_is_reconnecting() -> None:
    lost = card("Ready", link=Link("reconnecting", since_seconds=7.0))
    assert (lost.link, lost.link_since_seconds) == ("reconnecting", 7.0)
    assert card("Ready").link == "live"
    assert card("Ready", link=Link("closed")).link == "closed"


def test_says_why_it_may_no_longer_look() -> None:
    error = ForbiddenError("You may not list models here.", "Ask for the right.")
    assert card("Ready", link=Link("forbidden", error)).next_step == "You may not list models here. Ask for the right."


def test_keeps_of_a_deleted_model_what_it_was() -> None:
    before = card("Ready", ready=1, note="smol is being served.")
    gone = deleted_card("smol", namespace="default", before=before)
    assert (gone.phase, gone.tone, gone.note, gone.phase_since_seconds) == ("Deleted", "gone", "", 0)
    assert rows(gone).keys() == {"Engine", "Profile", "Source"}
    assert gone.detail == "It was there when this cell ran, and was deleted later."


def test_says_nothing_of_a_deleted_model_that_was_never_seen() -> None:
    gone = deleted_card("smol", namespace="default")
    assert (gone.facts, gone.detail, gone.announcement) == ((), "", "Model smol is Deleted.")


def test_shows_no_secret_of_a_url() -> None:
    view = view_in("Loading")
    view.model["spec"]["url"] = "s3://bucket/x?token=abcdefgh12345678&model=y"
    assert rows(card_of(view, namespace="default"))["Source"] == "s3://bucket/x?token=***&model=y"


def test_says_in_one_line_what_a_model_is() -> None:
    assert line_of("smol", view_in("Ready", ready=1)) == "Model('smol', Ready 1/1, OLlama, cpu:1, on this machine)"
    assert (
        line_of("smol", view_in("Blocked", profile=""))
        == "Model('smol', Blocked 0/1, OLlama, no profile, on this machine)"
    )
    assert line_of("smol", None) == "Model('smol', Deleted)"


def in_steps(phase: str, last: dict[str, float], *events: Any, **moments: str) -> Card:
    view = view_in(phase)
    seen = replace(view.observation, pods=(pod(**moments),), events=events)
    return card_of(replace(view, observation=seen), namespace="default", last=last)


def test_shows_the_steps_of_a_start_and_how_long_they_took_before() -> None:
    moments = {"scheduled": "2026-11-22T20:00:01Z", "running": "2026-11-22T20:00:13Z"}
    loading = in_steps("Loading", {"Loading": 41.0}, **moments)
    assert [(step.phase, step.state, step.seconds, step.last_seconds) for step in loading.steps] == [
        ("Scheduling", "over", 1.0, None),
        ("Pulling", "over", 12.0, None),
        ("Loading", "now", None, 41.0),
        ("Ready", "next", None, None),
    ]
    failing = in_steps("Failing", {}, **moments)
    assert [step.state for step in failing.steps] == ["over", "over", "failed", "next"]
    unpulled = in_steps("Failing", {}, {"reason": "Pulling", "message": "Pulling weights"}, **moments)
    assert [step.state for step in unpulled.steps] == ["over", "failed", "next", "next"]
    ready = in_steps("Ready", {"Pulling": 0.0}, **moments, ready="2026-11-22T20:00:51Z")
    assert [(step.state, step.last_seconds) for step in ready.steps] == [("over", None)] * 4


def test_says_how_far_a_model_is_that_somebody_talks_to() -> None:
    moments = {"scheduled": "2026-11-22T20:00:01Z", "running": "2026-11-22T20:00:13Z"}
    view = view_in("Loading", desired=1)
    loading = replace(view, observation=replace(view.observation, pods=(pod(**moments),)))
    assert waking_line(loading, 12.3) == "Waking: Scheduling → Pulling → Loading 12 s"
    pulling = view_in("Pulling", progress=0.44)
    pulling = replace(pulling, observation=replace(pulling.observation, pods=(pod(),)))
    assert waking_line(pulling, 3.0) == "Waking: Scheduling → Pulling 44% 3 s"
    assert waking_line(view_in("Asleep"), 0.0) == "Waking: Asleep 0 s"


def test_says_what_keeps_a_model_that_somebody_talks_to() -> None:
    assert waking_line(view_in("Pulling", findings=(FINDING,)), 3.0).startswith("… smol Pulling: The engine needs more")
    assert waking_line(view_in("Updating"), 3.0).startswith("… smol Updating: A sentence.")
    assert "not connected" in waking_line(view_in("Loading", link=Link("reconnecting")), 3.0)


def test_says_why_an_answer_broke_off() -> None:
    failing = view_in("Failing", findings=(FINDING,))
    assert broken_line(failing, ()) == "The engine needs more memory."
    assert broken_line(failing, {FINDING.code}) == "smol is Failing now: A sentence."
    assert broken_line(view_in("Ready", ready=1, findings=(FINDING,)), {FINDING.code}) == ""


@pytest.mark.parametrize(
    ("phase", "verbs"),
    [
        ("Ready", ("scale", "pause", "delete")),
        ("Failing", ("scale", "pause", "delete")),
        ("Paused", ("resume", "delete")),
        ("Deleting", ()),
    ],
)
def test_offers_what_can_be_done(phase: str, verbs: tuple[str, ...]) -> None:
    assert card(phase).verbs == verbs


def test_offers_to_restart_what_has_pods() -> None:
    assert "restart" in in_steps("Loading", {}).verbs


def test_offers_nothing_of_what_is_not_seen() -> None:
    assert card("Ready", link=Link("reconnecting")).verbs == card("Ready", link=Link("closed")).verbs == ()


def test_says_on_how_many_pods_an_adapter_is() -> None:
    view = view_in("Ready", ready=2)
    view.model["spec"]["adapters"] = [{"name": "terse", "url": "hf://a/b"}]
    loaded = {**pod(), "metadata": {"name": "a", "labels": {"adapter.kubeai.org/terse": "x"}}}
    two = replace(view, observation=replace(view.observation, pods=(loaded, pod())))
    assert rows(card_of(two, namespace="default"))["Adapters"] == "terse on 1 of 2 Pods"


UNKNOWN = Finding(code="Unknown", message="It fails for a reason that this diagnosis does not know.")


def test_does_not_say_that_nothing_explains_a_failure_before_its_log_was_read() -> None:
    view = replace(view_in("Failing", findings=(UNKNOWN,)), pending=True)
    card = card_of(view, namespace="default")
    assert (card.findings, card.announcement) == ((), "Model smol is Failing.")
    assert card.next_step == "Reading its log and Events for the reason …"
    assert row_of(view).problem == ""
    assert UNKNOWN.message not in waiting_line(view, 5.0)


@pytest.mark.parametrize(("finding", "pending"), [(UNKNOWN, False), (FINDING, True)])
def test_says_what_is_found_at_once_and_at_the_end_that_nothing_is(finding: Finding, pending: bool) -> None:
    view = replace(view_in("Failing", findings=(finding,)), pending=pending)
    card = card_of(view, namespace="default")
    assert [shown.message for shown in card.findings] == [finding.message]
    assert "Reading" not in card.next_step
    assert row_of(view).problem == finding.message
