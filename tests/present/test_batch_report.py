"""What a reader sees of a batch."""

from __future__ import annotations

from dataclasses import replace

from kubeai_notebook.core.batch_progress import FailedRow, Progress
from kubeai_notebook.present.batch_report import batch_bundle, batch_line, batch_text

RUNNING = Progress(
    model="smol", rows=10_000, done=500, failed=3, from_store=100, sent=403, in_flight=32, at_once=32,
    prompt_tokens=30_000, completion_tokens=10_000, seconds=40.0,
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


def test_says_why_it_has_ended() -> None:
    line = batch_line(replace(RUNNING, ended="It was stopped.", notes=("x",)))
    assert line == "smol: 500 of 10,000 rows, 3 failed, 100 known from before, 40,000 tokens, 40 s. It was stopped."


def test_says_little_before_it_knows_anything() -> None:
    assert batch_line(Progress(model="smol")) == "smol: 0 rows."
    assert batch_text(Progress(model="smol", rows=5)) == "smol: 0 of 5 rows."


def test_lets_no_answer_act_in_a_page() -> None:
    html = batch_bundle(RUNNING)["text/html"]
    assert "&lt;b&gt;bad" in html
    assert "<b>bad" not in html
    assert 'value="5"' in html
