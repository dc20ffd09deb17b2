"""Small open models that many begin with, and how large their publishers say they are.

Ollama's registry has no list, and the hub's has no end; so whoever does not know a url by heart needs a list of ours.
Its figures are those of the tag's or the repository's own page (of a repository the files that are loaded; of one with
many GGUF files the Q4_K_M), to two or three digits. Nothing of it was measured here, and no face may say so.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubeai_notebook.core.inference import engine_of
from kubeai_notebook.core.source import Source


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One model, and what its publisher says of it."""

    url: Source
    feature: str
    parameters: str
    """How many weights it has, such as ``0.5B``."""
    size_bytes: int | None
    """What is downloaded; none where we do not know it."""
    engine: str

    @property
    def title(self) -> str:
        """What there is to say of it in a few words."""
        return f"{self.parameters} parameters"

    @property
    def quantized(self) -> bool:
        """Whether the file is served as it is: weights of full size may be made smaller first."""
        return self.url.scheme == "ollama" or self.url.base_name.endswith("GGUF")


def _models(feature: str, *rows: tuple[str, str, float | None]) -> tuple[KnownModel, ...]:
    """A row is the url, the number of parameters and the megabytes (10⁶), as far as they are known."""
    sources = [Source(url) for url, _, _ in rows]
    sizes = [None if megabytes is None else int(megabytes * 1e6) for _, _, megabytes in rows]
    return tuple(
        KnownModel(source, feature, parameters, size, engine_of(source, feature))
        for source, (_, parameters, _), size in zip(sources, rows, sizes, strict=True)
    )


_TEXT = _models(
    "TextGeneration",
    ("ollama://smollm2:135m", "135M", 271),
    ("ollama://smollm2:360m", "362M", 726),
    ("ollama://smollm2:1.7b", "1.7B", 1800),
    ("ollama://qwen2:0.5b", "494M", 352),
    ("ollama://gemma3:270m", "268M", 292),
    ("ollama://gemma3:1b", "1B", 815),
    ("ollama://gemma3:4b", "4.3B", 3300),
    ("ollama://qwen2.5:0.5b", "494M", 398),
    ("ollama://qwen2.5:1.5b", "1.5B", 986),
    ("ollama://qwen2.5:3b", "3.1B", 1900),
    ("ollama://qwen2.5-coder:1.5b", "1.5B", 986),
    ("ollama://qwen3:0.6b", "752M", 523),
    ("ollama://qwen3:1.7b", "2B", 1400),
    ("ollama://qwen3:4b", "4B", 2500),
    ("ollama://qwen3:8b", "8.2B", 5200),
    ("ollama://tinyllama:1.1b", "1.1B", 638),
    ("ollama://llama3.2:1b", "1.2B", 1300),
    ("ollama://llama3.2:3b", "3.2B", 2000),
    ("ollama://llama3.1:8b", "8B", 4900),
    ("ollama://gemma2:2b", "2.6B", 1600),
    ("ollama://deepseek-r1:1.5b", "1.8B", 1100),
    ("ollama://phi4-mini:3.8b", "3.8B", 2500),
    ("ollama://mistral:7b", "7.2B", 4400),
    ("ollama://qwen2.5:7b", "7.6B", 4700),
    ("ollama://granite3.1-dense", "8.2B", 5000),
    ("ollama://gemma3:12b", "12.2B", 8100),
    ("ollama://phi4", "14.7B", 9100),
    ("ollama://gemma3:27b", "27.4B", 17000),
    ("hf://facebook/opt-125m", "125M", 251),
    ("hf://HuggingFaceTB/SmolLM2-135M-Instruct", "135M", 269),
    ("hf://HuggingFaceTB/SmolLM2-360M-Instruct", "362M", 724),
    ("hf://Qwen/Qwen2.5-0.5B-Instruct", "494M", 988),
    ("hf://Qwen/Qwen3-0.6B", "752M", 1500),
    ("hf://TinyLlama/TinyLlama-1.1B-Chat-v1.0", "1.1B", 2200),
    ("hf://Qwen/Qwen2.5-Coder-1.5B-Instruct", "1.5B", 3090),
    ("hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "1.8B", 3550),
    ("hf://Qwen/Qwen2.5-7B-Instruct", "7.6B", 15200),
    ("hf://meta-llama/Meta-Llama-3.1-8B-Instruct", "8B", 16100),
    ("hf://deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "8B", 16100),
    ("hf://allenai/Llama-3.1-Tulu-3-8B", "8B", 16100),
    ("hf://Qwen/Qwen2.5-0.5B-Instruct-GGUF", "494M", 491),
    ("hf://Qwen/Qwen2.5-1.5B-Instruct-GGUF", "1.5B", 1120),
    ("hf://bartowski/Llama-3.2-1B-Instruct-GGUF", "1.2B", 808),
    ("hf://facebook/opt-350m", "350M", None),
    ("hf://TinyLlama/TinyLlama-1.1B-Chat-v0.3", "1.1B", None),
    ("hf://neuralmagic/Meta-Llama-3.1-8B-Instruct-FP8", "8B", None),
    ("hf://neuralmagic/gemma-2-9b-it-FP8", "9.2B", None),
    ("hf://unsloth/phi-4-bnb-4bit", "14.7B", None),
    ("hf://neuralmagic/Llama-3.2-11B-Vision-Instruct-FP8-dynamic", "10.7B", None),
    ("hf://mistralai/Mistral-Small-24B-Instruct-2501", "24B", None),
    ("hf://neuralmagic/Meta-Llama-3.1-70B-Instruct-FP8", "70B", None),
)
_EMBEDDINGS = _models(
    "TextEmbedding",
    ("ollama://all-minilm", "23M", 46),
    ("ollama://nomic-embed-text", "137M", 274),
    ("ollama://mxbai-embed-large", "334M", 670),
    ("ollama://bge-m3", "567M", 1200),
    ("ollama://snowflake-arctic-embed:22m", "23M", 46),
    ("hf://sentence-transformers/all-MiniLM-L6-v2", "23M", 91),
    ("hf://BAAI/bge-small-en-v1.5", "33M", 133),
    ("hf://BAAI/bge-base-en-v1.5", "109M", 438),
    ("hf://BAAI/bge-large-en-v1.5", "335M", 1340),
    ("hf://thenlper/gte-small", "33M", 67),
    ("hf://thenlper/gte-base", "109M", 219),
    ("hf://intfloat/e5-small-v2", "33M", 133),
    ("hf://intfloat/e5-base-v2", "109M", 438),
)


_OTHERS = (
    *_models("Reranking", ("hf://BAAI/bge-reranker-base", "278M", None)),
    *_models("SpeechToText", ("hf://Systran/faster-whisper-medium.en", "769M", None)),
)
KNOWN = {str(model.url): model for model in (*_TEXT, *_EMBEDDINGS, *_OTHERS)}
"""By url; among them are all that KubeAI's own manifests serve."""
