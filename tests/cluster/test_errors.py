import json
from pathlib import Path
from typing import Any

import pytest

from kubeai_notebook import errors
from kubeai_notebook.cluster.errors import error_of

RECORDED: dict[str, Any] = {
    name: answer
    for name, answer in json.loads(
        (Path(__file__).parents[1] / "golden" / "apiserver-1.36-responses.json").read_text(encoding="utf-8")
    ).items()
    if isinstance(answer, dict) and "status" in answer
}


def error(name: str) -> errors.KubeAIError:
    body = RECORDED[name]["body"]
    return error_of(RECORDED[name]["status"], (json.dumps(body) if isinstance(body, dict) else body).encode())


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("enum", "SpecError", 'spec.engine: Unsupported value: "Foo"'),
        ("cel_url", "SpecError", 'spec.url: url must start with "hf://"'),
        (
            "cel_root_rule",
            "SpecError",
            "spec: The fewest replicas (min_replicas) are more than the most (max_replicas).",
        ),
        ("cel_no_such_key", "SpecError", "no such key: minReplicas"),
        ("name_too_long_rule", "SpecError", "name must not exceed 40 characters."),
        ("strict_unknown_field", "SpecError", 'KubeAI here knows no field "spec.nonsense".'),
        ("already_exists", "ConflictError", '"im" exists already. Choose another name, or attach to it.'),
        ("conflict", "ConflictError", '"im" was changed by somebody else meanwhile. Run this again.'),
        ("ssa_conflict", "ConflictError", "It was changed by somebody else meanwhile."),
        (
            "not_found_object",
            "NotFoundError",
            'There is no model "nope" on this cluster. models() lists what is there.',
        ),
        (
            "not_found_namespace",
            "NotFoundError",
            'There is no namespace "nons" on this cluster. Name another one with -n',
        ),
        ("not_found_crd_group", "NotInstalledError", "The Kubernetes API has no KubeAI."),
        (
            "forbidden_rbac",
            "ForbiddenError",
            'You ("alice") may not list models in namespace "default" on this cluster.',
        ),
        (
            "forbidden_rbac_scale",
            "ForbiddenError",
            'You ("alice") may not patch models/scale in namespace "default" on this cluster.',
        ),
        ("forbidden_quota_cr", "QuotaError", "The namespace's quota is used up: q, requested: count/models"),
        ("unauthorized", "UnauthorizedError", "The Kubernetes API refused your credentials. Log in"),
    ],
)
def test_says_what_a_recorded_answer_means(name: str, kind: str, sentence: str) -> None:
    found = error(name)
    assert type(found).__name__ == kind
    assert sentence in str(found)


@pytest.mark.parametrize("name", RECORDED)
def test_has_a_sentence_for_every_recorded_answer(name: str) -> None:
    found = error(name)
    assert isinstance(found, errors.ClusterError | errors.SpecError)
    assert "Invalid value" not in str(found)
    assert "some validation rules were not checked" not in str(found)


def test_names_every_cause_of_a_refusal() -> None:
    found = error("multi")
    assert isinstance(found, errors.SpecError)
    assert [problem.field for problem in found.notices][:2] == ["adapters[0].name", "spec"]
    assert len(found.notices) == 7


@pytest.mark.parametrize(
    ("status", "body", "hint"),
    [
        (500, {"message": "etcd is away"}, "Try again in a moment. Ask whoever runs the cluster, with this answer."),
        (418, {"message": "I am a teapot"}, "Ask whoever runs the cluster, with this answer."),
        (503, {}, "Try again in a moment. Ask whoever runs the cluster, with this answer."),
        (403, {"message": "a webhook denied it"}, "Change what it names, or ask an administrator what is allowed."),
    ],
)
def test_names_the_next_step_after_an_answer_that_no_rule_explains(
    status: int, body: dict[str, str], hint: str
) -> None:
    found = error_of(status, json.dumps({"kind": "Status", **body}).encode())
    assert getattr(found, "hint", "") == hint


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff\xfe", b'{"kind": "Pod"}'])
def test_explains_an_answer_that_is_no_status(body: bytes) -> None:
    assert "answered 502" in str(error_of(502, body))
