"""What is free is asked for a Model that waits for a node, and for no other, and seldom."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.cluster.timing import Timing
from kubeai_notebook.core.notice import Finding
from kubeai_notebook.core.observation import Operator
from kubeai_notebook.errors import ForbiddenError
from kubeai_notebook.session.live.free_units import FreeUnits
from kubeai_notebook.session.live.pool import Pool
from tests.core.diagnosis.scenes import CONFIG
from tests.session.live.seen import seen
from tests.support.fake_api import MODELS, PODS, model, pod
from tests.support.views import view_in
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.view import View
    from kubeai_notebook.session.live.publisher import Publisher
    from tests.support.fake_api import FakeApi

NODE = {
    "metadata": {"name": "a"},
    "status": {"allocatable": {"cpu": "4", "memory": "8Gi"}, "conditions": [{"type": "Ready", "status": "True"}]},
}


class Nodes:
    """A cluster of one node, and who heard that it was seen."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.heard: list[str] = []
        self.may_be_read = True

    def listed(self, path: str, **_: Any) -> list[dict[str, Any]]:
        self.asked.append(path)
        if not self.may_be_read:
            raise ForbiddenError("no")
        return [NODE] if path.endswith("nodes") else []


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    pool.close()


def looking(nodes: Nodes, pool: Pool) -> FreeUnits:
    cluster: Any = SimpleNamespace(listed=nodes.listed)
    return FreeUnits(cluster, nodes.heard.append, pool=pool, timing=Timing())


def waiting(code: str = "InsufficientGpu", **more: Any) -> View:
    view = view_in("Scheduling", findings=(Finding(code=code, message="No node."),))
    view.model["metadata"]["uid"] = "of smol"
    return replace(view, observation=replace(view.observation, operator=Operator(config=CONFIG), **more))


def test_asks_once_and_tells_the_model_that_waits(pool: Pool) -> None:
    nodes = Nodes()
    free, view = looking(nodes, pool), waiting()
    assert free.look(view)
    until(lambda: nodes.heard)
    assert (free.known, free.pending(view.uid)) == ({"cpu": 4, "nvidia-gpu-l4": 0}, False)
    assert not free.look(view)
    assert nodes.asked == ["api/v1/nodes", "api/v1/pods"]


def test_knows_nothing_where_nodes_may_not_be_read(pool: Pool) -> None:
    nodes = Nodes()
    nodes.may_be_read = False
    free = looking(nodes, pool)
    assert free.look(waiting())
    until(lambda: nodes.heard)
    assert free.known is None


@pytest.mark.parametrize("view", [waiting("CudaOutOfMemory"), waiting(this_machine=True), view_in("Ready")])
def test_asks_nothing_for_any_other(pool: Pool, view: View) -> None:
    nodes = Nodes()
    assert not looking(nodes, pool).look(view)
    assert nodes.asked == []


PROFILES = """
resourceProfiles:
  nvidia-gpu-l4: {limits: {nvidia.com/gpu: 1}, nodeSelector: {gpu: l4}}
  nvidia-gpu-a100-80gb: {limits: {nvidia.com/gpu: 1}, nodeSelector: {gpu: a100}}
"""
GPU_NODE = {
    "metadata": {"name": "a", "labels": {"gpu": "a100"}},
    "status": {"allocatable": {"nvidia.com/gpu": "4"}, "conditions": [{"type": "Ready", "status": "True"}]},
}


@pytest.fixture
def roomy(canned: FakeApi) -> FakeApi:
    """A cluster of two profiles, whose one node suits the second."""
    config = {"metadata": {"name": "kubeai-config", "labels": {}}, "data": {"system.yaml": PROFILES}}
    canned.objects["api/v1/namespaces/default/configmaps"] = {"kubeai-config": config}
    canned.objects |= {"api/v1/nodes": {"a": GPU_NODE}, "api/v1/pods": {}}
    return canned


def test_offers_who_looks_at_a_model_that_waits_the_profile_with_room(roomy: FakeApi, publisher: Publisher) -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
    }
    made = pod("model-m-a-1", "m", ready=False, phase="Pending", conditions=[condition], containerStatuses=[])
    made["spec"]["nodeName"] = ""
    roomy.change(MODELS, model("m", resourceProfile="nvidia-gpu-l4:1"))
    roomy.change(PODS, made)

    view = seen(publisher, "m", lambda view: bool(view.observation.free))

    offered = [change.value for finding in view.findings for remedy in finding.remedies for change in remedy.changes]
    assert offered == ["nvidia-gpu-a100-80gb:1"]
