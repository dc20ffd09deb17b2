"""What becomes of an object before it is stored."""

from __future__ import annotations

import pytest

from kubeai_notebook.local.emulation.admission import admitted
from kubeai_notebook.local.emulation.kinds import MODELS, PODS, SECRETS
from kubeai_notebook.local.emulation.refusals import StatusError

SPEC = {"url": "ollama://a", "engine": "OLlama", "features": ["TextGeneration"]}


def model(**spec):
    return {"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": "m"}, "spec": {**SPEC, **spec}}


def refusal(*arguments, **options):
    with pytest.raises(StatusError) as refused:
        admitted(*arguments, **options)
    return refused.value


def test_prunes_unknown_fields_and_fills_in_defaults():
    stored, unknown = admitted(MODELS, model(nonsense=1))
    assert (stored["spec"]["targetRequests"], "nonsense" in stored["spec"], unknown) == (100, False, ("spec.nonsense",))
    assert refusal(MODELS, model(nonsense=1), strict=True).code == 400


def test_refuses_a_model_that_the_schema_does_not_allow():
    assert refusal(MODELS, model(engine="Other")).code == 422


def test_refuses_variables_that_run_code_but_lets_those_of_before_stand():
    loading = model(env={"LD_PRELOAD": "/x.so"})
    assert refusal(MODELS, loading).code == 403
    stored, _ = admitted(MODELS, {**loading, "metadata": {**loading["metadata"], "labels": {"a": "b"}}}, old=loading)
    assert stored["metadata"]["labels"] == {"a": "b"}


def test_keeps_the_status_from_writes_on_the_object():
    old = {"metadata": {"name": "p"}, "status": {"phase": "Running"}}
    changed = {"metadata": {"name": "p"}, "status": {"phase": "Failed"}}
    assert admitted(PODS, changed, old=old)[0]["status"] == {"phase": "Running"}
    assert admitted(PODS, changed, old=old, status=True)[0]["status"] == {"phase": "Failed"}


def test_refuses_data_that_cannot_be_read():
    assert refusal(SECRETS, {"metadata": {"name": "s"}, "data": {"a": "?"}}).code == 400
