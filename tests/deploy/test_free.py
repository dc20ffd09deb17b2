"""What is free is asked of a cluster whose nodes may be read, and of no other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.deploy import Facts
from kubeai_notebook.deploy.free import free_of
from kubeai_notebook.errors import ForbiddenError, NotFoundError, UnreachableError

NODE = {
    "metadata": {"name": "a"},
    "status": {"allocatable": {"cpu": "4", "memory": "8Gi"}, "conditions": [{"type": "Ready", "status": "True"}]},
}


def free(listed: Any, **facts: Any) -> Any:
    cluster: Any = SimpleNamespace(listed=listed)
    return free_of(cluster, Facts(host="https://api", operator_config=operator_config_of(None), **facts))


def test_counts_units_of_every_profile() -> None:
    asked: list[str] = []

    def listed(path: str, **_: Any) -> list[dict[str, Any]]:
        asked.append(path)
        return [NODE] if path.endswith("nodes") else []

    units = free(listed)
    assert (units["cpu"], units["nvidia-gpu-l4"]) == (4, 0)
    assert asked == ["api/v1/nodes", "api/v1/pods"]


@pytest.mark.parametrize("error", [ForbiddenError, NotFoundError, UnreachableError])
@pytest.mark.parametrize("kind", ["nodes", "pods"])
def test_says_nothing_where_one_of_them_may_not_be_read(error: type[Exception], kind: str) -> None:
    def listed(path: str, **_: Any) -> list[dict[str, Any]]:
        if path.endswith(kind):
            raise error("no")
        return []

    assert free(listed) is None


def test_asks_nothing_on_this_machine() -> None:
    def listed(path: str, **_: Any) -> list[dict[str, Any]]:
        raise AssertionError(path)

    assert free(listed, this_machine=True) is None
