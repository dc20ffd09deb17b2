"""Which run of a container ``pods/log`` shows, and which of its lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kubeai_notebook.core.rules.admission_errors import INVALID, cause
from kubeai_notebook.local.emulation.kinds import Resource

from .refusals import bad_request, invalid
from .requests import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.local.emulation.kinds import Object

_OPTIONS = Resource("podlogoptions", "PodLogOptions", "")
_RUN = re.compile(r"local://([-0-9a-f]+/[0-9]+)")


def run_id_of(pod: Object, container: str, *, previous: bool) -> str:
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


@dataclass(frozen=True, slots=True)
class LogRequest:
    """Which lines of a log are asked for."""

    since: bytes
    """What no line comes before: lines begin with their time, in UTC."""
    lines: int | None
    size: int | None
    """How many bytes at most."""


def log_request_of(query: Mapping[str, str], now: datetime, *, pod: str) -> LogRequest:
    """Read ``sinceTime``, ``sinceSeconds``, ``tailLines`` and ``limitBytes``. StatusError 400 or 422."""
    seconds, lines, size = (number_of(query, name) for name in ("sinceSeconds", "tailLines", "limitBytes"))
    refused = [
        cause(INVALID, name, number, detail=f"must be greater than {'or equal to ' * (least == 0)}0")
        for name, number, least in (("sinceSeconds", seconds, 1), ("tailLines", lines, 0), ("limitBytes", size, 1))
        if number is not None and number < least
    ]
    if refused:
        raise invalid(_OPTIONS, pod, refused)
    return LogRequest(_since(query.get("sinceTime", ""), seconds, now), lines, size)


def _since(text: str, seconds: int | None, now: datetime) -> bytes:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        moment = None
    if text and (moment is None or moment.tzinfo is None):
        raise bad_request(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"')
    try:
        if seconds is not None:
            moment = now - timedelta(seconds=seconds)
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds").encode() if moment else b""
    except OverflowError:  # Before Python's first year.
        return b""


def shown(lines: list[bytes], *, timed: bool) -> bytes:
    """The lines with their times, or without."""
    return b"".join(line if timed else line.partition(b" ")[2] for line in lines)
