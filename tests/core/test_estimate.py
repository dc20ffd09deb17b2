"""Whether a model fits: from what its files, its url and its profile say, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from kubeai_notebook.core.accelerators import accelerator_of
from kubeai_notebook.core.estimate import Estimate, Figures, estimate_of, figures_of_hub, figures_of_name
from kubeai_notebook.core.free_units import free_units, units_on_one_node
from kubeai_notebook.core.kubeai.operator_config import operator_config_of
from kubeai_notebook.core.spec import spec_of

CONFIG = operator_config_of(None)
LLAMA = {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_size": 4096,
         "max_position_embeddings": 131072}  # fmt: skip
EIGHT = figures_of_hub(LLAMA, {"BF16": 8_030_261_248}, weights_bytes=None)


def estimated(profile: str, *args: str, figures: Figures = EIGHT, url: str = "hf://org/model") -> Estimate | None:
    return estimate_of(figures, spec_of({"url": url, "resource_profile": profile, "args": args}), CONFIG)


def test_counts_weights_and_cache_by_the_models_own_files() -> None:
    assert (EIGHT.weights_bytes, EIGHT.token_bytes, EIGHT.longest_context) == (16_060_522_496, 131_072, 131_072)


@pytest.mark.parametrize(
    ("config", "weights", "size", "token"),
    [
        ({}, {}, None, None),
        ({"hidden_size": "x", "num_hidden_layers": None}, {"NEW": 3}, None, None),
        ({**LLAMA, "head_dim": 64}, {}, None, 65_536),
        ({**LLAMA, "kv_lora_rank": 512}, {}, None, None),
        ({"text_config": LLAMA}, {}, None, 131_072),
        ({**LLAMA, "num_key_value_heads": None}, {"F32": 10}, 40, 524_288),
    ],
)
def test_leaves_out_what_the_files_do_not_say(config: Any, weights: Any, size: int | None, token: int | None) -> None:
    figures = figures_of_hub(config, weights, weights_bytes=None)
    assert (figures.weights_bytes, figures.token_bytes) == (size, token)


@pytest.mark.parametrize(
    ("url", "parameters", "weights"),
    [
        ("hf://org/Some-7B-Instruct", 7e9, 14e9),
        ("hf://org/qwen2.5-0.5b", 0.5e9, 1e9),
        ("hf://org/mixtral-8x7b", 56e9, 112e9),
        ("hf://org/Some-8B-FP8", 8e9, 8e9),
        ("hf://org/some-7b-awq", 7e9, 3.5e9),
        ("ollama://some:7b", 7e9, 4.2e9),
        ("ollama://smollm2:135m", 135e6, 271e6),
        ("hf://meta-llama/Meta-Llama-3.1-8B-Instruct", 8e9, 16.1e9),
    ],
)
def test_reads_a_size_out_of_a_url(url: str, parameters: float, weights: float) -> None:
    figures = figures_of_name(url)
    assert figures is not None
    assert (figures.parameters, figures.weights_bytes) == (int(parameters), int(weights))


@pytest.mark.parametrize("url", ["hf://org/model", "hf://org/v2b", "ollama://phi", "s3://b7/x", "hf://org/gpt-4m2", ""])
def test_reads_no_size_where_there_is_none(url: str) -> None:
    assert figures_of_name(url) is None


def test_says_the_largest_context_that_fits() -> None:
    small = estimated("nvidia-gpu-l4:1", "--max-model-len=8192")
    assert small is not None
    assert (small.fits, small.context) == (True, 8192)
    assert small.largest_context == (int(24e9 * 0.9) - 16_060_522_496) // 131_072
    whole = estimated("nvidia-gpu-l4:1")
    assert whole is not None
    assert (whole.fits, whole.context, whole.tokens_a_second) == (False, 131_072, None)
    assert "does not fit" in whole.sentence
    assert f"{small.largest_context:,} tokens" in whole.sentence


def test_counts_one_accelerator_unless_the_engine_is_told_to_take_more() -> None:
    args = ("--max-model-len=4096",)
    one, two = estimated("nvidia-gpu-t4:2", *args), estimated("nvidia-gpu-t4:2", *args, "--tensor-parallel-size=2")
    assert one is not None
    assert two is not None
    assert (one.fits, two.fits, two.usable_bytes) == (False, True, 2 * one.usable_bytes)


def test_heeds_the_share_of_memory_and_the_type_of_the_cache() -> None:
    less = estimated("nvidia-gpu-l4:1", "--max-model-len=8192", "--gpu-memory-utilization=0.6")
    half = estimated("nvidia-gpu-l4:1", "--max-model-len=8192", "--kv-cache-dtype", "fp8_e5m2")
    assert less is not None
    assert half is not None
    assert (less.fits, less.largest_context) == (False, 0)
    assert half.cache_bytes == 8192 * 65_536


def test_gives_a_speed_by_the_memorys_bandwidth_with_its_source() -> None:
    estimate = estimated("nvidia-gpu-l4:1", "--max-model-len=8192")
    assert estimate is not None
    assert estimate.tokens_a_second == pytest.approx((300e9 / 16.06e9 * 0.5, 300e9 / 16.06e9 * 0.85), rel=0.01)
    assert "data sheet" in estimate.sentence
    mixture = figures_of_hub({**LLAMA, "num_local_experts": 8}, {"BF16": 8 * 10**9}, weights_bytes=None)
    other = estimated("nvidia-gpu-l4:1", "--max-model-len=1024", figures=mixture)
    assert other is not None
    assert other.tokens_a_second is None


def test_gives_no_speed_of_a_model_that_reads_some_of_its_weights() -> None:
    figures = [figures_of_name(f"hf://org/{name}") for name in ("Some-30B-A3B", "some-8x7b", "Some-30B")]
    assert [one.mixture for one in figures if one] == [True, True, False]


def test_compares_a_profile_of_processors_by_the_memory_that_it_asks_for() -> None:
    small, large = (figures_of_name(f"ollama://{name}") for name in ("smollm2:135m", "llama3.1:8b"))
    assert small is not None
    assert large is not None
    fits = [estimated("cpu:1", figures=figures, url="ollama://x") for figures in (small, large)]
    assert [one.fits for one in fits if one] == [True, False]


def test_says_nothing_without_an_accelerators_name_or_a_size() -> None:
    unknown = operator_config_of({"resourceProfiles": {"big": {"limits": {"nvidia.com/gpu": 1}}, "free": {}}})
    for profile in ("big:1", "free:1", "gone:1"):
        assert estimate_of(EIGHT, spec_of({"url": "hf://a/b", "resource_profile": profile}), unknown) is None
    assert estimated("nvidia-gpu-l4:1", figures=Figures()) is None


@pytest.mark.parametrize(
    ("name", "selector", "product"),
    [
        ("gpu", {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}, "NVIDIA A100 80 GB"),
        ("gpu", {"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"}, "NVIDIA T4"),
        ("nvidia-gpu-l4", {"nvidia.com/gpu.product": "NVIDIA-L40S"}, "NVIDIA L40S"),
        ("nvidia-gpu-l40s", {}, "NVIDIA L40S"),
        ("nvidia-gpu-v100", {}, ""),
        ("nvidia-gpu-a100", {}, ""),
        ("l400-pool", {}, ""),
    ],
)
def test_knows_an_accelerator_by_the_selector_before_the_name(name: str, selector: Any, product: str) -> None:
    fields = {"limits": {"nvidia.com/gpu": 1}, "nodeSelector": selector}
    found = accelerator_of(operator_config_of({"resourceProfiles": {name: fields}}).profiles[name])
    assert (found.name if found else "") == product


def node(name: str, **spec: Any) -> dict[str, Any]:
    status = {"allocatable": {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "4"},
              "conditions": [{"type": "Ready", "status": "True"}]}  # fmt: skip
    return {"metadata": {"name": name, "labels": {"pool": "gpu"}}, "spec": spec, "status": status}


def pod(where: str, phase: str = "Running", **limits: str) -> dict[str, Any]:
    containers = [{"resources": {"limits": limits}}]
    return {"spec": {"nodeName": where, "containers": containers}, "status": {"phase": phase}}


def test_counts_the_units_that_could_start_now() -> None:
    tainted = {"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]}
    other = {"taints": [{"key": "team", "effect": "NoSchedule"}]}
    nodes = [node("a", **tainted), node("b", **other), node("c", unschedulable=True)]
    pods = [pod("a", **{"nvidia.com/gpu": "2"}), pod("a", "Succeeded", **{"nvidia.com/gpu": "2"}), pod("", cpu="900")]
    free = free_units(CONFIG.profiles.values(), nodes, pods)
    # Each L4 asks for 6 of 16 processors; a GPU alone asks for nothing else, and cpu does not tolerate the taint.
    assert (free["nvidia-gpu-l4"], free["nvidia-gpu-h100"], free["cpu"], free["amd-gpu-mi300x"]) == (2, 2, 0, 0)


def test_counts_what_one_node_could_take_where_a_pod_is_to_fit() -> None:
    nodes, profiles = [node("a"), node("b")], CONFIG.profiles.values()
    pods = [pod("a", **{"nvidia.com/gpu": "1"})]
    assert free_units(profiles, nodes, pods)["nvidia-gpu-h100"] == 7
    assert units_on_one_node(profiles, nodes, pods)["nvidia-gpu-h100"] == 4
    assert set(units_on_one_node(profiles, [], pods).values()) == {0}


def test_counts_nothing_of_nodes_that_make_no_sense() -> None:
    odd: list[dict[str, Any]] = [{}, {"status": {"allocatable": {"cpu": "x"}, "conditions": "?"}}, {"spec": []}]
    assert set(free_units(CONFIG.profiles.values(), odd, [{}, {"spec": {"containers": 3}}]).values()) == {0}


@pytest.mark.parametrize(
    ("tag", "gigabytes"),
    [("8b", 4.8), ("8b-instruct-fp16", 16), ("8b-instruct-q8_0", 8.5), ("8b-instruct-q4_K_M", 4.8), ("8b-q2_K", 2.8)],
)
def test_reads_how_a_tag_of_ollamas_is_quantized(tag: str, gigabytes: float) -> None:
    figures = figures_of_name(f"ollama://some-model:{tag}")
    assert figures is not None
    assert figures.weights_bytes == pytest.approx(gigabytes * 1e9, rel=0.01)


def test_counts_weights_once_where_a_repository_has_them_twice() -> None:
    assert figures_of_hub({}, {"BF16": 7_000_000_000}, weights_bytes=29_000_000_000).weights_bytes == 14_000_000_000
