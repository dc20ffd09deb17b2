"""All Models as rows, live and saved."""

from datetime import UTC, datetime, timedelta

from kubeai_notebook.present.models_table import LONGEST_CELL, row_of, table_snapshot, table_text
from kubeai_notebook.present.wire import ModelsTable
from tests.support.views import FINDING, view_in

READY = row_of(view_in("Ready", ready=1))
FAILING = row_of(view_in("Failing", findings=(FINDING,)))


def test_says_how_a_model_is_in_a_row() -> None:
    assert (READY.name, READY.phase, READY.tone, READY.ready, READY.desired) == ("smol", "Ready", "good", 1, 1)
    assert (READY.engine, READY.profile, READY.problem) == ("OLlama", "cpu:1", "")
    assert (FAILING.tone, FAILING.problem) == ("bad", "The engine needs more memory.")


def test_keeps_a_cell_short() -> None:
    assert len(row_of(view_in("Ready", profile="x" * 5_000)).profile) <= LONGEST_CELL + 10


def test_is_text_where_there_is_no_browser() -> None:
    shown = ModelsTable(where="in default on x", rows=(READY, FAILING))
    assert table_text(shown).splitlines() == [
        "smol  Ready  1/1",
        "smol  Failing  0/1  The engine needs more memory.",
        "Models in default on x.",
    ]
    assert table_text(ModelsTable(where="in there")) == "There are no Models.\nModels in there."


def test_is_a_plain_table_in_a_saved_notebook() -> None:
    at = datetime(2026, 11, 28, 12, tzinfo=UTC)
    old = READY.model_copy(update={"created_seconds": (at - timedelta(minutes=3)).timestamp(), "name": "<b>x</b>"})
    saved = table_snapshot(ModelsTable(where="in default on x", rows=(old,)), at=at)
    assert "&lt;b&gt;x&lt;/b&gt;" in saved
    assert "3 min" in saved
    assert "as seen on 2026-11-28" in saved
    assert "<script" not in saved
