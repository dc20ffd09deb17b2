"""How many replicas KubeAI wants."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.local.emulation.autoscaling import Autoscaling


def scaling_of(interval=10, window=20, before=None):
    config = operator_config_of(None)
    config = replace(config, autoscaling_interval_seconds=interval, autoscaling_window_seconds=window)
    return Autoscaling(config, before or {})


def model_of(name="m", **spec):
    usual = {"minReplicas": 0, "targetRequests": 1, "scaleDownDelaySeconds": 20, "replicas": 1}
    return {"metadata": {"name": name}, "spec": usual | spec}


def replicas_over(scaling, model, active):
    """The Model's replicas after each tick, with so many requests in flight."""
    seen = []
    for requests in active:
        scaled = scaling.tick([model], {"m": requests})
        model["spec"]["replicas"] = scaled.get("m", model["spec"]["replicas"])
        seen.append(model["spec"]["replicas"])
    return seen


def test_scales_by_the_average_and_leaves_alone_what_is_not_to_be_scaled():
    scaling = scaling_of()
    other = {"metadata": {"name": "other"}, "spec": {"autoscalingDisabled": True}}
    assert scaling.tick([model_of(), other], {"m": 6, "other": 6}) == {"m": 3}
    assert scaling.averages == {"m": 3.0}


@pytest.mark.parametrize(
    ("spec", "active", "replicas"),
    [
        ({}, [6, 6, 0, 0], [3, 6, 6, 6]),
        # The delay of two ticks is waited for once; the next steps down follow at every tick.
        ({"replicas": 4}, [2, 2, 2, 0, 0], [4, 4, 2, 1, 0]),
        # What is just right begins the delay anew, and so does a step up.
        ({"replicas": 2}, [2, 2, 2, 1, 0, 0], [2, 2, 2, 2, 2, 2]),
        ({"replicas": 2}, [0, 0, 8, 0, 0, 0, 0], [2, 2, 4, 4, 4, 4, 0]),
        ({"replicas": 2, "scaleDownDelaySeconds": 0}, [2, 0, 0], [1, 1, 0]),
        ({"replicas": 2, "scaleDownDelaySeconds": 11}, [0, 0, 0], [2, 2, 0]),
        ({"replicas": 3, "minReplicas": 1}, [0, 0, 0, 0], [3, 3, 1, 1]),
        ({"replicas": 1, "maxReplicas": 2}, [9, 9], [2, 2]),
    ],
)
def test_steps_as_kubeai_does(spec, active, replicas):
    assert replicas_over(scaling_of(), model_of(**spec), active) == replicas


@pytest.mark.parametrize(
    ("interval", "window", "samples"), [(10, 20, 2), (10, 25, 3), (10, 5, 1), (0.1, 1.1, 11), (10, 600, 60)]
)
def test_takes_as_many_samples_as_the_window_has_intervals_begun(interval, window, samples):
    scaling = scaling_of(interval, window)
    scaling.tick([model_of()], {"m": 1})
    assert scaling.averages == {"m": pytest.approx(1 / samples)}


def test_goes_on_from_the_averages_of_the_last_life():
    scaling = scaling_of(window=600, before={"m": 2.0})
    assert scaling.tick([model_of(replicas=0)], {"m": 2}) == {"m": 2}


def test_goes_on_from_the_samples_of_a_model_that_had_the_name():
    scaling = scaling_of()
    scaling.tick([model_of()], {"m": 6})
    assert scaling.tick([], {}) == {}
    assert scaling.tick([model_of(replicas=0)], {"m": 0}) == {"m": 3}
