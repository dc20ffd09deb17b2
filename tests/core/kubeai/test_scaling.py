"""Why a Model has the replicas that it has: average, target, bounds, and the time that is left."""

from __future__ import annotations

import pytest

from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.core.kubeai.scaling import scaling_of

CONFIG = operator_config_of(None)  # every 10 s, over 10 min
SPEC = {"minReplicas": 0, "replicas": 1, "targetRequests": 100, "scaleDownDelaySeconds": 30}


def said(average, config=CONFIG, idle=None, **spec):
    return scaling_of({"metadata": {"name": "m"}, "spec": {**SPEC, **spec}}, average, config, idle_seconds=idle)


@pytest.mark.parametrize(("average", "spec", "words"), [
    (0.5, {}, ["10 min", "0.5 requests", "one replica is for 100", "1 replica is enough",
               "goes down to 0 replicas at the latest in 10 min 40 s"]),
    (0.0333, {}, ["it had hardly any requests at work on average, and one replica is for 100: 1 replica is enough."]),
    (0.0, {}, ["counted no requests at work: 0 replicas are enough.", "goes down to 0 replicas within 40 s"]),
    (0.0, {"minReplicas": 1}, ["KubeAI counted no requests at work: scaling.min_replicas keeps 1 replica."]),
    (0.0, {"replicas": 0}, ["0 replicas are enough"]),
    (250.0, {"replicas": 2}, ["goes from 2 to 3 replicas at its next look"]),
    (250.0, {"replicas": 2, "maxReplicas": 2}, ["that would be 3 replicas", "scaling.max_replicas allows 2"]),
    (101.0, {"replicas": 2, "minReplicas": 1}, ["2 replicas are enough", "goes down to 1 replica at the latest"]),
    (0.5, {"replicas": 3, "minReplicas": 2, "scaleDownDelaySeconds": 0}, ["goes down to 2 replicas", "10 min 10 s"]),
    (0.5, {"adapters": [{"name": "a", "url": "hf://a/b"}]}, ["Requests to its adapters do not count"]),
    (None, {"autoscalingDisabled": True, "replicas": 2}, ["Autoscaling is off: it keeps 2 replicas"]),
])  # fmt: skip
def test_says_why_and_until_when(average, spec, words):
    text = said(average, **spec)
    assert [word for word in words if word not in text] == [], text


def test_says_how_much_is_left_where_the_last_request_is_known():
    assert "goes down to 0 replicas in about 5 min 40 s" in said(0.5, idle=300)
    assert "in about 40 s" in said(0.01, idle=5000)


def test_says_nothing_of_an_average_that_cannot_be_read():
    assert said(None) == ""
    assert said(0.5, targetRequests="x") == said(0.5, targetRequests=0) == ""


def test_says_that_nothing_scales_where_kubeai_takes_no_requests():
    config = operator_config_of({"proxy": {"mode": "external"}})
    assert "proxy.mode: external" in said(0.5, config)


def test_counts_by_the_clusters_own_times():
    config = operator_config_of({"modelAutoscaling": {"interval": "5s", "timeWindow": "1m"}})
    text = said(0.5, config)
    assert "Over 60 s" in text
    assert "at the latest in 1 min 35 s" in text
