"""Which Pods KubeAI ends and makes, and how many replicas it wants."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeai_notebook.core.catalog.operator_catalog import catalog_of
from kubeai_notebook.core.kubeai.pods import HASH_LABEL
from kubeai_notebook.local.emulation.autoscaling import Autoscaling
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


def test_scales_up_at_once_and_down_after_the_delay():
    catalog = replace(catalog_of(None), autoscaling_interval_seconds=10, autoscaling_window_seconds=20)
    spec = {"minReplicas": 0, "targetRequests": 1, "scaleDownDelaySeconds": 20, "replicas": 1}
    models = [{"metadata": {"name": "m"}, "spec": spec}, {"metadata": {"name": "other"}, "spec": {}}]
    models[1]["spec"] = {"autoscalingDisabled": True}
    scaling = Autoscaling(catalog, {})
    assert scaling.tick(models, {"m": 6}) == {"m": 3}
    assert scaling.averages == {"m": 3.0}
    spec["replicas"] = 3
    assert [scaling.tick(models, {}) for _ in range(4)] == [{}, {}, {}, {"m": 0}]


def test_goes_on_from_the_averages_of_the_last_life():
    scaling = Autoscaling(catalog_of(None), {"m": 2.0})
    spec = {"minReplicas": 0, "targetRequests": 1, "scaleDownDelaySeconds": 0, "replicas": 0}
    assert scaling.tick([{"metadata": {"name": "m"}, "spec": spec}], {"m": 2}) == {"m": 2}
