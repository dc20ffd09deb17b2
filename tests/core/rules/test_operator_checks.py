"""A spec against one cluster's configuration."""

from __future__ import annotations

from typing import Any

import pytest

from kubeai_notebook.core.facts import ClusterFacts
from kubeai_notebook.core.kubeai.operator_config import OperatorConfig, operator_config_of
from kubeai_notebook.core.profile import parse_profile
from kubeai_notebook.core.rules.operator_checks import against_operator_config, profile_for, with_known_profile
from kubeai_notebook.core.rules.quantity import quantity_of, to_quantity
from kubeai_notebook.core.spec import draft_of
from kubeai_notebook.errors import SpecError

from .lint_cases import INFINITY, spec_with

CLUSTER = operator_config_of("""
resourceProfiles:
  cpu: {imageName: cpu, requests: {cpu: 1, memory: 2Gi}}
  1xa100: {imageName: nvidia-gpu, requests: {cpu: "8", memory: 80Gi}, limits: {nvidia.com/gpu: 1}}
  8xa100: {imageName: nvidia-gpu, requests: {cpu: "64", memory: 640Gi}, limits: {nvidia.com/gpu: 8}}
  bare: {limits: {nvidia.com/gpu: 1}}
cacheProfiles: {efs: {sharedFilesystem: {storageClassName: efs}}}
modelServers:
  VLLM: {images: {default: vllm, cpu: vllm-cpu}}
  OLlama: {images: {nvidia-gpu: ollama-gpu}}
secretNames: {huggingface: hub, aws: s3-keys}
""")
GPU = {"resource_profile": "1xa100:1"}


def found(cluster: OperatorConfig, changes: dict[str, Any], **known: Any) -> list[tuple[str, str, str]]:
    notices = against_operator_config(spec_with(**{**GPU, **changes}), ClusterFacts(operator_config=cluster, **known))
    return [(notice.severity, notice.code, notice.field) for notice in notices]


def test_says_nothing_of_a_spec_that_the_cluster_has_everything_for() -> None:
    assert found(CLUSTER, {"cache_profile": "efs"}, secret_names=("hub",), priority_classes=(), models=()) == []


def test_names_the_nearest_profile_and_patches_it() -> None:
    (notice,) = against_operator_config(spec_with(resource_profile="1xa10:2"), ClusterFacts(operator_config=CLUSTER))
    assert (notice.severity, notice.code) == ("error", "UnknownResourceProfile")
    assert notice.remedies[0].patch({}) == {"spec": {"resourceProfile": "1xa100:2"}}


def test_is_less_sure_when_only_the_charts_defaults_are_known() -> None:
    chart = operator_config_of(None)
    assert found(chart, {}) == [("warning", "UnknownResourceProfile", "resource_profile")]
    assert found(chart, {"cache_profile": "efs"})[1] == ("warning", "UnknownCacheProfile", "cache_profile")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("gpu", "Write nvidia-gpu-l4:1."),
        ("GPU:2", "Write nvidia-gpu-l4:2."),
        ("nvidia-gpu", "Write nvidia-gpu-l4:1."),
        ("l4", "Write nvidia-gpu-l4:1."),
        ("h100", "Write nvidia-gpu-h100:1."),
        ("amd", "Write amd-gpu-mi300x:1."),
        ("nvidia-gpu-l5", "Write nvidia-gpu-l4:1."),
        ("cpus", "Write cpu:1."),
        ("CPU", "Write cpu:1."),
        ("cuda", "Choose one of them."),
        ("large", "Choose one of them."),
    ],
)
def test_answers_an_unknown_profile_by_one_of_its_kind_and_lists_all(asked: str, answer: str) -> None:
    chart, spec = operator_config_of(None), spec_with(resource_profile=parse_profile(asked))
    notices = against_operator_config(spec, ClusterFacts(operator_config=chart))
    (notice,) = [notice for notice in notices if notice.field == "resource_profile"]
    assert notice.remedies[0].title == answer
    assert all(name in notice.message for name in chart.profiles)


