"""Whether a model fits on a resource profile, for how long a context, and about how fast it answers: an estimate.

A form asks before anything runs, so all of it is arithmetic on a few figures: weights are as large as their files, a
token of context takes two vectors a layer in the KV cache, and one request at a time is answered as fast as memory
gives up the weights. What is not known is left out: without the model's configuration there is no cache to count, and
without the accelerator's name neither room nor speed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .accelerators import SOURCE, accelerator_of
from .arguments import SPREAD, value_of
from .catalog.known import KNOWN
from .memory import cache_bytes_of_token, memory_of, usable_bytes
from .messages import size
from .objects import map_at, number_at
from .source import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .accelerators import Accelerator
    from .kubeai.operator_config import OperatorConfig
    from .model_spec import ModelSpec

_NAMED = re.compile(
    r"(?<![\w.])(?:(?P<experts>\d{1,2})x)?(?P<count>\d{1,4}(?:\.\d{1,3})?)(?P<unit>[bm])(?![a-z0-9])", re.I
)
_ACTIVE = re.compile(r"-a\d+(?:\.\d+)?b(?![a-z0-9])", re.I)
"""How many weights a token reads of a mixture of experts, as in ``30B-A3B``."""
_BITS = (
    (re.compile(r"fp8|int8|w8a8|8bit|q8_0", re.I), 8),
    (re.compile(r"awq|gptq|int4|w4a16|4bit|q4|nf4", re.I), 4),
)
_BYTES_OF_TYPE = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4, "I16": 2,
                  "I8": 1, "U8": 1, "BOOL": 1}  # fmt: skip
_OLLAMA_BITS = 4.8
"""A weight in Q4_K_M, which Ollama's tags mean unless they say otherwise."""
_OF_GGUF = re.compile(
    r"(?<![a-z0-9])(?:i?q(?P<bits>\d)(?P<mixed>_k)?(?:_\w+)?|(?P<whole>bf16|f16|fp16|f32))(?![a-z0-9])", re.I
)
"""How a file of llama.cpp says what its weights are: ``q4_K_M``, ``q8_0``, ``fp16``."""
_SHARE = (0.5, 0.85)
"""How much of a memory's bandwidth engines reach; assumed, not measured here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is known of a model's size; ``None``: not known."""

    parameters: int | None = None
    weights_bytes: int | None = None
    token_bytes: int | None = None
    """What one token of context takes in the KV cache, in two bytes a number."""
    longest_context: int | None = None
    """Tokens that the model was made for."""
    mixture: bool = False
    """Whether a token reads only some of the weights, as in a mixture of experts."""
    source: str = ""
    """Where this is from, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What serving a model on one unit of a profile takes, as far as it can be known before."""

    fits: bool
    weights_bytes: int
    usable_bytes: int
    """Memory that the engine may fill."""
    context: int | None = None
    """Tokens that the cache was counted for; ``None``: the cache is not known, and not counted."""
    cache_bytes: int | None = None
    largest_context: int | None = None
    """The longest context that fits; 0: none."""
    tokens_a_second: tuple[float, float] | None = None
    """Of one request at a time, from about to about."""
    source: str = ""

    @property
    def sentence(self) -> str:
        """The estimate in words, with its sources."""
        words = [f"about {size(self.weights_bytes)} of weights"]
        if self.cache_bytes is not None:
            words.append(f"{size(self.cache_bytes)} of cache for {self.context:,} tokens")
        verdict = "fits" if self.fits else "does not fit"
        lines = [f"Estimate: {verdict}: {' and '.join(words)}, {size(self.usable_bytes)} can be used."]
        if self.largest_context:
            lines.append(f"The longest context that fits has {self.largest_context:,} tokens.")
        if self.tokens_a_second:
            low, high = (f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}" for speed in self.tokens_a_second)
            lines.append(f"One request at a time gets {low} to {high} tokens/s, by the memory's bandwidth.")
        return " ".join([*lines, f"From {self.source}."])


def figures_of_name(url: str) -> Figures | None:
    """What a url's own words say, and our list of models where it is in there.

    >>> figures_of_name("hf://org/Some-7B-Instruct").parameters, figures_of_name("hf://org/some-model")
    (7000000000, None)
    """
    source, listed = Source(url), KNOWN.get(url)
    match = _NAMED.search(listed.parameters if listed else source.reference.replace("_", "-"))
    if match is None:
        return None
    scale = 1e9 if match["unit"] in "bB" else 1e6
    count = int(float(match["count"]) * scale * int(match["experts"] or 1))
    default = _OLLAMA_BITS if source.scheme == "ollama" else 16
    bits = _bits_of_gguf(source.reference) or next(
        (bits for pattern, bits in _BITS if pattern.search(source.reference)), default
    )
    by_list = listed is not None and listed.size_bytes is not None
    return Figures(
        parameters=count,
        weights_bytes=listed.size_bytes if listed and by_list else int(count * bits / 8),
        mixture=bool(match["experts"] or _ACTIVE.search(source.reference)),
        source="its publisher's page" if by_list else f'"{match[0]}" in the url' if not listed else "its parameters",
    )


