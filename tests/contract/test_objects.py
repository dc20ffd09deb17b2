"""What the API promises about writing and reading objects."""

from __future__ import annotations

import re

import pytest

from .conftest import JSON_PATCH, model

CAUSE = "FieldValueInvalid"


def causes_of(body):
    return {(cause["field"], cause["reason"]) for cause in body["details"]["causes"]}


def test_fills_in_the_defaults(server):
    stored = server.model()
    assert stored["spec"]["targetRequests"] == 100
    assert stored["spec"]["scaleDownDelaySeconds"] == 30
    prefix_hash = {"meanLoadFactor": 125, "prefixCharLength": 100, "replication": 256}
    assert stored["spec"]["loadBalancing"] == {"strategy": "LeastLoad", "prefixHash": prefix_hash}
    assert {"uid", "resourceVersion", "creationTimestamp"} <= stored["metadata"].keys()
    assert stored["metadata"]["generation"] == 1


def test_reads_what_was_written(server):
    stored = server.model(args=["--a"])
    assert server.get(server.path(stored)) == (200, stored)


def test_prunes_unknown_fields(server):
    stored = server.model(nonsense=1, loadBalancing={"prefix_hash": {}})
    assert "nonsense" not in stored["spec"]
    assert "prefix_hash" not in stored["spec"]["loadBalancing"]


def test_refuses_unknown_fields_when_strict(modern):
    status, body = modern.post(modern.models, model("typo", nonsense=1), fieldValidation="Strict")
    assert (status, body["reason"]) == (400, "BadRequest")
    assert 'strict decoding error: unknown field "spec.nonsense"' in body["message"]


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ({"engine": "Foo"}, "spec.engine", "FieldValueNotSupported"),
        ({"features": None}, "spec.features", "FieldValueRequired"),
        ({"maxReplicas": 0}, "spec.maxReplicas", CAUSE),
        ({"adapters": [{"name": "A B", "url": "hf://a/b"}], "engine": "VLLM"}, "spec.adapters[0].name", CAUSE),
    ],
)
def test_names_the_wrong_field(server, spec, field, reason):
    status, body = server.post(server.models, model("wrong", **spec))
    assert (status, body["reason"], body["details"]["kind"]) == (422, "Invalid", "Model")
    # Kubernetes 1.20 leaves indices out.
    assert (field, reason) in causes_of(body) or (re.sub(r"\[\d+\]", "", field), reason) in causes_of(body)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"url": "http://x"}, "url must start with"),
        ({"maxReplicas": 3, "minReplicas": 4}, "minReplicas should be less than or equal to maxReplicas."),
        ({"adapters": []}, "adapters only supported with VLLM engine."),
        ({"files": [{"path": "a", "content": ""}]}, "Path must be an absolute path"),
    ],
)
def test_asks_kubeais_rules(modern, spec, message):
    status, body = modern.post(modern.models, model("wrong", **spec))
    assert status == 422
    assert message in body["message"]


def test_asks_the_rules_about_changes(modern):
    stored = modern.model(url="hf://a/b", engine="VLLM", cacheProfile="efs")
    status, body = modern.patch(modern.path(stored), {"spec": {"cacheProfile": "other"}})
    assert (status, body["details"]["causes"][0]["field"]) == (422, "spec.cacheProfile")
    changed = {**stored, "spec": stored["spec"] | {"url": "hf://c/d"}}
    assert modern.put(modern.path(stored), changed)[0] == 422
    operations = [{"op": "replace", "path": "/spec/loadBalancing/prefixHash/replication", "value": 1}]
    assert modern.patch(modern.path(stored), operations, kind=JSON_PATCH)[0] == 422


def test_makes_names(server):
    body = model("") | {"metadata": {"generateName": "made-"}}
    name = server.post(server.models, body)[1]["metadata"]["name"]
    assert name.startswith("made-")
    assert len(name) == len("made-") + 5


