"""What the API promises about the end of an object."""

from __future__ import annotations

import pytest

from .conftest import model


def test_deletes(server):
    stored = server.model()
    status, body = server.delete(server.path(stored))
    assert (status, body["status"], body["details"]["uid"]) == (200, "Success", stored["metadata"]["uid"])
    assert server.get(server.path(stored))[0] == 404
    assert server.delete(server.path(stored))[0] == 404


@pytest.mark.parametrize("precondition", [{"uid": "another"}, {"resourceVersion": "1"}])
def test_deletes_only_what_was_meant(server, precondition):
    stored = server.model()
    status, body = server.delete(server.path(stored), {"preconditions": precondition})
    assert (status, body["reason"]) == (409, "Conflict")
    kept = {key: stored["metadata"][key] for key in precondition}
    assert server.delete(server.path(stored), {"preconditions": kept})[0] == 200


def test_keeps_what_has_a_finalizer_until_it_is_gone(server):
    body = model("kept")
    body["metadata"]["finalizers"] = ["example.com/keep"]
    stored = server.post(server.models, body)[1]
    path = server.path(stored)
    marked = server.delete(path)[1]
    assert marked["metadata"]["deletionTimestamp"]
    assert (marked["metadata"]["generation"], marked["metadata"]["deletionGracePeriodSeconds"]) == (2, 0)
    status, again = server.post(server.models, model("kept"))
    assert (status, again["message"].split(":")[0]) == (409, "object is being deleted")
    more = {"metadata": {"finalizers": ["example.com/keep", "example.com/more"]}}
    assert server.patch(path, more)[0] == 422
    assert server.patch(path, {"metadata": {"finalizers": None}})[0] == 200
    assert server.get(path)[0] == 404


def test_keeps_the_owner_in_foreground_deletion(whole):
    stored = whole.model()
    owner = {"apiVersion": "kubeai.org/v1", "kind": "Model", "name": stored["metadata"]["name"]}
    owned = {"name": "held", "ownerReferences": [owner | {"uid": stored["metadata"]["uid"]}], "finalizers": ["a.b/c"]}
    whole.post(f"{whole.core}/configmaps", {"metadata": owned})
    marked = whole.delete(whole.path(stored), {"propagationPolicy": "Foreground"})[1]
    assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert whole.get(whole.path(stored))[0] == 200
    whole.patch(f"{whole.core}/configmaps/held", {"metadata": {"finalizers": None}})
    assert whole.get(whole.path(stored))[0] == 404


@pytest.mark.parametrize(("policy", "status"), [("Background", 404), ("Orphan", 200)])
def test_collects_what_a_deleted_model_owned(whole, policy, status):
    stored = whole.model()
    owner = {"apiVersion": "kubeai.org/v1", "kind": "Model", "name": stored["metadata"]["name"]}
    owned = {"name": policy.lower(), "ownerReferences": [owner | {"uid": stored["metadata"]["uid"]}]}
    whole.post(f"{whole.core}/secrets", {"metadata": owned, "stringData": {"a": "b"}})
    whole.delete(whole.path(stored), {"propagationPolicy": policy})
    assert whole.get(f"{whole.core}/secrets/{policy.lower()}")[0] == status
