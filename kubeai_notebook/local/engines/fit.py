"""How much of a model's context this machine has room for, and where its layers go.

Weights are mapped, so they may be paged; the KV cache is written and stays. llama.cpp reserves it for the whole
context at its start, so a context that is too long ends the engine, or the machine's patience.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeai_notebook.core.memory import memory_with_cache

if TYPE_CHECKING:
    from .gguf_header import Shape

CONTEXT_TOKENS = 4096
"""For one request, where nobody says another and memory allows; Ollama's default on machines of this size too."""
LEAST_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that are free for a model: of the machine (or the Pod's limit), and of what llama.cpp's build can use."""

    memory_bytes: int
    gpu_bytes: int = 0
    gpu: str = ""


@dataclass(frozen=True, slots=True)
class Fit:
    """Tokens of context for each of so many requests at once, layers on the GPU (-1: all), and a sentence."""

    context: int
    parallel: int
    gpu_layers: int
    sentence: str


def fitted(shape: Shape, room: Room, *, context: int | None, parallel: int, usual: int = CONTEXT_TOKENS) -> Fit:
    """Choose what fits; a ``context`` that somebody asked for is kept, whether it fits or not."""
    budget = room.memory_bytes + room.gpu_bytes - memory_with_cache(shape.weights_bytes, 0)
    chosen = context or min(usual, shape.context or usual)
    if context is None:
        while chosen * parallel * shape.token_bytes > budget and chosen > LEAST_TOKENS:
            chosen //= 2
        if chosen * parallel * shape.token_bytes > budget:
            parallel = 1
    cache = chosen * parallel * shape.token_bytes
    layers = _gpu_layers(shape, room, cache)
    known = f" (the model knows {shape.context})" if shape.context else ""
    each = f"each of {parallel} requests" if parallel > 1 else "one request at a time"
    sentence = (
        f"{chosen} tokens of context for {each}{known}: {cache / 1e6:.0f} MB beside {shape.weights_bytes / 1e6:.0f} MB "
        f"of weights; {room.memory_bytes / 1e6:.0f} MB are free. "
    )
    if cache > budget:
        sentence += "That may be more than this machine holds. "
    if not room.gpu_bytes:
        sentence += "No GPU that this build of llama.cpp can use."
    elif layers < 0:
        sentence += f"All layers are on the GPU, {room.gpu}."
    else:
        sentence += f"{layers} of {shape.layers} layers are on the GPU, {room.gpu}."
    return Fit(chosen, parallel, layers, sentence)


def _gpu_layers(shape: Shape, room: Room, cache_bytes: int) -> int:
    needed = memory_with_cache(shape.weights_bytes, cache_bytes)
    if not room.gpu_bytes or needed <= room.gpu_bytes:
        return -1
    return shape.layers * room.gpu_bytes // needed
