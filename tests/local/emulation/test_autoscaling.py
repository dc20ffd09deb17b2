"""How many replicas KubeAI wants."""

from __future__ import annotations

from dataclasses import replace

from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.local.emulation.autoscaling import Autoscaling


def test_scales_up_at_once_and_down_after_the_delay():
    config = replace(operator_config_of(None), autoscaling_interval_seconds=10, autoscaling_window_seconds=20)
    spec = {"minReplicas": 0, "targetRequests": 1, "scaleDownDelaySeconds": 20, "replicas": 1}
    models = [{"metadata": {"name": "m"}, "spec": spec}, {"metadata": {"name": "other"}, "spec": {}}]
    models[1]["spec"] = {"autoscalingDisabled": True}
    scaling = Autoscaling(config, {})
    assert scaling.tick(models, {"m": 6}) == {"m": 3}
    assert scaling.averages == {"m": 3.0}
    spec["replicas"] = 3
    assert [scaling.tick(models, {}) for _ in range(4)] == [{}, {}, {}, {"m": 0}]


def test_goes_on_from_the_averages_of_the_last_life():
    scaling = Autoscaling(operator_config_of(None), {"m": 2.0})
    spec = {"minReplicas": 0, "targetRequests": 1, "scaleDownDelaySeconds": 0, "replicas": 0}
    assert scaling.tick([{"metadata": {"name": "m"}, "spec": spec}], {"m": 2}) == {"m": 2}
