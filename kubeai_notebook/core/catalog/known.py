"""Small open models that many begin with, and how large their publishers say they are.

Ollama's registry has no list, and the hub's has no end; so whoever does not know a url by heart needs a list of ours.
Its figures are those of the tag's or the repository's own page (of a repository the files that are loaded; of one with
many GGUF files the Q4_K_M), to two or three digits. Nothing of it was measured here, and no face may say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from kubeai_notebook.core.inference import engine_of
from kubeai_notebook.core.source import Source

from .starters import STARTERS

if TYPE_CHECKING:
    from collections.abc import Iterable

_CERTAIN = 0.88
"""How much of two names must be the same before one is taken for the other misspelt: mistral and mixtral are two."""


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


def _models(feature: str, *rows: tuple[str, str, float]) -> tuple[KnownModel, ...]:
    """A row is the url, the number of parameters and the megabytes (10⁶)."""
    return tuple(
        KnownModel(Source(url), feature, parameters, int(megabytes * 1e6), engine_of(Source(url), feature))
        for url, parameters, megabytes in rows
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


def _by_url(models: Iterable[KnownModel]) -> dict[str, KnownModel]:
    return {str(model.url): model for model in models}


# The first of two rows counts, and that is the one with a size.
KNOWN = _by_url(
    KnownModel(Source(starter.url), starter.feature, starter.parameters, None, starter.engine) for starter in STARTERS
) | _by_url((*_TEXT, *_EMBEDDINGS))
"""By url: those of the list above, and those that KubeAI's own manifests serve."""


def meant(url: str, urls: Iterable[str]) -> str:
    """The url that somebody misspelt in one letter; ``""`` where this one may well exist.

    Versions and sizes are numbers, so they tell no slip from another model: only letters are compared, and a name
    that goes on where a known one ends (gemma3n) is a name of its own.

    >>> meant("ollama://smolm2:135m", ["ollama://smollm2:360m", "ollama://smollm2:135m"])
    'ollama://smollm2:135m'
    >>> meant("ollama://qwen3:14b", ["ollama://qwen3:8b"])
    ''
    """
    source = Source(url)
    names: dict[str, list[Source]] = {}
    for known in map(Source, sorted(urls)):
        if known.scheme == source.scheme:
            names.setdefault(_letters(known), []).append(known)
    wanted = _letters(source)
    if not wanted or wanted in names:
        return ""
    for name, spelt in names.items():
        alike = SequenceMatcher(None, wanted, name).ratio()
        longest = max(len(wanted), len(name))
        own = wanted.startswith(name) or name.startswith(wanted)
        if not own and alike >= max(_CERTAIN, 1 - 1 / longest):
            return str(max(spelt, key=lambda known: SequenceMatcher(None, url, known).ratio()))
    return ""


def _letters(source: Source) -> str:
    name = source.reference.partition(":")[0]
    return "".join(letter for letter in name.lower() if letter.isalpha())
