"""Refusals, in the words of an API server."""

from __future__ import annotations

from kubeai_notebook.core.rules.admission_errors import INVALID, cause
from kubeai_notebook.local.emulation import refusals
from kubeai_notebook.local.emulation.kinds import MODELS, PODS, Ref

MODEL, POD = Ref(MODELS, "default", "m"), Ref(PODS, "default", "p")


def test_names_the_object_that_is_not_there():
    body = refusals.not_found(MODEL).body
    assert (body["code"], body["reason"], body["message"]) == (404, "NotFound", 'models.kubeai.org "m" not found')
    assert body["details"] == {"name": "m", "group": "kubeai.org", "kind": "models"}
    assert refusals.not_found(POD).body["details"] == {"name": "p", "kind": "pods"}


def test_says_that_a_name_is_taken_by_an_object_that_goes():
    assert str(refusals.already_exists(MODEL, deleting=False)) == 'models.kubeai.org "m" already exists'
    assert str(refusals.already_exists(MODEL, deleting=True)).startswith("object is being deleted: models.kubeai.org")


def test_gives_a_cause_for_each_wrong_field():
    causes = [cause(INVALID, f"spec.{name}", 1, detail="must be a text") for name in "ab"]
    body = refusals.invalid(MODELS, "m", causes).body
    assert (body["code"], body["details"]["kind"]) == (422, "Model")
    assert [item["field"] for item in body["details"]["causes"]] == ["spec.a", "spec.b"]
    assert body["message"].startswith('Model.kubeai.org "m" is invalid: [spec.a: Invalid value: 1: must be a text, ')
