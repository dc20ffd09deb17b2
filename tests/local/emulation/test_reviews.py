"""What a user of this machine is told that he may do."""

from __future__ import annotations

import pytest

from kubeai_notebook.cluster.rights import RIGHTS, grants
from kubeai_notebook.local.emulation.refusals import StatusError
from kubeai_notebook.local.emulation.reviews import USER, reviewed

RULES, ACCESS = "SelfSubjectRulesReview", "SelfSubjectAccessReview"


def test_lists_rules_that_grant_everything_the_client_needs():
    status = reviewed(RULES, {"spec": {"namespace": "default"}}, method="POST")["status"]
    assert all(any(grants(rule, right) for rule in status["resourceRules"]) for right in RIGHTS)
    assert status["incomplete"] is False


@pytest.mark.parametrize("asked", ["resourceAttributes", "nonResourceAttributes"])
def test_allows_what_it_is_asked_for(asked):
    spec = {asked: {"verb": "get"}}
    review = reviewed(ACCESS, {"spec": spec}, method="POST")
    assert (review["spec"], review["status"]) == (spec, {"allowed": True})


def test_names_the_one_user_there_is():
    review = reviewed("SelfSubjectReview", {}, method="POST", now="2026-01-02T03:04:05Z")
    assert review["apiVersion"] == "authentication.k8s.io/v1"
    assert review["metadata"] == {"creationTimestamp": "2026-01-02T03:04:05Z"}
    assert review["status"]["userInfo"]["username"] == USER


@pytest.mark.parametrize(
    ("kind", "review", "method", "code"),
    [
        (RULES, {}, "POST", 400),
        (RULES, {"spec": []}, "POST", 400),
        (RULES, {"kind": ACCESS, "spec": {"namespace": "default"}}, "POST", 400),
        (ACCESS, {"apiVersion": "v1", "spec": {"resourceAttributes": {"verb": "get"}}}, "POST", 400),
        (ACCESS, {}, "POST", 422),
        (ACCESS, {}, "GET", 405),
        ("SelfSubjectReview", {"kind": ACCESS}, "POST", 400),
        ("SelfSubjectReview", {"apiVersion": "authorization.k8s.io/v1"}, "POST", 400),
        ("SelfSubjectReview", {}, "GET", 405),
    ],
)
def test_refuses_a_review_that_asks_nothing(kind, review, method, code):
    with pytest.raises(StatusError) as refused:
        reviewed(kind, review, method=method)
    assert refused.value.code == code
