"""An update whose Pods never get ready: what answers meanwhile is named, and the way back is a fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.errors import DeployError
from kubeai_notebook.present.card import card_of
from kubeai_notebook.session.session import Session
from tests.support.daemon import SCRIPTED, Daemon, scripted_options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kubeai_notebook.core.view import View
    from kubeai_notebook.session.model import Model

BEFORE = f"{SCRIPTED}, from before the update"


@pytest.fixture
def swap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    daemon = Daemon(tmp_path / "home", *scripted_options(tmp_path), KUBEAI_LOCAL_TESTING="1")
    monkeypatch.setenv("KUBECONFIG", str(daemon.start()))
    try:
        with Session() as session:
            yield session.serve(name="swap", url=SCRIPTED, engine="OLlama").wait(60)
    finally:
        daemon.stop()


def updated(swap: Model, url: str) -> View:
    """The Model once its update is seen to fail."""
    swap.session.serve(name="swap", url=url, engine="OLlama", force=True)  # type: ignore[attr-defined]  # a Session
    with swap.subscribe() as changes:
        change = changes.until(lambda one: one.view.status.phase == "Degraded" and not one.view.pending, 30)
        assert change is not None
        assert change.view is not None
        return change.view


def test_names_what_answers_meanwhile(swap: Model) -> None:
    view = updated(swap, "ollama://nothing:1b")
    assert view.answering == SCRIPTED
    assert [finding.code for finding in view.findings] == ["ModelNotFound"]
    assert view.findings[0].message.endswith(f"{BEFORE}, answers meanwhile.")
    rows = {fact.label: fact.value for fact in card_of(view, namespace="default").facts}
    assert (rows["Answers now"], rows["Source"]) == (BEFORE, "ollama://nothing:1b")
    assert f"{BEFORE}, answers meanwhile." in repr(swap.why())
    with pytest.raises(DeployError, match="answers meanwhile"):
        swap.wait()
    assert swap.complete("Hello") == " scripted"


def test_goes_back_by_its_first_fix_also_after_a_second_failure(swap: Model) -> None:
    updated(swap, "ollama://nothing:1b")
    updated(swap, "ollama://nothing:2b")
    assert swap.why().remedies[0].title == f"Go back to what answers now, {SCRIPTED}."
    back = swap.fix(1).wait(30)
    assert (back.spec.url, back.status.phase, back.view.answering) == (SCRIPTED, "Ready", "")
