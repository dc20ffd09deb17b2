"""How much of a model's context this machine has room for, and where its layers go.

Weights are mapped, so they may be paged; the KV cache is written and stays. llama.cpp reserves it for the whole
context at its start, so a context that is too long ends the engine, or the machine's patience.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeai_notebook.core.memory import memory_with_cache
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
        LocalError: its cache is more than what is free beside the weights; the sentence says what fits.
    """
    budget = room.memory_bytes + room.gpu_bytes - memory_with_cache(shape.weights_bytes, 0)
    chosen = context or min(usual, shape.context or usual)
    if context is None:
        while chosen * parallel * shape.token_bytes > budget and chosen > LEAST_TOKENS:
            chosen //= 2
    if chosen * parallel * shape.token_bytes > budget:
        parallel = 1
    if context:
        _check(context, shape, budget, setting=setting)
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


def _check(context: int, shape: Shape, budget: int, *, setting: str) -> None:
    """Refuse a context that would take the memory of everything else; the least that is taken unasked is none."""
    if not shape.token_bytes or context * shape.token_bytes <= max(budget, LEAST_TOKENS * shape.token_bytes):
        return
    fits = max(budget // shape.token_bytes // LEAST_TOKENS, 1) * LEAST_TOKENS
    fits = min(fits, shape.context or fits)
    raise LocalError(
        f"A context of {context} tokens needs {context * shape.token_bytes / 1e6:.0f} MB of cache, and "
        f"{max(budget, 0) / 1e6:.0f} MB of memory are left beside the weights; {setting}={fits} fits."
    )


def _gpu_layers(shape: Shape, room: Room, cache_bytes: int) -> int:
    needed = memory_with_cache(shape.weights_bytes, cache_bytes)
    if not room.gpu_bytes or needed <= room.gpu_bytes:
        return -1
    return shape.layers * room.gpu_bytes // needed
