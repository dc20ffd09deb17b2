"""The API half of the whole flow, on the genuine API server of ``KUBEAI_TEST_KUBECONFIG``.

It needs the Model CRD, nobody who reconciles, and the contexts ``admin`` and ``alice`` (no rights).
"""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubeai_notebook.cluster.api import CORE, MODELS, NAMES_ONLY
from kubeai_notebook.cluster.connect import connect
from kubeai_notebook.cluster.reflector import Reflector
from kubeai_notebook.cluster.requests import REQUEST_ID
from kubeai_notebook.core.diagnosis import diagnose
from kubeai_notebook.core.manifest import to_manifest
from kubeai_notebook.core.observation import Observation
from kubeai_notebook.core.served import SERVED_BY, served_by
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.errors import ConflictError, ForbiddenError, NotFoundError, NotYoursError, QuotaError
from kubeai_notebook.session.live.pod_dry_run import pod_wanted
from kubeai_notebook.session.session import Session
from tests.support.fake_api import pod
from tests.support.faults import answer_lost
from tests.support.faulty_api import FaultyApi
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.cluster.client import Cluster

pytestmark = pytest.mark.cluster

SPEC: dict[str, Any] = {"engine": "VLLM", "url": "hf://org/repo", "resource_profile": "cpu:1"}
RBAC = "apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def kubeconfig(monkeypatch: pytest.MonkeyPatch) -> Path:
    named = os.environ.get("KUBEAI_TEST_KUBECONFIG")
    if not named:
        pytest.skip("KUBEAI_TEST_KUBECONFIG names no kubeconfig of an API server")
    monkeypatch.setenv("KUBECONFIG", named)
    return Path(named)


@pytest.fixture
def cluster(kubeconfig: Path) -> Iterator[Cluster]:
    """An administrator's client, in a namespace of its own."""
    cluster = connect("admin", f"client-{uuid.uuid4().hex[:8]}")
    cluster.api.request("POST", f"{CORE}/namespaces", body={"metadata": {"name": cluster.namespace}})
    yield cluster
    for model in cluster.models():
        cluster.delete_model(model["metadata"]["name"])
    cluster.close()


@pytest.fixture
def session(cluster: Cluster) -> Iterator[Session]:
    session = Session(context="admin", namespace=cluster.namespace)
    yield session
    session.close()


def manifest(name: str, **fields: Any) -> dict[str, Any]:
    return to_manifest(spec_of({"name": name, **SPEC, **fields}))


def test_creates_attaches_updates_scales_and_deletes(session: Session, cluster: Cluster) -> None:
    model = session.serve(name="flow", **SPEC)
    assert model.created
    assert model.status.phase == "Submitted"
    assert cluster.model("flow")["metadata"]["annotations"][REQUEST_ID]
    again = session.serve(name="flow", **SPEC)
    assert not again.created
    assert again.view.model["metadata"]["generation"] == 1
    changed = session.serve(name="flow", **SPEC, args=["--max-model-len=512"])
    assert changed.view.model["spec"]["args"] == ["--max-model-len=512"]
    assert model.scale(2).view.model["spec"]["replicas"] == 2
    assert "args" not in model.rollback().view.model["spec"]
    model.delete()
    with pytest.raises(NotFoundError):
        cluster.model("flow")
    assert session.publisher.names() == []


def test_goes_on_with_what_the_same_login_served_from_another_kernel(session: Session, cluster: Cluster) -> None:
    session.serve(name="flow", **SPEC)
    assert served_by(cluster.model("flow")) == session.user
    with Session(context="admin", namespace=cluster.namespace) as restarted:
        assert restarted.serve(name="flow", labels={"team": "ds"}, **SPEC).spec.labels == {"team": "ds"}
        assert restarted.serve(name="flow", **SPEC).spec.labels == {}
        cluster.patch_model("flow", {"metadata": {"annotations": {SERVED_BY: "bob"}}})
        with pytest.raises(NotYoursError, match="flow was served by bob"):
            restarted.delete("flow")
        restarted.delete("flow", yes=True)


def test_sees_pods_and_events_of_the_model_as_they_come(session: Session, cluster: Cluster) -> None:
    model = session.serve(name="pods", **SPEC)
    made = pod("model-pods-a-1", "pods", ready=False)
    made["metadata"].pop("ownerReferences")
    made["metadata"].pop("managedFields")
    spec = {"containers": [{"name": "server", "image": "none"}]}
    stored = cluster.api.request("POST", cluster.path(CORE, "pods"), body={"metadata": made["metadata"], "spec": spec})
    until(lambda: [one.name for one in model.view.pods] == ["model-pods-a-1"])
    about = {"kind": "Pod", "name": "model-pods-a-1", "uid": stored["metadata"]["uid"], "namespace": cluster.namespace}
    event = {"metadata": {"name": "e.1"}, "involvedObject": about, "reason": "FailedScheduling", "message": "no node"}
    cluster.api.request("POST", cluster.path(CORE, "events"), body=event)
    until(lambda: [one["message"] for one in model.events().to_dict("records")] == ["no node"])
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    where = cluster.path(CORE, "pods", "model-pods-a-1") + "/status"
    cluster.api.request("PATCH", where, body={"status": status})
    until(lambda: model.view.pods[0].ready)
    # No kubelet here, so there is no log: that is no fault of the view.
    assert model.view.observation.logs == ()
    cluster.delete_pod("model-pods-a-1")


