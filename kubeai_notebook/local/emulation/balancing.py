"""Which of a Model's ready Pods gets the next request: KubeAI's two strategies."""

from __future__ import annotations

import bisect
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


def chosen(
    uids: Sequence[str],
    active: Mapping[str, int],
    *,
    able: Collection[str],
    strategy: Mapping[str, Any],
    key: str,
    turn: int = 0,
) -> str:
    """One of ``able``, by ``spec.loadBalancing`` and the requests that each has in flight.

    ``uids`` are all of the Model's ready Pods; those that lack the adapter count for the mean load. ``turn`` settles
    a tie. Source: KubeAI 0.22.1, consistent hashing with bounded loads. Its hash is xxhash; nobody outside sees which.
    """
    if strategy.get("strategy") != "PrefixHash":
        least = min(active.get(uid, 0) for uid in able)
        tied = [uid for uid in able if active.get(uid, 0) == least]
        return tied[turn % len(tied)]
    options = strategy["prefixHash"]
    ring = _ring(tuple(sorted(uids)), options["replication"])
    total = sum(active.get(uid, 0) for uid in uids)
    most = (total + 1) / len(uids) * options["meanLoadFactor"] / 100
    start = bisect.bisect(ring, (_hash(key), ""))
    around = [uid for _, uid in (*ring[start:], *ring[:start]) if uid in able]
    return next((uid for uid in around if active.get(uid, 0) <= most), around[0])


@lru_cache(maxsize=32)
def _ring(uids: tuple[str, ...], replication: int) -> list[tuple[int, str]]:
    return sorted((_hash(f"{uid}{number}"), uid) for uid in uids for number in range(max(1, replication)))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest())
