"""The Models of KubeAI's own list of manifests: whatever the rules say, they must say that these can be served."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Engine = Literal["OLlama", "VLLM", "FasterWhisper", "Infinity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """One known Model; ``fields`` are what `core.spec.spec_of` takes."""

    name: str
    url: str
    engine: Engine = "VLLM"
    feature: str = "TextGeneration"
    resource_profile: str = "nvidia-gpu-l4:1"
    args: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)
    """Further fields of a ModelSpec."""
    parameters: str = ""
    """How many weights the model has, as its publisher says it."""
    context_length: int | None = None
    """Tokens that the model itself can take; none where that is not known for sure."""
    gated: bool = False
    """The hub wants a token and an accepted licence."""
    note: str = ""

    @property
    def cpu(self) -> bool:
        """Whether it is meant to run without a GPU."""
        return self.resource_profile.startswith("cpu:")

    @property
    def fields(self) -> dict[str, Any]:
        """The ModelSpec's fields."""
        return {
            "name": self.name,
            "url": self.url,
            "engine": self.engine,
            "features": [self.feature],
            "resource_profile": self.resource_profile,
            "args": list(self.args),
            **self.more,
        }


def length(tokens: int, *, share: str = "", sequences: int | None = None, fp8: bool = False) -> tuple[str, ...]:
    """VLLM's arguments for a card: context and batch, number of sequences, share of memory, small cache."""
    return (
        f"--max-model-len={tokens}",
        f"--max-num-batched-tokens={tokens}",
        *([f"--max-num-seqs={sequences}"] if sequences else []),
        *([f"--gpu-memory-utilization={share}"] if share else []),
        *(["--kv-cache-dtype=fp8"] if fp8 else []),
    )


_AVX = "vLLM's CPU image needs AVX-512."
_OPT_TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)