def _bits_of_gguf(name: str) -> float | None:
    """Bits of a weight by the name of a quantization; each block's scale takes about half a bit more.

    >>> _bits_of_gguf("llama3.1:8b-instruct-q4_K_M"), _bits_of_gguf("llama3.1:8b-fp16"), _bits_of_gguf("llama3.1:8b")
    (4.8, 16, None)
    """
    match = _OF_GGUF.search(name)
    if match is None:
        return None
    if match["whole"]:
        return 32 if "32" in match["whole"] else 16
    return int(match["bits"]) + (0.8 if match["mixed"] else 0.5)


def figures_of_hub(config: Mapping[str, Any], weights: Mapping[str, int], *, weights_bytes: int | None) -> Figures:
    """What a repository's ``config.json`` says, and the numbers of its weights by their type in safetensors.

    ``weights_bytes``: the files' size, which counts where the types are not known.
    """
    inner = map_at(config, "text_config") or config  # of a model that sees, too
    heads = number_at(inner, "num_attention_heads")
    hidden = number_at(inner, "hidden_size")
    head = number_at(inner, "head_dim") or (hidden // heads if hidden and heads else None)
    layers, groups = number_at(inner, "num_hidden_layers"), number_at(inner, "num_key_value_heads") or heads
    counted = sum(weights.values()) or None
    by_type = (
        sum(count * _BYTES_OF_TYPE[kind] for kind, count in weights.items())
        if weights.keys() <= _BYTES_OF_TYPE.keys()
        else 0
    )
    # A compressed cache of latent vectors is counted in another way, which no figure here says.
    known = layers and groups and head and not number_at(inner, "kv_lora_rank")
    return Figures(
        parameters=counted,
        weights_bytes=by_type or weights_bytes,
        token_bytes=cache_bytes_of_token(layers, groups, head) if known and layers and groups and head else None,
        longest_context=number_at(inner, "max_position_embeddings"),
        mixture=bool(
            number_at(inner, "num_local_experts")
            or number_at(inner, "num_experts")
            or number_at(inner, "n_routed_experts")
        ),
        source="the repository's files",
    )


def estimate_of(figures: Figures, spec: ModelSpec, config: OperatorConfig) -> Estimate | None:
    """Whether the model of these figures fits on the spec's profile; ``None`` where too little is known."""
    profile, multiple = config.profiles.get(spec.resource_profile.name), spec.resource_profile.multiple
    if profile is None or not figures.weights_bytes or not multiple:
        return None
    if profile.gpus:
        product, units = accelerator_of(profile), min(profile.gpus * multiple, _spread(spec))
        return _on_accelerators(figures, spec, product=product, units=units) if product else None
    memory = int(profile.amounts().get("memory", 0) * multiple)
    if not memory:
        return None
    return Estimate(
        fits=memory_of(figures.weights_bytes) <= memory,
        weights_bytes=figures.weights_bytes,
        usable_bytes=memory,
        source=f"{figures.source} and what the profile asks for",
    )


def _on_accelerators(figures: Figures, spec: ModelSpec, *, product: Accelerator, units: int) -> Estimate:
    weights = figures.weights_bytes or 0
    usable = usable_bytes(product.memory_bytes, value_of(spec.args, "--gpu-memory-utilization")) * units
    generates = "TextGeneration" in spec.features
    # Eight bits a number in place of sixteen.
    parts = 2 if (value_of(spec.args, "--kv-cache-dtype") or "").startswith("fp8") else 1
    token = figures.token_bytes // parts if figures.token_bytes and generates else None
    context = _context(spec, figures) if token else None
    cache = token * context if token and context else None
    fits = weights + (cache or 0) <= usable
    speed = None
    if generates and fits and not figures.mixture:
        slowest, fastest = (most * units / weights for most in (product.least_bandwidth, product.most_bandwidth))
        speed = (slowest * _SHARE[0], fastest * _SHARE[1])
    return Estimate(
        fits=fits,
        weights_bytes=weights,
        usable_bytes=usable,
        context=context,
        cache_bytes=cache,
        largest_context=min(max(usable - weights, 0) // token, figures.longest_context or 10**9) if token else None,
        tokens_a_second=speed,
        source=f"{figures.source} and {SOURCE} of {product.name}",
    )


def _spread(spec: ModelSpec) -> int:
    """Over how many accelerators the engine spreads one replica: vLLM takes one unless it is told."""
    stated = value_of(spec.args, SPREAD) or ""
    return max(int(stated), 1) if spec.engine == "VLLM" and stated.isdecimal() and len(stated) < 4 else 1


def _context(spec: ModelSpec, figures: Figures) -> int | None:
    stated = value_of(spec.args, "--max-model-len") or ""
    return int(stated) if stated.isdecimal() and 0 < len(stated) < 10 else figures.longest_context