def test_takes_a_profile_that_another_model_runs_on_for_existing() -> None:
    assert (
        found(
            operator_config_of(None),
            {},
            models=(
                {"spec": {"resourceProfile": "1xa100:2"}},
                {},
            ),
        )
        == []
    )


def test_misses_a_cache_profile() -> None:
    assert found(CLUSTER, {"cache_profile": "efss"}) == [("error", "UnknownCacheProfile", "cache_profile")]


def test_misses_an_image_for_the_engine_unless_the_spec_names_one() -> None:
    assert found(CLUSTER, INFINITY) == [("error", "NoServerImage", "image")]
    assert found(CLUSTER, {**INFINITY, "image": "my/infinity"}) == []
    ollama = {"engine": "OLlama", "url": "ollama://x"}
    assert found(CLUSTER, ollama) == []
    assert found(CLUSTER, {**ollama, "resource_profile": "cpu:1"}) == [("error", "NoServerImage", "image")]


def test_counts_the_gpus_that_the_profile_really_has() -> None:
    eight = {"args": ("--tensor-parallel-size=8",)}
    assert found(CLUSTER, {**eight, "resource_profile": "8xa100:1"}) == []
    assert found(CLUSTER, {**eight, "resource_profile": "1xa100:8"}) == []
    assert found(CLUSTER, {**eight, "resource_profile": "1xa100:4"}) == [
        ("error", "TensorParallelMoreThanGpus", "args")
    ]


def test_warns_that_the_clusters_token_wins() -> None:
    mine = {"env": {"HF_TOKEN": "x"}}
    assert found(CLUSTER, mine, secret_names=("hub",)) == [("warning", "SystemTokenWins", "env.HF_TOKEN")]
    assert found(CLUSTER, mine, secret_names=()) == []
    assert found(CLUSTER, mine) == []


def test_asks_for_a_token_only_where_the_hub_does() -> None:
    gated = {"url": "hf://meta-llama/Llama-3.2-1B"}
    assert found(CLUSTER, gated, secret_names=()) == [("warning", "HubTokenMissing", "url")]
    assert found(CLUSTER, gated, secret_names=("hub",)) == []
    assert found(CLUSTER, {}, secret_names=()) == []
    assert found(CLUSTER, {"url": "s3://b/p"}, secret_names=()) == [("warning", "CloudCredentialsMissing", "url")]


def test_misses_a_priority_class() -> None:
    named = {"priority_class_name": "hgh"}
    assert found(CLUSTER, named, priority_classes=("high",)) == [
        ("error", "PriorityClassMissing", "priority_class_name")
    ]
    assert found(CLUSTER, named) == []
    assert found(CLUSTER, {"priority_class_name": "high"}, priority_classes=("high",)) == []


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"gpu": 1, "cpu": 6, "memory": "24Gi"}, "1xa100:1"),
        ({"gpu": 1, "memory": "81Gi"}, "1xa100:2"),
        ({"gpu": 8}, "bare:8"),
        ({"gpu": 8, "memory": "1Gi"}, "1xa100:8"),
        ({"cpu": 3, "memory": "5Gi"}, "cpu:3"),
        ({"cpu": "1500m"}, "cpu:2"),
        ({"nvidia.com/gpu": 1, "cpu": "1"}, "1xa100:1"),
        ({}, "cpu:1"),
    ],
)
def test_finds_the_smallest_profile_that_covers(resources: dict[str, Any], expected: str) -> None:
    assert str(profile_for(resources, CLUSTER)) == expected


def test_covers_the_platforms_example_with_the_chart() -> None:
    assert profile_for({"gpu": 1, "cpu": 6, "memory": "24Gi"}, operator_config_of(None)) == "nvidia-gpu-l4:1"


def test_names_the_nearest_when_nothing_covers() -> None:
    with pytest.raises(SpecError, match=r'The nearest is "1xa100", .*memory 80Gi'):
        profile_for({"gpu": 1, "memory": "1Gi", "habana.ai/gaudi": 1}, CLUSTER)
    with pytest.raises(SpecError, match="the cluster has none"):
        profile_for({"gpu": 1}, operator_config_of("{}"))


