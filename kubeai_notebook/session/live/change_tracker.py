"""When a Model last changed, as far as that was seen from here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kubeai_notebook.core.objects import desired_replicas, uid_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeai_notebook.core.objects import KubernetesObject

_UNKNOWN = datetime.min.replace(tzinfo=UTC)


class ChangeTracker:
    """Remembers of each Model the wanted replicas and the set of Pods, and since when these are so."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[frozenset[str], datetime]] = {}

    def changed_at(
        self, model: KubernetesObject, pods: Iterable[KubernetesObject], now: datetime, *, back_at_seconds: float = 0.0
    ) -> datetime | None:
        """When the wanted replicas or the set of Pods was last seen to change; ``None``: not since we look.

        What was so while the link was lost is not known: it counts from ``back_at_seconds``, Unix time.
        """
        uid = uid_of(model)
        present = frozenset([f"wanted {desired_replicas(model)}", *map(uid_of, pods)])
        before = self._seen.get(uid)
        if before is None:
            # Seen for the first time: how long it has been so is not known.
            self._seen[uid] = (present, _UNKNOWN)
        elif before[0] != present:
            self._seen[uid] = (present, now)
        moment = self._seen[uid][1]
        if back_at_seconds:
            moment = max(moment, datetime.fromtimestamp(back_at_seconds, UTC))
        return None if moment == _UNKNOWN else moment

    def forget(self, uid: str) -> None:
        """The Model is gone."""
        self._seen.pop(uid, None)
