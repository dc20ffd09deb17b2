"""A rule that raises is spared by the diagnosis, and by no test of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_rule_raises(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    raised = [
        record for record in caplog.get_records("call") if record.name.startswith("kubeai_notebook.core.diagnosis")
    ]
    expected = "a_rule_that_raises" in request.node.name
    assert expected or [record.getMessage() for record in raised if record.levelno >= logging.ERROR] == []
