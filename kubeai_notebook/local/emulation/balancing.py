"""Which of a Model's ready Pods gets the next request: KubeAI's two strategies."""

from __future__ import annotations

import bisect
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def chosen(uids: Sequence[str], active: Mapping[str, int], *, strategy: Mapping[str, Any], key: str) -> str:
    """One of ``found``, by ``spec.loadBalancing`` and the requests that each has in flight.

    Source: KubeAI 0.22.1, consistent hashing with bounded loads. Its hash is xxhash; nobody outside sees which.
    """
    if strategy.get("strategy") != "PrefixHash":
        return min(uids, key=lambda uid: active.get(uid, 0))
    options = strategy["prefixHash"]
    ring = _ring(tuple(sorted(uids)), options["replication"])
    total = sum(active.get(uid, 0) for uid in uids)
    most = (total + 1) / len(uids) * options["meanLoadFactor"] / 100
    start = bisect.bisect(ring, (_hash(key), ""))
    around = [uid for _, uid in (*ring[start:], *ring[:start])]
    return next((uid for uid in around if not total or active.get(uid, 0) + 1 <= most), around[0])


@lru_cache(maxsize=32)
def _ring(uids: tuple[str, ...], replication: int) -> list[tuple[int, str]]:
    return sorted((_hash(f"{uid}{number}"), uid) for uid in uids for number in range(max(1, replication)))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest())