def test_refuses_a_taken_name(server):
    stored = server.model()
    status, body = server.post(server.models, model(stored["metadata"]["name"]))
    assert (status, body["reason"]) == (409, "AlreadyExists")


@pytest.mark.parametrize("name", ["a_b", "A", "-a", "..", "a/../b"])
def test_refuses_a_wrong_name(server, name):
    status, body = server.post(server.models, model(name))
    assert (status, body["reason"]) == (422, "Invalid")
    assert ("metadata.name", CAUSE) in causes_of(body)


def test_refuses_another_namespace_than_the_address(server):
    body = model("elsewhere")
    body["metadata"]["namespace"] = "default"
    assert server.post(server.models, body)[0] == 400


def test_refuses_a_namespace_that_is_not_there(server):
    status, body = server.post(server.models.replace(server.namespace, "nowhere"), model("a"))
    assert (status, body["message"]) == (404, 'namespaces "nowhere" not found')


def test_stores_nothing_on_a_dry_run(server):
    assert server.post(server.models, model("dry"), dryRun="All")[0] == 201
    assert server.get(f"{server.models}/dry")[0] == 404
    stored = server.model()
    path = server.path(stored)
    assert server.patch(path, {"spec": {"args": ["x"]}}, dryRun="All")[1]["spec"]["args"] == ["x"]
    assert server.delete(path, dryRun="All")[0] == 200
    assert server.get(path) == (200, stored)
    assert server.post(server.models, model("dry"), dryRun="Some")[0] == 422


def test_merges_a_patch(server):
    stored = server.model(args=["a"], env={"A": "1", "B": "2"})
    changed = server.patch(server.path(stored), {"spec": {"args": None, "env": {"A": None, "C": "3"}}})[1]
    assert "args" not in changed["spec"]
    assert changed["spec"]["env"] == {"B": "2", "C": "3"}
    assert changed["metadata"]["generation"] == 2


def test_applies_a_json_patch(server):
    stored = server.model(args=["a"])
    operations = [
        {"op": "test", "path": "/spec/args/0", "value": "a"},
        {"op": "add", "path": "/spec/args/-", "value": "b"},
        {"op": "replace", "path": "/spec/minReplicas", "value": 1},
        {"op": "add", "path": "/metadata/labels", "value": {"a/b": "c"}},
    ]
    changed = server.patch(server.path(stored), operations, kind=JSON_PATCH)[1]
    assert (changed["spec"]["args"], changed["spec"]["minReplicas"]) == (["a", "b"], 1)
    remove = [{"op": "remove", "path": "/metadata/labels/a~1b"}]
    assert not server.patch(server.path(stored), remove, kind=JSON_PATCH)[1]["metadata"].get("labels")


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/spec/url", "value": "other"},
        {"op": "remove", "path": "/spec/nothing"},
        {"op": "replace", "path": "/spec/nothing/at/all", "value": 1},
    ],
)
def test_refuses_a_json_patch_that_does_not_fit(server, operation):
    stored = server.model()
    status, body = server.patch(server.path(stored), [operation], kind=JSON_PATCH)
    assert (status, body["reason"]) == (422, "Invalid")
    assert server.get(server.path(stored)) == (200, stored)


def test_refuses_a_patch_of_another_type(server):
    path = server.path(server.model())
    assert server.patch(path, {}, kind="application/strategic-merge-patch+json")[0] == 415


