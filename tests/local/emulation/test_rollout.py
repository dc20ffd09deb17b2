"""Which Pods KubeAI ends and makes."""

from __future__ import annotations

import pytest

from kubeai_notebook.core.kubeai.pods import HASH_LABEL
from kubeai_notebook.local.emulation.rollout import bounded, pod_plan


def pod(name, *, pod_hash="new", ready=True, scheduled=True, minute=0, **metadata):
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    moment = f"2026-01-01T00:{minute:02}:00Z"
    given = {"name": name, "labels": {HASH_LABEL: pod_hash}, "creationTimestamp": moment, **metadata}
    spec = {"nodeName": "n"} if scheduled else {}
    return {"metadata": given, "spec": spec, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("pods", "replicas", "plan"),
    [
        ([], 2, (set(), 2)),
        ([pod("a"), pod("b")], 1, ({"a"}, 0)),
        ([pod("a", minute=0), pod("b", minute=5)], 1, ({"b"}, 0)),
        ([pod("a"), pod("b", ready=False)], 1, ({"b"}, 0)),
        ([pod("a", pod_hash="old")], 1, (set(), 1)),
        ([pod("a", pod_hash="old"), pod("b")], 1, ({"a"}, 0)),
        ([pod("a", pod_hash="old"), pod("b", ready=False)], 1, (set(), 0)),
        ([pod("a", pod_hash="old", ready=False), pod("b", pod_hash="old")], 2, ({"a"}, 2)),
        ([pod("a", deletionTimestamp="x")], 1, (set(), 0)),
    ],
)
def test_plans(pods, replicas, plan):
    assert pod_plan(pods, "new", replicas=replicas, surge=1) == plan


def test_keeps_replicas_within_their_bounds():
    assert [bounded({"minReplicas": 1, "maxReplicas": 3}, wanted) for wanted in (0, 2, 9)] == [1, 2, 3]
