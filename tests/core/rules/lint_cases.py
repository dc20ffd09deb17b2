"""Specs that stand in a trap, what is said of each, and the nearest spec of which it is not true."""

from __future__ import annotations

from typing import Any

from kubeai_notebook.core.model_spec import Adapter, File, ModelSpec, Scaling

BASE: dict[str, Any] = {
    "name": "tiny",
    "url": "hf://org/tiny",
    "engine": "VLLM",
    "features": ("TextGeneration",),
    "resource_profile": "nvidia-gpu-l4:1",
}
OLLAMA = {"engine": "OLlama", "url": "ollama://tiny", "resource_profile": "cpu:1"}
INFINITY = {"engine": "Infinity", "features": ("TextEmbedding",)}
WHISPER = {"engine": "FasterWhisper", "features": ("SpeechToText",)}
COLORIST = Adapter(name="colorist", url="hf://org/colorist")


def spec_with(**changes: Any) -> ModelSpec:
    return ModelSpec(**{**BASE, **changes})


def scaling(**changes: Any) -> dict[str, Any]:
    return {"scaling": Scaling(**changes)}


def files(*paths: str, content: str = "x") -> dict[str, Any]:
    return {"files": tuple(File(path=path, content=content) for path in paths)}


E, W = "error", "warning"
URL = "InvalidModelUrl"
# What is wrong, what is said of it, and the nearest spec of which it is not true.
TRAPS: dict[str, tuple[dict[str, Any], tuple[str, str, str], dict[str, Any]]] = {
    "an argument of vLLM misspelt": (
        {"args": ("--max-model-length=8192",)},
        (W, "UnknownArgument", "args[0]"),
        {"args": ("--max-model-len=8192",)},
    ),
    "an argument of vLLM in underscores": (
        {"args": ("--seed", "-1", "--gpu_memory_utilisation", "0.5")},
        (W, "UnknownArgument", "args[2]"),
        {"args": ("--seed", "-1", "--gpu_memory_utilization", "0.5")},
    ),
    "an argument of llama.cpp misspelt": (
        {**OLLAMA, "args": ("--ctx-sise", "4096")},
        (W, "UnknownArgument", "args[0]"),
        {**OLLAMA, "args": ("--ctx-size", "4096", "--my-own=1")},
    ),
    "an argument of Infinity misspelt": (
        {**INFINITY, "args": ("--bach-size=8",)},
        (W, "UnknownArgument", "args[0]"),
        {**INFINITY, "args": ("--batch-size=8", "--no-compile")},
    ),
    "a switch with a key": (
        {"args": ("--speculativ-config.method=ngram",)},
        (W, "UnknownArgument", "args[0]"),
        {"args": ("--speculative-config.method=ngram", "--no-enable-prefix-caching", "--brand-new", "-O3")},
    ),
    "characters": ({"url": "hf://org/tiny ü"}, (E, URL, "url"), {"url": "hf://org/tiny_1.0"}),
    "hub url on OLlama": ({**OLLAMA, "url": "hf://org/tiny"}, (E, URL, "url"), OLLAMA),
    "OLlama's url on vLLM": ({"url": "ollama://tiny"}, (E, URL, "url"), OLLAMA),
    "bucket on Infinity": (
        {**INFINITY, "url": "s3://b/p"},
        (E, URL, "url"),
        {**INFINITY, "url": "s3://b/p", "cache_profile": "efs"},
    ),
    "bucket on FasterWhisper": ({**WHISPER, "url": "s3://b/p"}, (E, URL, "url"), {"url": "s3://b/p"}),
    "claim on Infinity": (
        {**INFINITY, "url": "pvc://claim"},
        (E, URL, "url"),
        {**INFINITY, "url": "pvc://claim", "env": {"INFINITY_MODEL_ID": "/model"}},
    ),
    "claim on FasterWhisper": (
        {**WHISPER, "url": "pvc://claim"},
        (E, URL, "url"),
        {**WHISPER, "url": "pvc://claim", "env": {"WHISPER__MODEL": "/model"}},
    ),
    "claim on OLlama": ({**OLLAMA, "url": "pvc://claim"}, (E, URL, "url"), {**OLLAMA, "url": "pvc://claim?model=tiny"}),
    "cache on OLlama": (
        {**OLLAMA, "cache_profile": "efs"},
        (E, "CacheProfileUnused", "cache_profile"),
        {"cache_profile": "efs"},
    ),
    "query with cache": (
        {"url": "hf://org/tiny?x=1", "cache_profile": "efs"},
        (E, URL, "url"),
        {"cache_profile": "efs"},
    ),
    "revision": ({"url": "hf://org/tiny?revision=x"}, (W, URL, "url"), {"args": ("--revision=x",)}),
    "ignored query": (
        {"url": "hf://org/tiny?pull=true"},
        (W, URL, "url"),
        {**OLLAMA, "url": "ollama://tiny?pull=true"},
    ),
    "unclear switch": (
        {**OLLAMA, "url": "ollama://tiny?pull=no"},
        (W, URL, "url"),
        {**OLLAMA, "url": "ollama://tiny?pull=False"},
    ),
    "slash at the end": ({"url": "hf://org/tiny/"}, (E, URL, "url"), {"url": "s3://bucket/tiny/"}),
    "three parts": ({"url": "hf://org/tiny/sub"}, (E, URL, "url"), {"url": "s3://bucket/a/b/c"}),
    "tag on the hub": ({"url": "hf://org/tiny:main"}, (E, URL, "url"), {**OLLAMA, "url": "ollama://tiny:main"}),
    "GGUF repository": (
        {"url": "hf://org/tiny-GGUF"},
        (W, "ModelFormatUnsupported", "url"),
        {**OLLAMA, "url": "ollama://hf.co/org/tiny-GGUF"},
    ),
    "adapter as model": ({"url": "hf://org/tiny-lora"}, (W, "NoConfigJson", "url"), {"url": "hf://org/explorator"}),
    "no features": ({"features": ()}, (W, "NoFeatures", "features"), {"features": ("Reranking",)}),
    "text from Infinity": (
        {**INFINITY, "features": ("TextEmbedding", "TextGeneration")},
        (E, "FeatureMismatch", "features[1]"),
        {**INFINITY, "features": ("TextEmbedding", "Reranking")},
    ),
    "text from FasterWhisper": (
        {**WHISPER, "features": ("TextGeneration",)},
        (E, "FeatureMismatch", "features[0]"),
        WHISPER,
    ),
    "speech from OLlama": ({**OLLAMA, "features": ("SpeechToText",)}, (E, "FeatureMismatch", "features[0]"), OLLAMA),
    "speech from vLLM": ({"features": ("SpeechToText",)}, (W, "FeatureMismatch", "features[0]"), {}),
    "reranking from OLlama": ({**OLLAMA, "features": ("Reranking",)}, (E, "FeatureMismatch", "features[0]"), OLLAMA),
    "text from an embedding model": (
        {**OLLAMA, "url": "ollama://nomic-embed-text"},
        (E, "FeatureMismatch", "features"),
        {**OLLAMA, "url": "ollama://nomic-embed-text", "features": ("TextEmbedding",)},
    ),
    "port": ({"args": ("--port", "9000")}, (E, "ReservedArgument", "args[0]"), {"args": ("--max-num-seqs", "9000")}),
    "served name": (
        {"args": ("--enforce-eager", "--served_model_name=x")},
        (E, "ReservedArgument", "args[1]"),
        {"args": ("--model-impl=auto",)},
    ),
    "reserved variable": (
        {**INFINITY, "env": {"INFINITY_URL_PREFIX": "/x"}},
        (E, "ReservedArgument", "env.INFINITY_URL_PREFIX"),
        {**INFINITY, "env": {"INFINITY_ENGINE": "optimum"}},
    ),
    "two words in one": (
        {"args": ("--max-model-len 2048",)},
        (E, "UnknownArgument", "args[0]"),
        {"args": ("--max-model-len", "2048")},
    ),
    "retired option": (
        {"args": ("--disable-log-requests",)},
        (W, "UnknownArgument", "args[0]"),
        {**INFINITY, "args": ("--task=x",)},
    ),
    "secret argument": (
        {"args": ("--hf-token=abc",)},
        (W, "SecretInPlainText", "args[0]"),
        {"args": ("--max-num-batched-tokens=1",)},
    ),
    "chat template": (
        {"args": ("--chat-template=/t.jinja",)},
        (W, "ChatTemplateFileMissing", "args[0]"),
        {"args": ("--chat-template=/t.jinja",), **files("/t.jinja")},
    ),
    "variable's name": ({"env": {"A=B": "x"}}, (E, "CreationRefused", "env.A=B"), {"env": {"A.b-c": "x"}}),
    "token": (
        {"env": {"HF_TOKEN": "hf_x"}},
        (W, "SecretInPlainText", "env.HF_TOKEN"),
        {"env": {"TOKENIZERS_PARALLELISM": "false", "MAX_TOKENS": "3"}},
    ),
    "region": (
        {"url": "s3://b/p", "env": {"AWS_REGION": "eu"}},
        (W, "IgnoredVariable", "env.AWS_REGION"),
        {"url": "s3://b/p", "env": {"AWS_DEFAULT_REGION": "eu"}},
    ),
    "image": ({"image": "Org/vllm:v1"}, (E, "ImageNotFound", "image"), {"image": "GHCR.io:5000/org/vllm:V1"}),
    "no profile": ({"resource_profile": ""}, (E, "InvalidResourceProfile", "resource_profile"), {}),
    "profile without count": (
        {"resource_profile": "cpu"},
        (E, "InvalidResourceProfile", "resource_profile"),
        {"resource_profile": "cpu:1"},
    ),
    "two colons": ({"resource_profile": "a:1:1"}, (E, "InvalidResourceProfile", "resource_profile"), {}),
    "count zero": (
        {"resource_profile": "nvidia-gpu-l4:0"},
        (W, "InvalidResourceProfile", "resource_profile"),
        {"resource_profile": "nvidia-gpu-l4:01"},
    ),
    "negative count": ({"resource_profile": "cpu:-1"}, (E, "InvalidResourceProfile", "resource_profile"), {}),
    "too many GPUs asked": (
        {"args": ("--tensor-parallel-size=4",)},
        (W, "TensorParallelMoreThanGpus", "args"),
        {"args": ("--tensor-parallel-size=4",), "resource_profile": "nvidia-gpu-l4:4"},
    ),
    "GPUs left over": (
        {"resource_profile": "nvidia-gpu-l4:4", "args": ("-tp", "2")},
        (W, "GpusUnused", "args"),
        {"resource_profile": "nvidia-gpu-l4:4", "args": ("-tp", "2", "--pipeline-parallel-size=2")},
    ),
    "GPUs never mentioned": (
        {"resource_profile": "nvidia-gpu-l4:2"},
        (W, "GpusUnused", "args"),
        {"resource_profile": "cpu:6"},
    ),
    "adapter without a warm model": (
        {"adapters": (COLORIST,), **scaling(min_replicas=0)},
        (W, "AdapterNotLoaded", "scaling.min_replicas"),
        {"adapters": (COLORIST,)},
    ),
    "same adapter twice": (
        {"adapters": (COLORIST, COLORIST), "args": ("--max-loras=2",)},
        (E, "DuplicateAdapter", "adapters"),
        {"adapters": (COLORIST, Adapter(name="c2", url="hf://org/c2")), "args": ("--max-loras=2",)},
    ),
    "adapter with a query": (
        {"adapters": (Adapter(name="c", url="hf://org/c?revision=1"),)},
        (E, "AdapterNotLoaded", "adapters[0].url"),
        {"adapters": (Adapter(name="c", url="hf://org/c-lora"),)},
    ),
    "adapter without an owner": (
        {"adapters": (Adapter(name="c", url="hf://c-lora"),)},
        (E, "AdapterNotLoaded", "adapters[0].url"),
        {"adapters": (Adapter(name="c", url="s3://c-lora"),)},
    ),
    "folder of a repository as adapter": (
        {"adapters": (Adapter(name="c", url="hf://org/c-lora/v2"),)},
        (E, "AdapterNotLoaded", "adapters[0].url"),
        {"adapters": (COLORIST,)},
    ),
    "adapter in GGUF": (
        {"adapters": (Adapter(name="c", url="hf://org/c-lora-gguf"),)},
        (W, "AdapterNotLoaded", "adapters[0].url"),
        {"adapters": (COLORIST,)},
    ),
    "base as adapter": (
        {"adapters": (Adapter(name="c", url="hf://org/tiny"),)},
        (W, "AdapterNotLoaded", "adapters[0].url"),
        {"adapters": (COLORIST,)},
    ),
    "adapters in turn": (
        {"adapters": (COLORIST, Adapter(name="c2", url="hf://org/c2"))},
        (W, "OneAdapterAtATime", "args"),
        {"adapters": (COLORIST,)},
    ),
    "large files": (
        files(*(f"/{number}" for number in range(10)), content="ü" * 60_000),
        (E, "CreationRefused", "files"),
        files(*(f"/{number}" for number in range(10)), content="ü" * 52_000),
    ),
    "colliding files": (files("/a/b", "/a_b"), (E, "FilePathsCollide", "files[0].path"), files("/a/b", "/a-b")),
    "blank in a path": (files("/a b"), (E, "CreationRefused", "files[0].path"), files("/a.b-c_d/e")),
    "long path": (files("/" + "a" * 253), (E, "CreationRefused", "files[0].path"), files("/" + "a" * 252)),
    "folder": (files("/a/"), (E, "CreationRefused", "files[0].path"), files("/a/b")),
    "shared memory": (files("/dev/shm"), (E, "CreationRefused", "files[0].path"), files("/dev/shmem")),
    "below a mount": (files("/model/x.json"), (W, "CreationRefused", "files[0].path"), files("/modelling/x.json")),
    "replicas while autoscaling": (
        scaling(replicas=2),
        (W, "ReplicasIgnored", "scaling.replicas"),
        scaling(replicas=2, autoscaling_disabled=True),
    ),
    "never starts": (
        scaling(autoscaling_disabled=True),
        (E, "NeverStarts", "scaling.replicas"),
        scaling(min_replicas=0),
    ),
    "stopped": (
        scaling(autoscaling_disabled=True, replicas=0),
        (W, "NeverStarts", "scaling.replicas"),
        scaling(autoscaling_disabled=True, replicas=1),
    ),
    "bounds while fixed": (
        scaling(autoscaling_disabled=True, replicas=1, max_replicas=3),
        (W, "BoundsIgnored", "scaling.max_replicas"),
        scaling(max_replicas=3),
    ),
    "negative delay": (
        {"scaling": Scaling().model_copy(update={"scale_down_delay_seconds": -1})},
        (E, "NegativeDelay", "scaling.scale_down_delay_seconds"),
        scaling(scale_down_delay_seconds=0),
    ),
    "prefix of nothing": (
        {**INFINITY, **scaling(load_balancing={"strategy": "PrefixHash"})},
        (W, "NoPrefix", "scaling.load_balancing.strategy"),
        scaling(load_balancing={"strategy": "PrefixHash"}),
    ),
    "prefix numbers alone": (
        scaling(load_balancing={"mean_load_factor": 150}),
        (W, "PrefixHashIgnored", "scaling.load_balancing"),
        scaling(load_balancing={"mean_load_factor": 150, "strategy": "PrefixHash"}),
    ),
    "operator's label": (
        {"labels": {"features.kubeai.org/TextGeneration": "true"}},
        (W, "OverwrittenLabel", "labels"),
        {"labels": {"kubeai.org/x": "true"}},
    ),
}
