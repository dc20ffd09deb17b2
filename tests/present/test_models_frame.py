from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pandas as pd
import pytest

from kubeai_notebook.core.phase import Phase
from kubeai_notebook.core.view import View
from kubeai_notebook.present.models_frame import COLUMNS, ModelsFrame, models_frame
from tests.support.views import FINDING, view_in

NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)
MINUTES_3 = NOW - timedelta(minutes=3, seconds=5)


def named(name: str, phase: str = "Ready", *, created: Any = MINUTES_3, **changes: Any) -> View:
    view = view_in(phase, **changes)
    view.model["metadata"]["name"] = name
    if created:
        view.model["metadata"]["creationTimestamp"] = created if isinstance(created, str) else created.isoformat()
    return view


def frame(*views: View, **idle: float) -> ModelsFrame:
    return models_frame(views, idle=idle, now=NOW)


@pytest.fixture
def several() -> ModelsFrame:
    pod = {
        "spec": {"nodeName": "n", "containers": [{"resources": {"limits": {"nvidia.com/gpu": "2", "cpu": "1"}}}]},
    }
    ready = named("b", ready=2, desired=2)
    ready = replace(ready, observation=replace(ready.observation, pods=(pod, pod)))
    failing = named("a", "Failing", findings=(FINDING,), created=NOW - timedelta(days=3))
    return frame(ready, failing, named("c", "Scheduling", created=None), b=600.0, a=0.0)


def test_is_data_that_can_be_sorted_and_summed(several: ModelsFrame) -> None:
    assert tuple(several.columns) == COLUMNS
    assert (several["gpus"].sum(), several["desired"].sum(), several["ready"].sum()) == (4, 4, 2)
    assert several["age"].max() == pd.Timedelta(days=3)
    assert list(several.sort_values("created")["name"][:2]) == ["a", "b"]
    assert several[several.age > "1h"].name.tolist() == ["a"]
    assert several["problem_code"].tolist() == ["", "OutOfMemory", ""]
    assert several["problem"].tolist()[1] == "The engine needs more memory."
    assert several["url"].tolist() == ["ollama://smollm2:135m"] * 3


def test_hides_the_value_of_a_variable_in_the_url() -> None:
    view = named("a")
    view.model["spec"] |= {"url": "hf://org/swordfish99", "env": {"DB_PASSWORD": "swordfish99"}}
    assert frame(view)["url"].tolist() == ["hf://org/***"]


def test_has_a_type_for_each_column(several: ModelsFrame) -> None:
    for made in (several, frame()):
        kinds = {name: str(kind) for name, kind in made.dtypes.items()}
        assert {name: kinds[name] for name in ("ready", "desired", "gpus", "idle_seconds", "created", "age")} == {
            "ready": "int64",
            "desired": "int64",
            "gpus": "int64",
            "idle_seconds": "float64",
            "created": "datetime64[ns, UTC]",
            "age": "timedelta64[ns]",
        }
        assert tuple(made["phase"].cat.categories) == get_args(Phase)


def test_sorts_phases_as_the_phase_table_does(several: ModelsFrame) -> None:
    assert several.sort_values("phase")["phase"].tolist() == ["Failing", "Scheduling", "Ready"]
    assert several[several.phase < "Ready"]["name"].tolist() == ["a", "c"]


def test_shows_itself_as_a_table_that_reads_well(several: ModelsFrame) -> None:
    head, *rows = [line.split() for line in repr(several).splitlines()]
    assert " ".join(head) == "name phase ready engine features profile age problem gpus idle for"
    assert " ".join(rows[0]) == "b Ready 2/2 OLlama cpu:1 3 min 4 3 min"
    assert " ".join(rows[1]) == "a Failing 0/1 OLlama cpu:1 3 d The engine needs more memory. 0 in use"
    assert " ".join(rows[2]) == "c Scheduling 0/1 OLlama cpu:1 — 0 —"
    html = several._repr_html_()
    assert "<th></th>" not in html
    assert all(words in html for words in ("2/2", "3 min", "in use", "mathjax_ignore"))


def test_shows_a_selection_of_rows_in_the_same_way(several: ModelsFrame) -> None:
    failing = several[several.phase == "Failing"]
    assert "0/1" in repr(failing)
    assert "b " not in repr(failing)
    assert repr(several.sort_values("name")).splitlines()[1].split()[0] == "a"


def test_shows_a_selection_of_columns_as_it_is(several: ModelsFrame) -> None:
    names = several[["name"]]
    assert repr(names).split() == ["name", "0", "b", "1", "a", "2", "c"]
    assert "2/2" not in names._repr_html_()
    assert "ollama://smollm2:135m" in repr(several[["name", "url"]])
    assert "extra" in repr(several.assign(extra=1))


def test_says_there_are_no_models_only_where_there_are_none(several: ModelsFrame) -> None:
    assert repr(frame()) == "There are no Models here."
    assert "There are no Models here." in frame()._repr_html_()
    for selection in (several[several.phase == "Asleep"], several[several.name == "x"][["name"]], frame()[["name"]]):
        assert selection.empty
        assert "no Models" not in repr(selection) + selection._repr_html_()


def test_knows_no_model_idle_for_longer_than_it_exists() -> None:
    young, old = named("young", created=NOW - timedelta(seconds=4)), named("old", created=NOW - timedelta(days=1))
    made = frame(young, old, named("unknown"), young=600.0, old=600.0).set_index("name")
    assert made.loc[["young", "old"], "idle_seconds"].tolist() == [4.0, 600.0]
    assert pd.isna(made.loc["unknown", "idle_seconds"])


def test_says_no_more_than_a_cluster_knows_of_when_a_model_was_used() -> None:
    made = models_frame([named("a"), named("b")], idle={"a": 0.0}, window_seconds=600.0, now=NOW)
    assert [row.split()[-1] for row in repr(made).splitlines()[1:]] == ["less", "—"]
    assert "10 min or less" in repr(made)
    assert "10 min or less" in repr(made[made.name == "a"])


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "yesterday", "2026-13-01"])
def test_does_not_know_the_age_of_a_model_with_an_odd_time(created: str) -> None:
    made = frame(named("odd", created=created), named("well"), odd=600.0)
    assert made["age"].isna().tolist() == [True, False]
    assert made["idle_seconds"].tolist()[0] == 600.0
    assert "—" in repr(made)


def test_shows_other_peoples_words_as_words_only() -> None:
    hostile = named("odd", profile="<img src=x>\x1b[31m:1")
    hostile.model["spec"]["url"] = "s3://bucket/x?token=abcdefgh12345678"
    made = frame(hostile)
    assert made["profile"].tolist() == ["<img src=x>:1"]
    assert made["url"].tolist() == ["s3://bucket/x?token=***"]
    assert "<img" not in made._repr_html_()
    assert "<img" not in made[["profile"]]._repr_html_()