_ON_CPU = (
    Starter(
        name="qwen2-500m-cpu",
        url="ollama://qwen2:0.5b",
        engine="OLlama",
        resource_profile="cpu:1",
        parameters="0.5B",
        context_length=32_768,
        note="The smallest that chats.",
    ),
    Starter(
        name="llama3.2-1b",
        url="ollama://llama3.2:1b",
        engine="OLlama",
        resource_profile="cpu:1",
        parameters="1.2B",
        context_length=131_072,
    ),
    Starter(
        name="deepseek-r1-1.5b-cpu",
        url="ollama://deepseek-r1:1.5b",
        engine="OLlama",
        resource_profile="cpu:1",
        parameters="1.5B",
        context_length=131_072,
        note="Thinks aloud before it answers.",
    ),
    Starter(
        name="qwen2.5-coder-1.5b-cpu",
        url="ollama://qwen2.5-coder:1.5b",
        engine="OLlama",
        resource_profile="cpu:1",
        parameters="1.5B",
        context_length=32_768,
    ),
    Starter(
        name="gemma2-2b-cpu",
        url="ollama://gemma2:2b",
        engine="OLlama",
        resource_profile="cpu:2",
        parameters="2.6B",
        context_length=8_192,
    ),
    Starter(
        name="qwen2.5-7b-cpu",
        url="ollama://qwen2.5:7b",
        engine="OLlama",
        # KubeAI's own list says cpu:2, whose 4Gi the weights alone exceed.
        resource_profile="cpu:4",
        parameters="7.6B",
        context_length=32_768,
        note="Slow without a GPU.",
    ),
    Starter(
        name="opt-125m-cpu",
        url="hf://facebook/opt-125m",
        resource_profile="cpu:1",
        args=("--chat-template=/config/chat-template.jinja",),
        more={"files": [{"path": "/config/chat-template.jinja", "content": _OPT_TEMPLATE}]},
        parameters="125M",
        context_length=2_048,
        note=_AVX,
    ),
    Starter(
        name="facebook-opt-350m",
        url="hf://facebook/opt-350m",
        resource_profile="cpu:1",
        parameters="350M",
        context_length=2_048,
        note=f"Completions only: it has no chat template. {_AVX}",
    ),
    Starter(
        name="llama-3.1-8b-instruct-cpu",
        url="hf://meta-llama/Meta-Llama-3.1-8B-Instruct",
        resource_profile="cpu:6",
        args=length(32_768),
        more={"env": {"VLLM_CPU_KVCACHE_SPACE": "4"}},
        parameters="8B",
        context_length=131_072,
        gated=True,
        note=_AVX,
    ),
    Starter(
        name="bge-embed-text-cpu",
        url="hf://BAAI/bge-small-en-v1.5",
        engine="Infinity",
        feature="TextEmbedding",
        resource_profile="cpu:1",
        parameters="33M",
        context_length=512,
    ),
    Starter(
        name="nomic-embed-text-cpu",
        url="ollama://nomic-embed-text",
        engine="OLlama",
        feature="TextEmbedding",
        resource_profile="cpu:1",
        parameters="137M",
    ),
    Starter(
        name="bge-rerank-base-cpu",
        url="hf://BAAI/bge-reranker-base",
        engine="Infinity",
        feature="Reranking",
        resource_profile="cpu:1",
        parameters="278M",
        context_length=512,
    ),
    Starter(
        name="faster-whisper-medium-en-cpu",
        url="hf://Systran/faster-whisper-medium.en",
        engine="FasterWhisper",
        feature="SpeechToText",
        resource_profile="cpu:1",
        parameters="769M",
        note="English speech.",
    ),
)
_ON_ONE_GPU = (
    Starter(
        name="tinyllama-chat",
        url="hf://TinyLlama/TinyLlama-1.1B-Chat-v0.3",
        more={"adapters": [{"name": "colorist", "url": "hf://jashing/tinyllama-colorist-lora"}]},
        parameters="1.1B",
        context_length=2_048,
        note="With an adapter that names colours.",
    ),
    Starter(name="opt-125m-l4", url="hf://facebook/opt-125m", parameters="125M", context_length=2_048),
    Starter(
        name="deepseek-r1-distill-qwen-1.5b-rtx4070",
        url="hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
        resource_profile="nvidia-gpu-rtx4070-8gb:1",
        args=length(2_048, sequences=8, fp8=True),
        parameters="1.5B",
        context_length=131_072,
    ),
    Starter(
        name="qwen2.5-coder-1.5b-rtx4070-8gb",
        url="hf://Qwen/Qwen2.5-Coder-1.5B-Instruct",
        resource_profile="nvidia-gpu-rtx4070-8gb:1",
        args=("--max-model-len=2048", "--max-num-seqs=16", "--quantization=fp8", "--kv-cache-dtype=fp8"),
        parameters="1.5B",
        context_length=32_768,
    ),
    Starter(
        name="llama-3.1-8b-instruct-fp8-l4",
        url="hf://neuralmagic/Meta-Llama-3.1-8B-Instruct-FP8",
        args=length(16_384, share="0.9"),
        parameters="8B",
        context_length=131_072,
    ),
    Starter(
        name="qwen2.5-7b-instruct-l4",
        url="hf://Qwen/Qwen2.5-7B-Instruct",
        args=length(8_192, share="0.95", sequences=256, fp8=True),
        parameters="7.6B",
        context_length=32_768,
    ),
    Starter(
        name="gemma-2-9b-it-fp8-l4",
        url="hf://neuralmagic/gemma-2-9b-it-FP8",
        args=length(4_096, share="0.95", sequences=256, fp8=True),
        parameters="9.2B",
        context_length=8_192,
    ),
    Starter(
        name="deepseek-r1-distill-llama-8b-l4",
        url="hf://deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
        args=(*length(8_192, share="0.95", sequences=256, fp8=True), "--quantization=fp8", "--enforce-eager"),
        parameters="8B",
        context_length=131_072,
    ),
    Starter(
        name="llama-3.1-tulu-3-8b-l4",
        url="hf://allenai/Llama-3.1-Tulu-3-8B",
        args=length(8_192, share="0.95", sequences=256, fp8=True),
        parameters="8B",
        context_length=131_072,
    ),
    Starter(
        name="phi-4-bnb-4bit-l4",
        url="hf://unsloth/phi-4-bnb-4bit",
        args=(
            *length(8_192, share="0.95", sequences=1),
            "--enforce-eager",
            "--quantization=bitsandbytes",
            "--load_format=bitsandbytes",
        ),
        parameters="14.7B",
        context_length=16_384,
    ),
    Starter(
        name="llama-3.2-11b-vision-instruct-l4",
        url="hf://neuralmagic/Llama-3.2-11B-Vision-Instruct-FP8-dynamic",
        args=(*length(8_192, share="0.99", sequences=16), "--enforce-eager"),
        more={
            "env": {"VLLM_WORKER_MULTIPROC_METHOD": "spawn"},
            "scaling": {"min_replicas": 1, "max_replicas": 1, "target_requests": 32},
        },
        parameters="10.7B",
        context_length=131_072,
        note="Reads pictures too.",
    ),
)
_LARGER = (
    Starter(name="phi-4-ollama-l4", url="ollama://phi4", engine="OLlama", parameters="14.7B", context_length=16_384),
    Starter(
        name="gemma-3-12b-ollama-l4",
        url="ollama://gemma3:12b",
        engine="OLlama",
        parameters="12B",
        context_length=131_072,
    ),
    Starter(
        name="gemma-3-27b-ollama-l4",
        url="ollama://gemma3:27b",
        engine="OLlama",
        parameters="27B",
        context_length=131_072,
    ),
    Starter(
        name="granite-3.1-dense-ollama-l4",
        url="ollama://granite3.1-dense",
        engine="OLlama",
        parameters="8B",
        context_length=131_072,
    ),
    Starter(
        name="mistral-small-24b-instruct-h100",
        url="hf://mistralai/Mistral-Small-24B-Instruct-2501",
        resource_profile="nvidia-gpu-h100:1",
        args=("--kv-cache-dtype=fp8", "--max-num-batched-tokens=65536", "--gpu-memory-utilization=0.9"),
        parameters="24B",
        context_length=32_768,
    ),
    Starter(
        name="llama-3.1-70b-instruct-fp8-h100",
        url="hf://neuralmagic/Meta-Llama-3.1-70B-Instruct-FP8",
        resource_profile="nvidia-gpu-h100:2",
        args=(*length(65_536, share="0.9", sequences=1024), "--tensor-parallel-size=2"),
        more={"scaling": {"target_requests": 500}},
        parameters="70B",
        context_length=131_072,
    ),
    Starter(
        name="llama-3.1-70b-instruct-fp8-1-h100",
        url="hf://neuralmagic/Meta-Llama-3.1-70B-Instruct-FP8",
        resource_profile="nvidia-gpu-h100:1",
        args=length(16_384, share="0.95", fp8=True),
        parameters="70B",
        context_length=131_072,
    ),
)
STARTERS: tuple[Starter, ...] = (*_ON_CPU, *_ON_ONE_GPU, *_LARGER)
"""Small ones first."""