def test_does_not_take_a_model_of_the_same_name_for_its_own(cluster: Cluster) -> None:
    cluster.create_model(manifest("taken"))
    with pytest.raises(ConflictError, match='"taken" exists already'):
        cluster.create_model(manifest("taken"))


def test_finds_a_creation_again_whose_answer_was_lost(
    kubeconfig: Path, cluster: Cluster, tmp_path, monkeypatch
) -> None:
    with FaultyApi(kubeconfig) as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "kubeconfig")))
        through = connect("admin", cluster.namespace)
        api.faults += [answer_lost(verb=verb, resource="models", times=1) for verb in ("create", "patch", "delete")]
        assert through.create_model(manifest("lost"))["metadata"]["name"] == "lost"
        assert through.patch_model("lost", {"spec": {"targetRequests": 7}})["spec"]["targetRequests"] == 7
        through.delete_model("lost")
        assert [fault.times for fault in api.faults] == [0, 0, 0]
        assert cluster.models() == []
        through.close()


def test_keeps_the_values_of_secrets_on_the_server(cluster: Cluster) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"key": "very-secret"}}
    cluster.write_secret(secret)
    assert "s" in cluster.secret_names()
    page = cluster.api.request("GET", cluster.path(CORE, "secrets"), accept=NAMES_ONLY)
    assert page["kind"] == "PartialObjectMetadataList"
    assert not [item for item in page["items"] if "data" in item]


def test_names_every_right_that_is_missing_and_the_role_that_grants_it(kubeconfig: Path, cluster: Cluster) -> None:
    alice = connect("alice", cluster.namespace)
    with pytest.raises(ForbiddenError, match=r'You \("alice"\) may not create models in namespace'):
        alice.create_model(manifest("hers"))
    rights = alice.rights()
    assert {(right.verb, right.resource) for right in rights.missing} >= {("create", "models"), ("get", "pods/log")}
    role = {"metadata": {"name": "r"}, "rules": yaml.safe_load(rights.role_rules)}
    cluster.api.request("POST", cluster.path(RBAC, "roles"), body=role)
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}],
    }
    cluster.api.request("POST", cluster.path(RBAC, "rolebindings"), body=binding)
    until(lambda: not alice.rights().missing)
    assert alice.create_model(manifest("hers"))["metadata"]["name"] == "hers"
    alice.close()


def test_says_which_quota_is_used_up(cluster: Cluster) -> None:
    hard = {"count/models.kubeai.org": "0"}
    quota = {"metadata": {"name": "q"}, "spec": {"hard": hard}}
    cluster.api.request("POST", cluster.path(CORE, "resourcequotas"), body=quota)
    # The controller that would fill this in is not here.
    status = {"status": {"hard": hard, "used": {"count/models.kubeai.org": "0"}}}
    cluster.api.request("PATCH", cluster.path(CORE, "resourcequotas", "q") + "/status", body=status)

    def refused() -> bool:
        try:
            cluster.create_model(manifest("over"), dry_run=True)
        except QuotaError as error:
            return "q, requested: count/models.kubeai.org=1" in error.message
        return False

    until(refused)
    assert [one["metadata"]["name"] for one in cluster.resource_quotas()] == ["q"]


class Late(Reflector):
    """Begins its first watch at a version that the server has forgotten."""

    _forgotten = True

    def _list(self) -> str:
        version = super()._list()
        if self._forgotten:
            self._forgotten = False
            return "1"
        return version


def test_lists_again_when_the_server_has_forgotten_the_history(cluster: Cluster) -> None:
    reflector = Late(cluster.api, cluster.path(MODELS, "models"), on_change=lambda _group: None)
    assert reflector.wait_listed(10)
    cluster.create_model(manifest("after"))
    until(lambda: reflector.groups() == ("after",))
    assert reflector.link.state == "live"
    reflector.close()


def test_catches_up_after_the_way_to_the_server_was_closed(kubeconfig, cluster, tmp_path, monkeypatch) -> None:
    with FaultyApi(kubeconfig) as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "kubeconfig")))
        session = Session(context="admin", namespace=cluster.namespace)
        model = session.serve(name="cut", **SPEC)
        api.stop()
        until(lambda: model.view.link.state == "reconnecting")
        cluster.patch_model("cut", {"metadata": {"annotations": {"seen": "yes"}}})
        api.start()
        until(lambda: model.view.link.state == "live", 20)
        until(lambda: model.view.model["metadata"]["annotations"].get("seen") == "yes")
        session.close()


def test_says_what_is_against_a_pod_without_making_one(cluster: Cluster) -> None:
    model = cluster.create_model(manifest("wishful", priority_class_name="urgent"))
    config = {"resourceProfiles": {"cpu": {}}, "modelServers": {"VLLM": {"images": {"default": "vllm/vllm:1"}}}}
    said = cluster.try_pod(pod_wanted(model, config))
    assert said
    assert "urgent" in said or "serviceaccount" in said
    # As KubeAI leaves a Model that it cannot make a Pod of.
    model["metadata"]["labels"] = {"features.kubeai.org/TextGeneration": "true"}
    model["spec"]["replicas"], model["status"] = 1, {"replicas": {"all": 0, "ready": 0}}
    found = diagnose(Observation(model=model, refusal=said), now=datetime.now(UTC) + timedelta(seconds=30))
    assert found[0].code in ("PriorityClassMissing", "ServiceAccountMissing")
    assert cluster.listed(cluster.path(CORE, "pods")) == []
