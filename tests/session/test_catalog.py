"""What can be served, by Python, on a cluster that says nothing of anybody's machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from kubeai_notebook.errors import SpecError
from kubeai_notebook.session.session import Session
from tests.support.daemon import SMOL
from tests.support.fake_api import MODELS, FakeApi, model

if TYPE_CHECKING:
    from collections.abc import Callable


def test_lists_a_clusters_models_and_claims_nothing_of_its_machines(
    clusters: tuple[FakeApi, FakeApi], kubeconfig: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    api = clusters[0]
    api.put(MODELS, model("asleep", url="ollama://qwen3:0.6b", engine="OLlama", replicas=0, minReplicas=0))
    monkeypatch.setenv("KUBECONFIG", kubeconfig(api.url))
    with Session(context="a") as session:
        frame = session.catalog().set_index("url")
    assert frame.loc["hf://org/repo", ["source", "model"]].tolist() == ["cluster", "smol"]
    assert frame.loc["ollama://qwen3:0.6b", ["source", "model"]].tolist() == ["cluster", "asleep"]
    assert frame["fits"].isna().all()
    assert not frame["here"].any()
    assert "/configmaps/kubeai-local-catalog" not in str(api.requests)
    assert frame.loc["hf://org/repo", "size_bytes"] is pd.NA


def test_refuses_in_python_too_and_sends_it_when_forced(session: Session) -> None:
    fields = {**SMOL, "name": "slip", "url": "ollama://smolm2:135m"}
    report = session.plan(**fields)
    assert "CannotRunHere" in [notice.code for notice in report.notices if notice.severity == "error"]
    with pytest.raises(SpecError, match=r"Did you mean ollama://smollm2:135m\?"):
        session.serve(**fields)
    assert session.cluster.models() == []
    assert "Take care: " in session.serve(force=True, **fields).note


def test_leaves_nothing_open_that_the_daemon_has_answered(session: Session) -> None:
    codes = [notice.code for notice in session.plan(name="slip", url="ollama://no-such-model:1b").notices]
    assert "CannotRunHere" in codes
    assert not {"NotAsked", "EngineLoadsUrl"} & {*codes}


def test_says_of_an_update_too_that_it_cannot_run(session: Session) -> None:
    session.serve(name="swap", min_replicas=0, **SMOL)
    with pytest.raises(SpecError, match="has no model"):
        session.serve(name="swap", min_replicas=0, **{**SMOL, "url": "ollama://no-such-model:1b"})
    assert session.attach("swap").spec.url == SMOL["url"]
