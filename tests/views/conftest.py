"""What needs the built widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.views.static_files import STATIC

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def built() -> Callable[[str], int]:
    """Skips where the widgets were never built; gives the size of a built file."""
    if not (STATIC / "status_card.js").exists():
        pytest.skip("the widgets are not built: `pip install -e .` builds them")
    return lambda name: (STATIC / name).stat().st_size
