"""What a Model can go back to."""

import json

import pytest

from kubeai_notebook.core.merge_patch import merged
from kubeai_notebook.deploy import history
from kubeai_notebook.deploy.scaling import paused
from kubeai_notebook.errors import NotFoundError


def model(annotations=None, **spec):
    return {"metadata": {"name": "smol", "annotations": annotations}, "spec": spec}


def test_keeps_the_last_five():
    annotations = None
    for number in range(8):
        annotations = history.remembered(model(annotations, args=[str(number)]))
    kept = json.loads(annotations[history.ANNOTATION])
    assert [spec["args"] for spec in kept] == [["3"], ["4"], ["5"], ["6"], ["7"]]


def test_goes_back_step_by_step():
    annotations = history.remembered(model(history.remembered(model(args=["1"])), args=["2"]))
    spec, annotations = history.previous(model(annotations, args=["3"]))
    assert spec == {"args": ["2"]}
    spec, annotations = history.previous(model(annotations, args=["2"]))
    assert (spec, annotations) == ({"args": ["1"]}, {history.ANNOTATION: None})


def test_leaves_out_what_the_operator_owns():
    annotations = history.remembered(model(replicas=3, url="hf://a/b"))
    assert json.loads(annotations[history.ANNOTATION]) == [{"url": "hf://a/b"}]


def test_remembers_a_paused_model_as_it_was_before():
    before = model({}, minReplicas=1, replicas=1, url="hf://a/b")
    annotations = history.remembered(merged(before, paused(before)))
    assert json.loads(annotations[history.ANNOTATION]) == [{"minReplicas": 1, "url": "hf://a/b"}]


def test_lets_go_of_the_oldest_rather_than_grow_beyond_what_an_object_may_hold():
    large = [{"path": "/x", "content": "y" * 100_000}]
    annotations = history.remembered(model(history.remembered(model(files=large, n=1)), files=large, n=2))
    (kept,) = json.loads(annotations[history.ANNOTATION])
    assert kept["n"] == 2
    larger = [{"path": "/x", "content": "y" * 200_000}]
    assert history.remembered(model(files=larger)) == {history.ANNOTATION: None}


@pytest.mark.parametrize("text", ["no json", "{}", '["x"]', ""])
def test_takes_no_harm_from_what_somebody_else_wrote_there(text):
    with pytest.raises(NotFoundError, match="no earlier spec"):
        history.previous(model({history.ANNOTATION: text}))
