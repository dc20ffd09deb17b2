"""The wheel brings the server half with it, enabled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .installation import Installation

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


def test_is_enabled_where_the_wheel_is_installed(installation: Installation) -> None:
    listed = re.sub("\x1b[^m]*m", "", installation.run("jupyter-server", "extension", "list"))
    assert "kubeai_notebook enabled" in listed
    assert re.search(r"kubeai_notebook \S+ OK", listed)
