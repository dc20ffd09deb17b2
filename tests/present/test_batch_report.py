"""What a reader sees of a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kubeai_notebook.core.batch_progress import FailedRow, Progress
from kubeai_notebook.present.batch_report import INTERRUPTS, batch_bundle, batch_line, batch_text, trial_text

RUNNING = Progress(
    model="smol", rows=10_000, done=500, failed=3, from_store=100, sent=403, in_flight=32, at_once=32,
    prompt_tokens=30_000, completion_tokens=10_000, seconds=40.0, asking_seconds=40.0,
    trial=(("0", "good"), ("1", "<b>bad</b>")), failures=(FailedRow("17", "The answer is empty."),),
)  # fmt: skip


def test_says_in_a_line_how_far_it_is() -> None:
    assert batch_line(RUNNING) == (
        "smol: 500 of 10,000 rows, 3 failed, 100 known from before, 40,000 tokens, 10.0 rows/s, 32 at once, "
        "about 16 min left."
    )


def test_says_what_the_first_rows_mean_for_all_and_which_failed() -> None:
    assert batch_text(RUNNING).splitlines()[1:] == [
        "By what came so far, 10,000 rows take 16 min and 990,000 tokens. The first 2:",
        "  row 0: good",
        "  row 1: <b>bad</b>",
        "Rows that failed last:",
        "  row 17: The answer is empty.",
    ]


def test_says_how_many_answers_were_cut_and_where_that_is_seen() -> None:
    line, note, *_ = batch_text(replace(RUNNING, cut=12)).splitlines()
    assert line.startswith("smol: 500 of 10,000 rows, 3 failed, 12 cut, 100 known from before")
    assert note == "Answers that were cut are kept, and the column error says so; a higher max_tokens lets them end."
    assert note in batch_bundle(replace(RUNNING, cut=12))["text/html"]


def test_says_why_it_has_ended() -> None:
    line = batch_line(replace(RUNNING, ended="It was stopped.", notes=("x",)))
    assert line == (
        "smol: 500 of 10,000 rows, 3 failed, 100 known from before, 40,000 tokens, 40 s. It was stopped. "
        "What came is kept; 9,500 rows have no answer."
    )


def test_says_nothing_of_the_whole_while_most_of_what_was_asked_is_in_flight() -> None:
    assert trial_text(RUNNING).startswith("By what came so far, 10,000 rows take")
    assert trial_text(replace(RUNNING, in_flight=401)) == ""


def test_shows_no_login_that_a_server_repeats() -> None:
    row = FailedRow("3", "The engine refused it (Authorization: Bearer hf_abcdefghijklmnopqrstuvwxyz0123456789).")
    assert "abcdefghij" not in str(batch_bundle(replace(RUNNING, failures=(row,))))


def test_says_how_it_is_ended_as_long_as_it_goes_on() -> None:
    assert "Interrupting the cell" in batch_bundle(RUNNING, INTERRUPTS)["text/html"]
    assert "Interrupting the cell" not in batch_bundle(replace(RUNNING, ended="x"), INTERRUPTS)["text/html"]


def test_says_little_before_it_knows_anything() -> None:
    assert batch_line(Progress(model="smol")) == "smol: 0 rows."
    assert batch_text(Progress(model="smol", rows=5)) == "smol: 0 of 5 rows."


def test_lets_no_answer_act_in_a_page() -> None:
    html = batch_bundle(RUNNING)["text/html"]
    assert "&lt;b&gt;bad" in html
    assert "<b>bad" not in html
    assert 'value="5"' in html


def test_rests_its_pace_on_rows_that_were_asked() -> None:
    counts: Any = {"rows": 200, "done": 100, "failed": 99, "unsent": 99, "sent": 1}
    progress = Progress(model="m", **counts, seconds=10.0, asking_seconds=10.0, prompt_tokens=10)
    assert (progress.asked, progress.seconds_left, progress.tokens_in_all) == (1, 10.0, 20)
    assert Progress(model="m", rows=200, done=99, unsent=99, in_flight=1, seconds=0.1).seconds_left is None


def test_forecasts_by_the_time_that_was_spent_asking() -> None:
    counts: Any = {"rows": 1000, "done": 900, "from_store": 890, "sent": 10}
    progress = Progress(model="m", **counts, seconds=100.0, asking_seconds=5.0)
    assert progress.seconds_left == 50.0
    assert "2.0 rows/s" in batch_line(progress)
