"""Which run of a container ``pods/log`` shows, and which of its lines."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from .refusals import bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.kubernetes.kinds import Object

_RUN = re.compile(r"local://([-0-9a-f]+/[0-9]+)")


def log_of(pod: Object, container: str, *, previous: bool) -> str:
    """The run's id, chosen as the kubelet chooses it: a waiting container shows its last run. StatusError 400."""
    name = pod["metadata"]["name"]
    statuses = pod.get("status", {}).get("containerStatuses") or []
    if container != "server":
        raise bad_request(f"container {container} is not valid for pod {name}")
    status = statuses[0] if statuses else {}
    state, last = status.get("state", {}), status.get("lastState", {}).get("terminated")
    if previous and not last:
        raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    shown = last if previous or ("waiting" in state and last) else status
    match = _RUN.fullmatch(str(shown.get("containerID")))
    if match is None:
        reason = state.get("waiting", {}).get("reason", "ContainerCreating")
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
    return match[1]


def since_of(query: Mapping[str, str], now: datetime) -> bytes:
    """What a line must not come before: lines begin with their time, in UTC. StatusError 400."""
    try:
        moment = datetime.fromisoformat(query["sinceTime"]) if "sinceTime" in query else None
    except ValueError as error:
        raise bad_request(f"sinceTime: {error}") from error
    if query.get("sinceSeconds", "").isdecimal():
        moment = now - timedelta(seconds=min(int(query["sinceSeconds"]), 10**9))
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}".encode() if moment else b""


def shown(lines: list[bytes], *, timed: bool) -> bytes:
    """The lines with their times, or without."""
    return b"".join(line if timed else line.partition(b" ")[2] for line in lines)
