"""What needs the built widgets, and a playground whose engine a test scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.core.dialogue import Dialogue
from kubeai_notebook.views.playground_model import PlaygroundModel
from kubeai_notebook.views.static_files import STATIC
from tests.support.playground import Page, add
from tests.support.talking import Engine, talking_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def built() -> Callable[[str], int]:
    """Skips where the widgets were never built; gives the size of a built file."""
    if not (STATIC / "status_card.js").exists():
        pytest.skip("the widgets are not built: `pip install -e .` builds them")
    return lambda name: (STATIC / name).stat().st_size


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[tuple[Page, Engine]]:
    """A page of a playground of ``smol``, and its engine."""
    with talking_model(tmp_path, args=["--max-model-len=2048"]) as (model, engine, _):
        assert model.view.name == "smol"
        playground = PlaygroundModel(model.session, Dialogue(id="d", columns=("smol",)), tools=[add])
        yield Page(playground), engine
        playground.stop()