def test_replaces_an_object(server):
    stored = server.model(args=["a"])
    wanted = model(stored["metadata"]["name"], minReplicas=2)
    wanted["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
    status, changed = server.put(server.path(stored), wanted)
    assert (status, changed["spec"]["minReplicas"]) == (200, 2)
    assert "args" not in changed["spec"]
    assert changed["metadata"]["uid"] == stored["metadata"]["uid"]


def test_replaces_only_what_it_was_shown(server):
    stored = server.model()
    path, name = server.path(stored), stored["metadata"]["name"]
    server.patch(path, {"spec": {"args": ["a"]}})
    status, body = server.put(path, stored)
    assert (status, body["reason"]) == (409, "Conflict")
    old = {"metadata": {"resourceVersion": stored["metadata"]["resourceVersion"]}, "spec": {"args": ["b"]}}
    assert server.patch(path, old)[0] == 409
    assert server.put(path, model(name))[0] == 422
    assert server.put(path, model("another"))[0] == 400


def test_keeps_what_nobody_may_change(server):
    stored = server.model()
    path = server.path(stored)
    assert server.patch(path, {"metadata": {"uid": "another"}})[0] == 422
    assert server.patch(path, {"metadata": {"name": "another"}})[0] == 400
    kept = server.patch(path, {"metadata": {"creationTimestamp": None, "generation": 9}})[1]
    assert kept["metadata"]["creationTimestamp"] == stored["metadata"]["creationTimestamp"]


def test_writes_nothing_new_for_an_equal_object(server):
    stored = server.model()
    assert server.patch(server.path(stored), {"spec": {"minReplicas": 0}}) == (200, stored)


def test_counts_generations_by_the_spec_alone(server):
    stored = server.model()
    path = server.path(stored)
    assert server.patch(path, {"metadata": {"labels": {"a": "b"}}})[1]["metadata"]["generation"] == 1
    status = {"status": {"replicas": {"all": 1, "ready": 1}}}
    assert server.patch(f"{path}/status", status)[1]["metadata"]["generation"] == 1
    assert server.patch(path, {"spec": {"minReplicas": 1}})[1]["metadata"]["generation"] == 2


def test_writes_the_status_by_its_subresource_only(server):
    stored = server.model()
    path, status = server.path(stored), {"replicas": {"all": 2, "ready": 1}}
    assert "status" not in server.patch(path, {"status": status})[1]
    changed = server.patch(f"{path}/status", {"status": status, "spec": {"minReplicas": 3}})[1]
    assert (changed["status"], changed["spec"]["minReplicas"]) == (status, 0)
    assert server.get(f"{path}/status")[1]["status"] == status
    whole = {**changed, "status": {"replicas": {"all": 0, "ready": 0}}}
    assert server.put(f"{path}/status", whole)[1]["status"] == whole["status"]
    assert server.patch(f"{path}/status", {"status": {"replicas": {"all": "x"}}})[0] == 422


def test_scales(server):
    stored = server.model(replicas=1)
    path = f"{server.path(stored)}/scale"
    scale = server.get(path)[1]
    assert (scale["apiVersion"], scale["kind"], scale["spec"]) == ("autoscaling/v1", "Scale", {"replicas": 1})
    assert server.patch(path, {"spec": {"replicas": 2}})[1]["spec"] == {"replicas": 2}
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    assert server.patch(path, operations, kind=JSON_PATCH)[1]["spec"] == {"replicas": 3}
    assert server.put(path, scale)[0] == 409
    del scale["metadata"]["resourceVersion"]
    assert server.put(path, scale)[1]["spec"] == {"replicas": 1}
    assert server.get(server.path(stored))[1]["metadata"]["generation"] == 4
    assert server.patch(path, {"spec": {"replicas": -1}})[0] == 422


def test_has_no_scale_for_replicas_that_nobody_set(server):
    assert server.get(f"{server.path(server.model())}/scale")[0] == 500


def test_encodes_the_plain_strings_of_a_secret(server):
    body = {"metadata": {"name": "token"}, "stringData": {"token": "abc"}, "data": {"old": "eA=="}}
    stored = server.post(f"{server.core}/secrets", body)[1]
    assert (stored["data"], stored["type"]) == ({"token": "YWJj", "old": "eA=="}, "Opaque")
    assert "stringData" not in stored
    changed = server.patch(f"{server.core}/secrets/token", {"stringData": {"token": "x"}, "data": {"old": None}})[1]
    assert changed["data"] == {"token": "eA=="}


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        ("configmaps", {"a": 1}, 400),
        ("configmaps", {"a b": "1"}, 422),
        ("secrets", {"a": "???"}, 400),
        ("configmaps", {"a": "x" * (1 << 20) + "x"}, 422),
    ],
)
def test_refuses_data_that_cannot_be_stored(server, kind, data, status):
    assert server.post(f"{server.core}/{kind}", {"metadata": {"name": "bad"}, "data": data})[0] == status