@pytest.mark.parametrize(
    ("text", "equal"),
    [
        ("1", "1000m"),
        ("1Ki", "1024"),
        ("1.5Gi", "1536Mi"),
        ("2e3", "2k"),
        ("2E", "2000P"),
        ("1Ei", "1024Pi"),
        (".5", "500m"),
    ],
)
def test_reads_quantities_exactly(text: str, equal: str) -> None:
    assert quantity_of(text) == quantity_of(equal)


@pytest.mark.parametrize("text", ["", "1 Gi", "Gi", "1gi", "1KiB", "0x1", True, "1e", "٣"])
def test_refuses_what_is_no_quantity(text: Any) -> None:
    with pytest.raises(SpecError, match="no quantity"):
        quantity_of(text)


def test_writes_quantities_back() -> None:
    assert [to_quantity(quantity_of(text)) for text in ("6Gi", "1500Mi", "3", "1500m", "0")] == [
        "6Gi",
        "1500Mi",
        "3",
        "1500m",
        "0",
    ]


NAMED = """
resourceProfiles:
  cpu: {requests: {cpu: 1}}
  nvidia-gpu-l4: {limits: {nvidia.com/gpu: 1}}
  nvidia-gpu-l40s: {limits: {nvidia.com/gpu: 1}}
  nvidia-gpu-a100-40gb: {limits: {nvidia.com/gpu: 1}}
  nvidia-gpu-a100-80gb: {limits: {nvidia.com/gpu: 1}}
"""
ONE_GPU = "resourceProfiles: {cpu: {requests: {cpu: 1}}, big: {limits: {amd.com/gpu: 1}}}"


@pytest.mark.parametrize(
    ("config", "said", "meant"),
    [
        (NAMED, "l4", "nvidia-gpu-l4:1"),
        (NAMED, "L4:2", "nvidia-gpu-l4:2"),
        (NAMED, "a100-80gb", "nvidia-gpu-a100-80gb:1"),
        (NAMED, "80gb", "nvidia-gpu-a100-80gb:1"),
        (ONE_GPU, "gpu", "big:1"),
        # Several could be meant, or none; or it is there by just this name.
        (NAMED, "a100", "a100:1"),
        (NAMED, "gpu", "gpu:1"),
        (NAMED, "l", "l:1"),
        (NAMED, "t4", "t4:1"),
        (NAMED, "cpu", "cpu:1"),
    ],
)
def test_takes_the_only_profile_that_a_word_can_mean(config: str, said: str, meant: str) -> None:
    cluster, (word, _, multiple) = operator_config_of(config), said.partition(":")
    spec = spec_with(resource_profile=f"{word}:{multiple or 1}", inferred=())
    resolved = with_known_profile(spec, cluster)
    assert resolved.resource_profile == meant
    whys = [one.why for one in resolved.inferred]
    assert whys == ([] if resolved is spec else [f'the only profile that "{word}" can mean'])
    draft = draft_of({"url": "hf://org/model", "profile": said, "image": "vllm"}, ClusterFacts(operator_config=cluster))
    assert (draft.spec is not None) == (meant.partition(":")[0] in cluster.profiles)


def test_leaves_a_word_alone_where_the_clusters_profiles_are_not_known() -> None:
    spec = spec_with(resource_profile="l4:1")
    assert with_known_profile(spec, operator_config_of(None)) is spec


def test_says_that_the_charts_image_for_amd_is_in_no_repository_and_gives_the_one_that_is_meant() -> None:
    facts = ClusterFacts(operator_config=operator_config_of(None))
    (notice,) = against_operator_config(spec_with(resource_profile="amd-gpu-mi300x:1"), facts)
    assert (notice.severity, notice.code, notice.field) == ("warning", "ImageNotFound", "image")
    patch = {"spec": {"image": "rocm/vllm:rocm6.4.1_vllm_0.10.1_20250909"}}
    assert notice.remedies[0].patch({}) == patch
    own = spec_with(resource_profile="amd-gpu-mi300x:1", image="rocm/vllm:latest")
    assert against_operator_config(own, facts) == []
