"""A container that is tried again, and is no further than the try before: read as if it waited for that try still.

A kubelet begins a container that has failed anew, later and later. Each such try is "running" for as long as it takes
to fail the same way, so a Model that can never load was Failing, Pulling, Failing, and what explained it was there and
gone. A try says something new once it lives longer than the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .objects import Container, KubernetesObject, Pod, in_utc, map_at, maps_at, number_at, time_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_FIRST_TRIES = 2
"""So many are made at once; it is from then on that a kubelet waits between them."""
_LONGER, _SLACK_SECONDS = 1.2, 2.0
_MOST_SECONDS = 60.0
"""A try that lives so long is told as it is, however long the one before had served."""


def as_waiting(pod: KubernetesObject, now: datetime) -> KubernetesObject:
    """The Pod with each container that only repeats its failure in ``CrashLoopBackOff``, as it was before this try."""
    statuses = maps_at(pod, "status", "containerStatuses")
    if Pod(pod).ready or not any(_repeats(Container(raw), now) for raw in statuses):
        return pod
    waiting = [_waiting(raw) if _repeats(Container(raw), now) else raw for raw in statuses]
    return {**pod, "status": {**map_at(pod, "status"), "containerStatuses": waiting}}


def is_tried_again(pod: KubernetesObject) -> bool:
    """Whether it has failed and was not ready since: between two tries nothing may be seen to be wrong with it."""
    statuses = maps_at(pod, "status", "containerStatuses")
    return not Pod(pod).ready and any(number_at(Container(raw).last_run, "exitCode") for raw in statuses)


def _repeats(container: Container, now: datetime) -> bool:
    """Whether it has failed before, and again, or has not lived longer since."""
    if not number_at(container.last_run, "exitCode"):
        return False
    if map_at(container.raw, "state", "terminated"):
        return container.restarts + 1 >= _FIRST_TRIES
    began, ended = (time_at(container.last_run, name) for name in ("startedAt", "finishedAt"))
    since = container.running_since
    if began is None or ended is None or since is None or container.restarts < _FIRST_TRIES:
        return False
    lived = (in_utc(ended) - in_utc(began)).total_seconds()
    return (in_utc(now) - in_utc(since)).total_seconds() <= min(_LONGER * lived + _SLACK_SECONDS, _MOST_SECONDS)


def _waiting(status: Mapping[str, Any]) -> dict[str, Any]:
    container = Container(status)
    return {
        **status,
        "restartCount": container.restarts - container.running,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": container.last_run},
    }
