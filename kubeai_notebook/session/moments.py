"""When a Model last changed, as far as that was seen from here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kubeai_notebook.core.objects import desired_replicas, uid_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeai_notebook.core.observation import KubernetesObject

_UNKNOWN = datetime.min.replace(tzinfo=UTC)
KEPT = 10_000
"""Models that are remembered; the oldest make room."""


class Moments:
    """Remembers of each Model the wanted replicas and the set of Pods, and since when these are so."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[frozenset[str], datetime]] = {}

    def changed_at(self, model: KubernetesObject, pods: Iterable[KubernetesObject], now: datetime) -> datetime | None:
        """When the wanted replicas or the set of Pods was last seen to change; ``None``: not since we look."""
        uid = uid_of(model)
        present = frozenset([f"wanted {desired_replicas(model)}", *map(uid_of, pods)])
        before = self._seen.get(uid)
        if before is None:
            # Seen for the first time: how long it has been so is not known.
            self._seen[uid] = (present, _UNKNOWN)
            if len(self._seen) > KEPT:
                del self._seen[next(iter(self._seen))]
        elif before[0] != present:
            self._seen[uid] = (present, now)
        moment = self._seen[uid][1]
        return None if moment == _UNKNOWN else moment
