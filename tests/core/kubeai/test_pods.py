"""The Pod that KubeAI makes, and when another one takes its place."""

from __future__ import annotations

import pytest

from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.core.kubeai.pods import HASH_LABEL, UnusableSpecError, files_of, pod_of
from kubeai_notebook.core.merge_patch import merged
from kubeai_notebook.core.spec_diff import changed_fields, restarts_pods

CATALOG = operator_config_of(None)
METADATA = {"name": "m", "namespace": "default", "uid": "u"}
SPEC = {"url": "hf://a/b", "engine": "VLLM", "features": ["TextGeneration"], "resourceProfile": "cpu:2"}
FILES = [{"path": "/a/b", "content": "1"}, {"path": "/a_b", "content": "2"}]


def model(**spec):
    return {"metadata": METADATA, "spec": SPEC | spec}


def pod(**spec):
    made = model(**spec)
    container = {"image": made["spec"].get("image", "default"), "args": made["spec"].get("args", [])}
    return pod_of(made, CATALOG, profiles={}, container=container)


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
