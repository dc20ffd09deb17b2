import yaml

from kubeai_notebook.core.manifest import to_manifest, to_yaml
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
