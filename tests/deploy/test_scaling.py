"""Patches that change how many replicas a Model has."""

import pytest

from kubeai_notebook.deploy import scaling
from kubeai_notebook.errors import SpecError


def model(annotations=None, **spec):
    return {"metadata": {"name": "smol", "annotations": annotations or {}}, "spec": {"minReplicas": 1, **spec}}


def merged(document, patch):
    """RFC 7386, for two levels more than these patches have."""
    result = dict(document)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key) or {}, value) if isinstance(value, dict) else value
    return result


def test_moves_the_lower_bound_so_that_the_number_stays():
    assert scaling.scaled(model(), 2) == {"spec": {"minReplicas": 2, "replicas": 2}}


def test_moves_the_upper_bound_only_when_it_is_in_the_way():
    assert scaling.scaled(model(maxReplicas=1), 2)["spec"]["maxReplicas"] == 2
    assert "maxReplicas" not in scaling.scaled(model(maxReplicas=3), 2)["spec"]


def test_sets_the_number_alone_without_autoscaling():
    assert scaling.scaled(model(autoscalingDisabled=True), 3) == {"spec": {"replicas": 3}}


def test_refuses_fewer_than_none():
    with pytest.raises(SpecError, match="must be a whole number from 0 up, not -1"):
        scaling.scaled(model(), -1)


@pytest.mark.parametrize("spec", [{"replicas": 2}, {"autoscalingDisabled": True, "replicas": 3}, {"maxReplicas": 4}])
def test_comes_back_from_a_pause_as_it_was(spec):
    before = model(**spec)
    asleep = merged(before, scaling.paused(before))
    assert (asleep["spec"]["autoscalingDisabled"], asleep["spec"]["replicas"]) == (True, 0)
    after = merged(asleep, scaling.resumed(asleep))
    assert after["metadata"] == before["metadata"]
    assert {"replicas": 1, **before["spec"]} == after["spec"]


def test_has_nothing_to_do_where_it_is_so_already():
    before = model(replicas=1, maxReplicas=3)
    assert scaling.paused(merged(before, scaling.paused(before))) == {}
    assert scaling.resumed(before) == {}
    assert scaling.scaled(before, 1) == {}
    assert scaling.scaled(model(autoscalingDisabled=True, replicas=2), 2) == {}
    assert scaling.scaled(model(replicas=3), 1) != {}


@pytest.mark.parametrize("spec", [{"replicas": 1}, {"autoscalingDisabled": True, "replicas": 3}, {"maxReplicas": 1}])
@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_takes_a_pause_back_where_a_number_is_asked_for(spec, replicas):
    before = model(**spec)
    asleep = merged(before, scaling.paused(before))
    after = merged(asleep, scaling.scaled(asleep, replicas))
    assert after == {**before, "spec": {"replicas": 1, **merged(before, scaling.scaled(before, replicas))["spec"]}}
    assert scaling.paused(after) != {}


def test_leaves_a_pause_where_no_replicas_are_asked_for():
    before = model(replicas=1)
    assert scaling.scaled(merged(before, scaling.paused(before)), 0) == {}


def test_pauses_again_what_somebody_has_scaled_by_hand_meanwhile():
    before = model(replicas=1)
    by_hand = merged(merged(before, scaling.paused(before)), {"spec": {"replicas": 2}})
    asleep = merged(by_hand, scaling.paused(by_hand))
    assert asleep["spec"]["replicas"] == 0
    assert merged(asleep, scaling.resumed(asleep)) == before


@pytest.mark.parametrize(("replicas", "shown"), [("3", 'the text "3"'), (1.5, "1.5"), (True, "True"), (None, "None")])
def test_takes_whole_numbers_only(replicas, shown):
    with pytest.raises(SpecError, match=f"must be a whole number from 0 up, not {shown}"):
        scaling.scaled(model(), replicas)
