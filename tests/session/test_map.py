"""Batches by a Model's own handle: real answers, and what KubeAI gets to see."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from kubeai_notebook.errors import CallError, UsageError
from kubeai_notebook.session.mapping import BatchJob, target_of
from tests.support.daemon import SMOL

if TYPE_CHECKING:
    from pathlib import Path

    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.session import Session

LABELS = ["file", "network", "memory"]


@pytest.fixture
def model(session: Session) -> Model:
    return session.serve(name="smol", scaling={"min_replicas": 1, "max_replicas": 1}, **SMOL, wait=True)


def messages() -> pd.DataFrame:
    """What this operating system says of its errors."""
    return pd.DataFrame({"message": [os.strerror(code) for code in sorted(errno.errorcode)[:50]]})


def test_gives_nothing_but_the_labels_for_fifty_rows_of_a_real_model(model: Model, tmp_path: Path) -> None:
    out = model.map(
        messages(),
        "Is this about a file, a network or memory? {message}",
        schema=LABELS,
        temperature=0,
        store=tmp_path / "a.db",
    )
    assert len(out) == 50
    assert out["error"].isna().all()
    assert set(out["label"]) <= set(LABELS)
    job = model.map(
        messages(),
        "Is this about a file, a network or memory? {message}",
        schema=LABELS,
        temperature=0,
        store=tmp_path / "a.db",
        block=False,
    )
    assert isinstance(job, BatchJob)
    assert list(job.result(60)["label"]) == list(out["label"])
    assert job.progress.sent == 0
    assert "50 of 50 rows, 50 known from before" in repr(job)


def test_names_max_tokens_where_a_real_answer_is_cut(model: Model) -> None:
    out = model.map(pd.DataFrame({"text": ["Tell a long story."]}), "{text}", max_tokens=4, store=False)
    assert "The answer was cut after 4 tokens; a higher max_tokens=" in out["error"][0]
    assert out["raw"][0]


def test_refuses_before_anything_is_sent(model: Model) -> None:
    with pytest.raises(UsageError, match=r"map\(\) takes no temprature="):
        model.map(messages(), "{message}", temprature=0)
    with pytest.raises(UsageError, match='smol has no adapter "x". It has none.'):
        model.map(messages(), "{message}", adapter="x")


def test_asks_as_much_at_once_as_the_model_is_scaled_for(session: Session) -> None:
    model = session.serve(name="many", scaling={"min_replicas": 0, "max_replicas": 3, "target_requests": 20}, **SMOL)
    target = target_of(model.view)
    assert target.most_in_flight == 60
    assert target_of(model.scale(2).view).revision == target.revision
    changed = session.serve(name="many", **SMOL, args=["--ctx-size=512"])
    assert target_of(changed.view).revision != target.revision


def test_maps_by_no_model_that_makes_no_text(session: Session) -> None:
    model = session.serve(name="mini", url="ollama://all-minilm", engine="OLlama", features=["TextEmbedding"])
    with pytest.raises(CallError, match="does not generate text|makes embeddings"):
        model.map(messages(), "{message}")


def test_shows_every_argument_in_its_help() -> None:
    import inspect

    from kubeai_notebook.session.model import Model

    names = list(inspect.signature(Model.map).parameters)
    assert names[:4] == ["self", "table", "prompt", "block"]
    assert {"schema", "limit", "max_tokens", "extra_body"} <= set(names)
    assert "    max_errors: end when more rows" in (Model.map.__doc__ or "")
