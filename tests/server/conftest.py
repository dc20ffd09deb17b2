"""One Jupyter server for the tests of a file, on the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.jupyter import Jupyter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def jupyter(daemon: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    with Jupyter(tmp_path_factory.mktemp("jupyter") / "server") as jupyter:
        yield jupyter
