from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubeai_notebook.core.manifest import spec_of_manifest, to_manifest, to_yaml
from kubeai_notebook.core.rules.schema import SPEC
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.core.spec_diff import changed_fields

SEED = {
    "name": "tinyllama-chat",
    "url": "hf://TinyLlama/TinyLlama-1.1B-Chat-v0.3",
    "engine": "VLLM",
    "features": ["TextGeneration"],
    "adapters": [{"name": "colorist", "url": "hf://jashing/tinyllama-colorist-lora"}],
    "resource_profile": "1xa100",
    "args": ["--enable-prefix-caching", "--max-model-len=8192"],
}


def test_writes_the_manifest_of_the_seeds_text_model() -> None:
    assert to_manifest(spec_of(SEED)) == {
        "apiVersion": "kubeai.org/v1",
        "kind": "Model",
        "metadata": {"name": "tinyllama-chat"},
        "spec": {
            "url": "hf://TinyLlama/TinyLlama-1.1B-Chat-v0.3",
            "engine": "VLLM",
            "features": ["TextGeneration"],
            "resourceProfile": "1xa100:1",
            "adapters": [{"name": "colorist", "url": "hf://jashing/tinyllama-colorist-lora"}],
            "args": ["--enable-prefix-caching", "--max-model-len=8192"],
            "minReplicas": 1,
        },
    }


def test_never_sends_what_is_empty() -> None:
    manifest = to_manifest(spec_of({"url": "hf://a/b", "adapters": [], "args": [], "env": {}, "image": ""}))
    assert set(manifest["spec"]) == {"url", "engine", "features", "resourceProfile", "minReplicas"}


def test_sends_zero_as_lower_bound() -> None:
    manifest = to_manifest(spec_of({"url": "hf://a/b", "scaling": {"min_replicas": 0, "max_replicas": 2}}))
    assert (manifest["spec"]["minReplicas"], manifest["spec"]["maxReplicas"]) == (0, 2)


def test_sends_replicas_only_with_autoscaling_off() -> None:
    on = to_manifest(spec_of({"url": "hf://a/b", "scaling": {"replicas": 3}}))
    off = to_manifest(spec_of({"url": "hf://a/b", "scaling": {"replicas": 3, "autoscaling_disabled": True}}))
    assert "replicas" not in on["spec"]
    assert off["spec"]["replicas"] == 3


def stored(**changes: object) -> dict[str, object]:
    """The seed's Model as an API server and the operator leave it."""
    manifest = to_manifest(spec_of(SEED))
    added = {
        "replicas": 1,
        "owner": "",
        "targetRequests": 100,
        "scaleDownDelaySeconds": 30,
        "loadBalancing": {"strategy": "LeastLoad", "prefixHash": {"replication": 256}},
    }
    return {**manifest, "spec": {**manifest["spec"], **added, **changes}}


def test_sees_no_change_in_what_the_server_added() -> None:
    assert changed_fields(stored(), to_manifest(spec_of(SEED))) == {}


def test_sees_a_changed_and_a_removed_field() -> None:
    wanted = to_manifest(spec_of({**SEED, "args": ["--max-model-len=2048"], "adapters": None}))
    assert changed_fields(stored(), wanted) == {
        "args": (SEED["args"], ["--max-model-len=2048"]),
        "adapters": (SEED["adapters"], None),
    }


def test_writes_yaml_without_the_operators_noise() -> None:
    model = stored()
    model["metadata"] = {
        "name": "tinyllama-chat",
        "uid": "u",
        "resourceVersion": "7",
        "labels": {"features.kubeai.org/TextGeneration": "true", "team": "nlp"},
    }
    model["status"] = {"replicas": {"all": 1, "ready": 1}}
    document = yaml.safe_load(to_yaml(model))
    assert document["metadata"] == {"name": "tinyllama-chat", "labels": {"team": "nlp"}}
    assert "status" not in document
    assert "replicas" not in document["spec"]


def a_model(**spec: Any) -> dict[str, Any]:
    known = {"url": "hf://a/b", "engine": "VLLM", "features": ["TextGeneration"], "resourceProfile": "cpu:1"}
    return {"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": "m"}, "spec": {**known, **spec}}


@pytest.mark.parametrize(
    "model",
    [
        a_model(engine="SGLang", features=["Video"], newField={"a": 1}),
        a_model(loadBalancing={"strategy": "RoundRobin", "prefixHash": {"meanLoadFactor": 3}}),
        a_model(minReplicas="x", scaleDownDelaySeconds=-1, args="--a", env={"A": 1}, adapters=[{"name": "A B"}]),
        a_model(url=3, engine=None, features="TextGeneration", resourceProfile="cpu:x", files={"a": 1}),
        {"apiVersion": "kubeai.org/v2", "kind": "Model", "metadata": [], "spec": None},
        {"spec": "x"},
        {},
    ],
)
def test_reads_what_can_be_read_of_an_odd_model(model: dict[str, Any]) -> None:
    spec = spec_of_manifest(model)
    written = to_manifest(spec)
    for key, value in model.items():
        assert written[key] == {**written[key], **value} if isinstance(value, dict) else written[key] == value


def test_reads_the_values_of_an_operator_that_is_newer() -> None:
    spec = spec_of_manifest(a_model(engine="SGLang", features=["Video"], url="new://a?b=c"))
    assert (spec.engine, spec.features, spec.url.scheme) == ("SGLang", ("Video",), "new")
    assert spec.resource_profile.name == "cpu"


_ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "url", "path", "strategy"]), inner)
    ),
    max_leaves=4,
)


@given(body=st.dictionaries(st.sampled_from(sorted(SPEC["properties"])), _ODD))
def test_reads_any_spec_and_writes_it_back(body: dict[str, Any]) -> None:
    model = {**a_model(), "spec": body}
    written = to_manifest(spec_of_manifest(model))
    assert written["spec"] == {**written["spec"], **body}
