"""admit() against answers recorded from kube-apiserver 1.36, a schema validator, and any JSON."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, validators

from kubeai_notebook.core.objects import is_int64
from kubeai_notebook.core.rules.admission import Verdict, admit, summary_message
from kubeai_notebook.core.rules.admission_errors import NOT_CHECKED
from kubeai_notebook.core.rules.schema import MODEL

from .documents import ANY_MODELS, BROKEN_MODELS, JSON, model

RECORDED = json.loads((Path(__file__).parents[2] / "golden" / "apiserver-1.36-responses.json").read_text("utf-8"))
SPEC = {"url": "hf://a/b", "engine": "VLLM", "features": ["TextGeneration"]}
DEFAULTS = {
    "targetRequests": 100,
    "scaleDownDelaySeconds": 30,
    "loadBalancing": {
        "strategy": "LeastLoad",
        "prefixHash": {"meanLoadFactor": 125, "prefixCharLength": 100, "replication": 256},
    },
}
# The server's integers: 64 bits, or floats that are whole.
WHOLE = Draft7Validator.TYPE_CHECKER.redefine(
    "integer",
    lambda _, value: (
        (type(value) is int and is_int64(value))
        or (type(value) is float and abs(value) < 2**53 and value == int(value))
    ),
)
ShapeValidator = validators.extend(Draft7Validator, type_checker=WHOLE)
steady = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def spec(**changes: Any) -> dict[str, Any]:
    return model({**SPEC, **changes})


def lines(verdict: Verdict) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in verdict.causes if cause != NOT_CHECKED]


# --- Recorded answers -------------------------------------------------------------------------------------------------

BOTH_BAD_FILES = [{"path": "a:b", "content": ""}, {"path": "a:b", "content": ""}]
ASKED = {
    "enum": model({**SPEC, "engine": "Foo", "features": ["Chat"]}, "g1"),
    "cel_url": model({**SPEC, "url": "http://x"}, "g2"),
    "cel_root_rule": model({**SPEC, "minReplicas": 3, "maxReplicas": 1}, "g3"),
    "cel_no_such_key": model({**SPEC, "maxReplicas": 1}, "g4"),
    "required_missing": model({"engine": "VLLM"}, "g5"),
    "wrong_type": model({**SPEC, "minReplicas": "x"}, "g6"),
    "minimum": model({**SPEC, "minReplicas": 0, "maxReplicas": 0}, "g7"),
    "multi": model(
        {
            "url": "ftp://",
            "engine": "OLlama",
            "features": [],
            "adapters": [{"name": "A B", "url": "x"}],
            "files": BOTH_BAD_FILES,
        },
        "g8",
    ),
    "name_too_long_rule": model(SPEC, "g" * 41),
    "bad_dns_name": model(SPEC, "Bad_Name"),
}


@pytest.mark.parametrize("case", ASKED)
def test_answers_as_the_server_was_recorded(case: str) -> None:
    body = RECORDED[case]["body"]
    verdict = admit(ASKED[case])
    # The definition of that recording was older by one feature.
    causes = [
        {"field": cause.field, "reason": cause.reason, "message": cause.message.replace(' "Reranking",', "")}
        for cause in verdict.causes
    ]
    assert causes == [
        {key: found[key] for key in ("field", "reason", "message")} for found in body["details"]["causes"]
    ]
    message = summary_message("Model.kubeai.org", body["details"]["name"], verdict.causes)
    assert message.replace(' "Reranking",', "") == body["message"]


def test_refuses_an_unknown_field_as_the_server_was_recorded() -> None:
    verdict = admit(spec(nonsense=1))
    assert verdict.bad_request == RECORDED["strict_unknown_field"]["body"]["message"]
    assert verdict.causes == ()


def test_refuses_updates_as_the_server_was_recorded() -> None:
    old = admit(spec(cacheProfile="efs")).object
    body = RECORDED["cel_immutable"]["body"]
    verdict = admit(spec(cacheProfile="nfs", url="hf://c/d"), old)
    assert summary_message("Model.kubeai.org", "im", verdict.causes) == body["message"]
    body = RECORDED["immutable_replication"]["body"]
    verdict = admit(spec(loadBalancing={"prefixHash": {"replication": 1}}), admit(spec()).object)
    assert summary_message("Model.kubeai.org", "im", verdict.causes) == body["message"]


def test_admits_removing_a_cache_profile_and_adding_another() -> None:
    cached = admit(spec(cacheProfile="efs")).object
    bare = admit(spec(), cached)
    assert bare.admitted
    assert admit(spec(cacheProfile="later"), bare.object).admitted


# --- Against a validator --------------------------------------------------------------------------------------------


@steady
@given(BROKEN_MODELS)
def test_refuses_the_shapes_that_a_schema_validator_refuses(item: Any) -> None:
    verdict = admit(item, strict=False)
    bare = {key: value for key, value in verdict.object.items() if key != "metadata"}
    errors = list(ShapeValidator(MODEL).iter_errors(bare))
    fields = {cause.field for cause in verdict.causes}
    for error in errors:
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        assert any(field.startswith(path.lstrip(".")) for field in fields), error.message
    blocking = {"type", "enum", "required", "maxLength", "maxItems"}
    meta_blocks = not item["metadata"].get("name")
    expected = meta_blocks or any(error.validator in blocking for error in errors)
    assert (NOT_CHECKED in verdict.causes) == expected


# --- Any JSON ---------------------------------------------------------------------------------------------------------


@steady
@given(JSON | ANY_MODELS | BROKEN_MODELS, st.booleans())
def test_answers_any_json_without_changing_it(item: Any, strict: bool) -> None:
    before = copy.deepcopy(item)
    verdict = admit(item, strict=strict)
    assert item == before
    assert verdict.admitted == (not verdict.causes and not verdict.bad_request)
    if verdict.admitted:
        again = admit(verdict.object)
        assert again.admitted
        assert again.object == verdict.object


# --- Defaults, nulls, unknown fields ----------------------------------------------------------------------------------


def test_fills_in_the_defaults_of_a_bare_model() -> None:
    assert admit(model(SPEC)).object["spec"] == {**SPEC, **DEFAULTS}


def test_takes_null_for_missing() -> None:
    nulls = {"cacheProfile": None, "adapters": None, "loadBalancing": {"strategy": None}, "env": {"A": None}}
    verdict = admit(spec(targetRequests=None, **nulls))
    assert verdict.object["spec"] == {**SPEC, **DEFAULTS, "env": {}}
    assert lines(admit(spec(url=None))) == ["spec.url: Required value"]


def test_admits_a_model_without_a_spec_as_the_definition_does() -> None:
    assert admit({"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": "m"}}).admitted
    assert admit(model(None)).object == {"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": "m"}}


def test_names_every_unknown_field_metadata_first_then_sorted() -> None:
    item = {**spec(zeta=1, adapters=[{"name": "a", "url": "hf://a/b", "rank": 1}]), "extra": 1}
    item["metadata"] = {"name": "m", "lables": {}}
    verdict = admit(item)
    assert verdict.unknown_fields == ("metadata.lables", "extra", "spec.adapters[0].rank", "spec.zeta")
    assert verdict.bad_request.endswith('unknown field "spec.adapters[0].rank", unknown field "spec.zeta"')


def test_drops_unknown_fields_and_goes_on_unless_strict() -> None:
    verdict = admit(spec(loadBalancing={"prefix_hash": {"replication": 3}}), strict=False)
    assert verdict.admitted
    assert verdict.unknown_fields == ("spec.loadBalancing.prefix_hash",)
    assert verdict.object["spec"] == {**SPEC, **DEFAULTS}


def test_calls_fields_below_a_text_unknown_before_it_calls_the_type_wrong() -> None:
    assert admit(spec(url={"a": 1})).unknown_fields == ("spec.url.a",)


def test_drops_the_status_of_a_create_and_keeps_the_stored_one() -> None:
    status = {"replicas": {"all": 1, "ready": 0}}
    assert "status" not in admit({**spec(), "status": status}).object
    old = {**admit(spec()).object, "status": status}
    assert admit({**spec(), "status": {"cache": {"loaded": True}}}, old).object["status"] == status
    fresh = {"cache": {"loaded": True}}
    assert admit({**spec(), "status": fresh}, old, keep_status=True).object["status"] == fresh
    broken = admit({**spec(), "status": {"replicas": {"all": -1}}}, old, keep_status=True)
    assert lines(broken) == [
        "status.replicas.ready: Required value",
        ".status.replicas.all: Invalid value: -1: should be a non-negative integer",
    ]


# --- The rest ---------------------------------------------------------------------------------------------------------


def test_refuses_a_body_that_is_no_model() -> None:
    assert "Kind" in admit({"apiVersion": "kubeai.org/v1"}).bad_request
    assert admit([]).bad_request
    version = admit({**spec(), "apiVersion": "kubeai.org/v2"}).bad_request
    assert version.endswith("(kubeai.org/v2) does not match the expected API version (kubeai.org/v1)")
    assert lines(admit({**spec(), "kind": "Modell"})) == ['kind: Invalid value: "Modell": must be Model']


def test_refuses_what_is_too_deep() -> None:
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    assert admit(spec(args=deep)).bad_request.endswith("exceeded max depth")
