"""How much of a model's context this machine has room for, and where its layers go.

Weights are mapped, so they may be paged; the KV cache is written and stays. llama.cpp reserves it for the whole
context at its start, so a context that is too long ends the engine, or the machine's patience.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeai_notebook.core.memory import memory_with_cache
from kubeai_notebook.core.messages import size
from kubeai_notebook.errors import LocalError

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
    whole_bytes: int = 0
    """Those of the machine (or the Pod's limit) that are free or not; 0: no more than are free."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Tokens of context for each of so many requests at once, layers on the GPU (-1: all), and a sentence."""

    context: int
    parallel: int
    gpu_layers: int
    sentence: str


def fitted(
    shape: Shape,
    room: Room,
    *,
    context: int | None,
    parallel: int,
    usual: int = CONTEXT_TOKENS,
    setting: str = "--ctx-size",
) -> Fit:
    """Choose what fits; a ``context`` that somebody asked for by ``setting`` is kept, or refused where it cannot be.

    Raises:
        LocalError: its cache is more than the whole memory holds beside the weights; the sentence says what fits. What
            is free just now refuses nothing: during an update the engine of before still has its part.
    """
    beside = room.gpu_bytes - memory_with_cache(shape.weights_bytes, 0)
    budget = room.memory_bytes + beside
    if context and not shape.windowed:
        _check(context, shape, max(room.whole_bytes, room.memory_bytes) + beside, setting=setting)
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


def _check(context: int, shape: Shape, most_bytes: int, *, setting: str) -> None:
    """Refuse a context that takes more than all memory; the least that is taken unasked is none."""
    if not shape.token_bytes or context <= LEAST_TOKENS or context * shape.token_bytes <= most_bytes:
        return
    fits = min(most_bytes // shape.token_bytes // LEAST_TOKENS * LEAST_TOKENS, shape.context or context)
    raise LocalError(
        f"A context of {context} tokens needs {size(context * shape.token_bytes)} of cache, and "
        f"{size(max(most_bytes, 0))} of memory are left beside the weights"
        f"{f'; {setting}={fits} fits.' if fits > 0 else '.'}"
    )


def _gpu_layers(shape: Shape, room: Room, cache_bytes: int) -> int:
    needed = memory_with_cache(shape.weights_bytes, cache_bytes)
    if not room.gpu_bytes or needed <= room.gpu_bytes:
        return -1
    return shape.layers * room.gpu_bytes // needed
