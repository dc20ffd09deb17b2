"""How much memory serving a model takes: the one estimate, for lists, refusals, the choice of a file and of a context.

Two things are known at different times. Before a file is fetched only its size is; once its header can be read, what
its cache takes is known to the byte, and an engine may be given as long a context as there is room for.
"""

from __future__ import annotations

OVERHEAD_BYTES = 150_000_000
"""What llama.cpp takes beside weights and cache: its program and its buffers for computing."""


def memory_of(weights_bytes: int) -> int:
    """About how many bytes of memory serving weights of this size takes: they, their context, and the engine itself.

    Source: measured with llama.cpp and a context of 4,096 tokens: 194 MB for 93 MB of weights, 360 MB for 253 MB.
    """
    return int(weights_bytes * 1.2) + 80_000_000


def memory_with_cache(weights_bytes: int, cache_bytes: int) -> int:
    """The bytes of memory that weights and a cache of these sizes take together, with what llama.cpp takes beside."""
    return weights_bytes + cache_bytes + OVERHEAD_BYTES


def cache_bytes_of_token(layers: int, groups: int, head_size: int) -> int:
    """What one token of context takes in a KV cache of two bytes a number: a key and a value for each group and layer.

    >>> cache_bytes_of_token(32, 8, 128)
    131072
    """
    return 2 * layers * groups * head_size * 2


def usable_bytes(memory_bytes: int, share: str | None = None) -> int:
    """How much of an accelerator's memory vLLM fills with weights, cache and its own buffers.

    ``share``: its ``--gpu-memory-utilization``, 0.9 unless it is a number between 0 and 1.
    """
    try:
        wanted = float(share or "")
    except ValueError:
        wanted = 0.9
    return int(memory_bytes * (wanted if 0 < wanted <= 1 else 0.9))