def test_makes_and_ends_namespaces(server):
    name = f"{server.namespace}-more"
    stored = server.post("/api/v1/namespaces", {"metadata": {"name": name}})[1]
    assert stored["status"] == {"phase": "Active"}
    server.post(server.models.replace(server.namespace, name), model("inside"))
    assert server.delete(f"/api/v1/namespaces/{name}")[0] == 200
    if server.local:
        assert server.get(server.models.replace(server.namespace, name))[1]["items"] == []
    assert server.post("/api/v1/namespaces", {"metadata": {"name": "a.b"}})[0] == 422
    assert server.delete("/api/v1/namespaces/default", dryRun="All")[0] == 403


REVIEWS = "/apis/authorization.k8s.io/v1"


def test_reviews_one_right_of_its_user(server):
    review = {"spec": {"resourceAttributes": {"verb": "create", "resource": "models", "group": "kubeai.org"}}}
    status, body = server.post(f"{REVIEWS}/selfsubjectaccessreviews", review)
    assert (status, body["status"]["allowed"], body["spec"]) == (201, True, review["spec"])


def test_lists_the_rights_of_its_user(server):
    status, body = server.post(f"{REVIEWS}/selfsubjectrulesreviews", {"spec": {"namespace": server.namespace}})
    assert (status, body["kind"], body["spec"]) == (201, "SelfSubjectRulesReview", {})
    assert body["status"]["incomplete"] is False
    assert {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]} in body["status"]["resourceRules"]
    assert {"verbs": ["*"], "nonResourceURLs": ["*"]} in body["status"]["nonResourceRules"]


@pytest.mark.parametrize(
    ("plural", "body", "code", "message"),
    [
        ("selfsubjectrulesreviews", {}, 400, "no namespace on request"),
        ("selfsubjectrulesreviews", {"spec": {}}, 400, "no namespace on request"),
        (
            "selfsubjectrulesreviews",
            {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"namespace": "a"}},
            400,
            'SelfSubjectAccessReview in version "v1" cannot be handled as a SelfSubjectRulesReview',
        ),
        (
            "selfsubjectaccessreviews",
            {},
            422,
            '.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: ',
        ),
    ],
)
def test_refuses_a_review_that_asks_nothing(server, plural, body, code, message):
    status, answer = server.post(f"{REVIEWS}/{plural}", body)
    assert (status, answer["message"][: len(message)]) == (code, message)


def test_tells_its_user_who_they_are(modern):
    reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    status, body = modern.post(reviews, {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"})
    assert (status, body["kind"], body["apiVersion"]) == (201, "SelfSubjectReview", "authentication.k8s.io/v1")
    assert body["metadata"]["creationTimestamp"].endswith("Z")
    assert body["status"]["userInfo"]["username"]
    assert "system:authenticated" in body["status"]["userInfo"]["groups"]
    assert modern.get(reviews)[0] == 405


@pytest.mark.parametrize("plural", ["selfsubjectrulesreviews", "selfsubjectaccessreviews"])
def test_keeps_no_review(server, plural):
    assert server.get(f"{REVIEWS}/{plural}")[0] == 405


@pytest.mark.parametrize("body", ["nonsense", "[]", "", '{"metadata": 5}', '"text"', "[" * 10_000])
def test_refuses_a_body_that_is_no_object(server, body):
    status, answer = server.post(server.models, body)
    assert (status, answer["kind"]) == (400, "Status")
