"""A Model as a number of replicas."""

from __future__ import annotations

import pytest

from kubeai_notebook.local.emulation.refusals import StatusError
from kubeai_notebook.local.emulation.scale import rescaled, scale_of

MODEL = {"metadata": {"name": "m", "labels": {"a": "b"}}, "spec": {"replicas": 2, "url": "x"}}


def test_shows_the_replicas_that_are_wanted_and_those_there_are():
    scale = scale_of({**MODEL, "status": {"replicas": {"all": 1}}})
    assert (scale["spec"], scale["status"], scale["metadata"]) == ({"replicas": 2}, {"replicas": 1}, {"name": "m"})


def test_has_no_scale_before_somebody_has_set_one():
    asleep = {**MODEL, "spec": {}}
    assert scale_of(asleep, absent=0)["spec"] == {"replicas": 0}
    with pytest.raises(StatusError, match="the spec replicas field"):
        scale_of(asleep)


def test_changes_the_replicas_and_nothing_else():
    assert rescaled(MODEL, {"spec": {"replicas": 5}}, status=422)["spec"] == {"replicas": 5, "url": "x"}
    assert rescaled(MODEL, {"spec": None}, status=422)["spec"]["replicas"] == 0


@pytest.mark.parametrize("spec", [{"replicas": "5"}, {"replicas": True}, {"replicas": 1.5}, "5"])
def test_refuses_what_is_no_scale(spec):
    with pytest.raises(StatusError) as refused:
        rescaled(MODEL, {"spec": spec}, status=422)
    assert refused.value.code == 422
