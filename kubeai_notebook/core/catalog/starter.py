"""A starter: a known Model to begin with, and what is known of it."""

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
