"""The Pod that KubeAI makes, and when another one takes its place."""

from __future__ import annotations

import pytest

from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.core.kubeai.pods import HASH_LABEL, UnusableSpecError, files_of, pod_of
from kubeai_notebook.core.merge_patch import merged
from kubeai_notebook.core.spec_diff import changed_fields, restarts_pods

CATALOG = operator_config_of(None)
RAW = {"resourceProfiles": {"cpu": {}}, "modelServers": {"VLLM": {"images": {"default": "x"}}}}
METADATA = {"name": "m", "namespace": "default", "uid": "u"}
SPEC = {"url": "hf://a/b", "engine": "VLLM", "features": ["TextGeneration"], "resourceProfile": "cpu:2"}
FILES = [{"path": "/a/b", "content": "1"}, {"path": "/a_b", "content": "2"}]


def model(**spec):
    return {"metadata": METADATA, "spec": SPEC | spec}


def pod(system=None, **spec):
    made = model(**spec)
    container = {"image": made["spec"].get("image", "default"), "args": made["spec"].get("args", [])}
    return pod_of(made, CATALOG, system=system or {}, container=container)


def test_multiplies_the_profile():
    assert pod()["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "2", "memory": "4Gi"}}


def test_names_itself_by_its_hash():
    metadata = pod()["metadata"]
    assert metadata["generateName"] == f"model-m-{metadata['labels'][HASH_LABEL]}-"
    assert metadata["ownerReferences"][0]["uid"] == "u"


@pytest.mark.parametrize("spec", [{"resourceProfile": "cpu"}, {"resourceProfile": "x:1"}, {"cacheProfile": "none"}])
def test_is_not_made_of_what_is_not_configured(spec):
    with pytest.raises(UnusableSpecError):
        pod(**spec)


@pytest.mark.parametrize(
    "spec",
    [
        {"env": {"A": "1"}},
        {"args": ["--x"]},
        {"image": "other"},
        {"resourceProfile": "cpu:1"},
        {"priorityClassName": "high"},
        {"files": FILES},
        {"targetRequests": 3},
        {"minReplicas": 2},
        {"scaleDownDelaySeconds": 1},
    ],
)
def test_has_another_hash_exactly_when_a_change_restarts_pods(spec):
    hashes = {made["metadata"]["labels"][HASH_LABEL] for made in (pod(), pod(**spec))}
    assert (len(hashes) == 2) is restarts_pods(model(), changed_fields(model(), model(**spec)))


def test_keeps_its_hash_over_another_content_of_a_file():
    other = [FILES[0] | {"content": "3"}, FILES[1]]
    assert pod(files=FILES)["metadata"] == pod(files=other)["metadata"]


def test_has_one_file_where_two_paths_make_one_key():
    assert files_of(model(files=FILES))["data"] == {"_a_b": "2"}
    assert files_of(model()) is None


def test_merges_a_patch_without_touching_the_document():
    document = {"a": {"b": 1, "c": [1]}, "d": 2}
    assert merged(document, {"a": {"b": None, "c": [2]}, "e": {"f": None}}) == {"a": {"c": [2]}, "d": 2, "e": {}}
    assert document == {"a": {"b": 1, "c": [1]}, "d": 2}


def test_has_what_the_operator_is_configured_to_give_every_pod():
    common = {
        "serviceAccountName": "models",
        "podSecurityContext": {"runAsNonRoot": True},
        "securityContext": {"allowPrivilegeEscalation": False},
        "imagePullSecrets": [{"name": "registry"}],
    }
    spec = pod({"modelServerPods": common})["spec"]
    assert spec["serviceAccountName"] == "models"
    assert spec["securityContext"] == {"runAsNonRoot": True}
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["containers"][0]["securityContext"] == {"allowPrivilegeEscalation": False}
    infinity = pod({"modelServerPods": common}, engine="Infinity", features=["TextEmbedding"])["spec"]
    assert "securityContext" not in infinity["containers"][0]


def test_is_patched_before_its_hash_is_taken():
    patches = [
        {"op": "add", "path": "/spec/hostIPC", "value": True},
        {"op": "add", "path": "/spec/containers/0/env/-", "value": {"name": "A", "value": "1"}},
        {"op": "replace", "path": "/spec/restartPolicy", "value": "Never"},
    ]
    made = pod({"modelServerPods": {"jsonPatches": patches}})
    assert (made["spec"]["hostIPC"], made["spec"]["restartPolicy"]) == (True, "Never")
    assert made["spec"]["containers"][0]["env"][-1] == {"name": "A", "value": "1"}
    assert made["metadata"]["labels"][HASH_LABEL] != pod()["metadata"]["labels"][HASH_LABEL]


@pytest.mark.parametrize("patch", [
    {"op": "remove", "path": "/spec/nothing"}, {"op": "add", "path": "/spec/containers/7/x", "value": 1},
    {"op": "move", "path": "/spec/x", "from": "/spec/y"}, {},
])  # fmt: skip
def test_is_not_made_where_a_patch_cannot_be_applied(patch):
    with pytest.raises(UnusableSpecError):
        pod({"modelServerPods": {"jsonPatches": [patch]}})


def test_has_a_loader_without_resources_and_with_every_stores_login_where_adapters_are():
    system = {"modelLoading": {"image": "loader:1"}, "modelServerPods": {"securityContext": {"runAsUser": 1}}}
    server, loader = pod(system, adapters=[], env={"B": "2"}, envFrom=[{"secretRef": {"name": "x"}}])["spec"][
        "containers"
    ]
    assert (loader["name"], loader["image"], loader["command"]) == ("loader", "loader:1", ["sleep", "infinity"])
    assert "resources" not in loader
    assert loader["envFrom"] == server["envFrom"]
    assert loader["securityContext"] == {"runAsUser": 1}
    names = [variable["name"] for variable in loader["env"]]
    assert names[0] == "B"
    assert {"HF_TOKEN", "AWS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_ID"} <= {*names}
    assert {mount["name"] for mount in server["volumeMounts"]} == {"dshm", "adapters"}


def test_mounts_the_claim_that_its_url_names():
    spec = pod(url="pvc://models/qwen/small")["spec"]
    assert spec["volumes"][-1]["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}
    assert spec["containers"][0]["volumeMounts"][-1]["subPath"] == "qwen/small"


def test_mounts_the_cache_at_a_folder_of_its_own():
    config = operator_config_of({**RAW, "cacheProfiles": {"shared": {}}})
    made = pod_of(model(cacheProfile="shared"), config, system={}, container={})
    assert made["spec"]["volumes"][-1]["persistentVolumeClaim"]["claimName"] == "shared-model-cache-shared"
    assert made["spec"]["containers"][0]["volumeMounts"][-1]["mountPath"] == "/models/m-u"


def test_mounts_the_key_file_of_gs():
    mounted = pod(url="gs://bucket/model")["spec"]["volumes"][-1]["secret"]
    assert mounted == {"secretName": "kubeai-gcp", "optional": True}


def test_mounts_an_image_of_weights_with_the_registrys_login():
    config = operator_config_of({**RAW, "secretNames": {"oci": "registry"}})
    system = {"modelServerPods": {"imagePullSecrets": [{"name": "common"}]}}
    made = pod_of(model(url="oci://ghcr.io/me/weights:1"), config, system=system, container={})["spec"]
    assert made["volumes"][-1]["image"] == {"reference": "ghcr.io/me/weights:1", "pullPolicy": "IfNotPresent"}
    assert made["containers"][0]["volumeMounts"][-1]["mountPath"] == "/model"
    assert made["imagePullSecrets"] == [{"name": "common"}, {"name": "registry"}]
    assert "imagePullSecrets" not in pod(url="oci://ghcr.io/me/weights:1")["spec"]


@pytest.mark.parametrize(("version", "has"), [("v0.23.2", True), ("0.22.1", False), (None, False)])
def test_has_its_models_labels_where_kubeai_copies_them(version, has):
    labelled = {"metadata": {**METADATA, "labels": {"team": "a", "app": "mine"}}, "spec": SPEC}
    labels = pod_of(labelled, CATALOG, system={}, container={}, version=version)["metadata"]["labels"]
    assert ("team" in labels, labels["app"]) == (has, "model")


@pytest.mark.parametrize(("spec", "words"), [
    ({"url": "no-url", "cacheProfile": "x", "resourceProfile": "y"}, "invalid model URL"),
    ({"cacheProfile": "x", "resourceProfile": "y"}, "cache profile not found"),
    ({"resourceProfile": "y"}, "invalid resource profile"),
])  # fmt: skip
def test_says_what_is_wrong_in_the_operators_order(spec, words):
    with pytest.raises(UnusableSpecError, match=words):
        pod(**spec)
