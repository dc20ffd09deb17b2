"""Whoever may create Models but not list them serves one all the same, and is told that its status cannot be seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook import settings
from kubeai_notebook.errors import ForbiddenError, NotFoundError, SpecError
from kubeai_notebook.session.session import Session
from tests.support.daemon import SMOL
from tests.support.faults import denied
from tests.support.faulty_api import FaultyApi

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def blind(daemon: str, tmp_path: Path, session: Session) -> Iterator[Session]:
    """A Session that may not list or watch Models; ``session`` may."""
    with FaultyApi(Path(daemon)) as api:
        api.faults += [denied("list", "models"), denied("watch", "models")]
        kubeconfig = str(api.kubeconfig(tmp_path / "blind"))
        with Session(settings=settings.Settings(kubeconfig=kubeconfig)) as blind:
            yield blind


def test_serves_changes_and_deletes_a_model_that_it_may_not_see(blind: Session, session: Session) -> None:
    model = blind.serve(name="unseen", min_replicas=0, **SMOL)
    assert model.created
    assert "What it is doing cannot be seen here: You" in model.note
    assert session.attach("unseen").status.phase
    assert repr(model).startswith("Model('unseen', not seen: You")
    assert model._repr_mimebundle_()["text/plain"] == f"{model!r}\n{model.note}"
    assert "unseen is scaled to 1. What it is doing cannot be seen here" in model.scale(1).note
    assert blind.serve(name="unseen", args=["--a"], min_replicas=0, **SMOL).outcome.action == "updated"
    with pytest.raises(ForbiddenError):
        model.wait(1)
    assert "may not list Models here" in model.delete().note
    with pytest.raises(NotFoundError):
        session.cluster.model("unseen")


def test_tells_what_is_missing_and_what_was_deleted_without_a_list(blind: Session) -> None:
    blind.serve(name="unseen", min_replicas=0, **SMOL)
    with pytest.raises(NotFoundError) as raised:
        blind.delete("unseen", "gone")
    assert raised.value.message == 'There is no Model "gone". Deleted: unseen.'
    with pytest.raises(SpecError, match='There is no Model "gone" to attach to. A new Model needs a url'):
        blind.serve("gone")
