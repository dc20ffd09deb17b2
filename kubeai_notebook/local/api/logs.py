"""``pods/log``: the lines of a container's present or previous run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from .errors import bad_request

if TYPE_CHECKING:
    from pathlib import Path

    from .resources import Object, Ref
    from .store import Store

FOLLOW_SECONDS = 0.2
"""How often a followed file is read: an engine writes it without telling us."""


async def pod_log(request: web.Request, store: Store, *, ref: Ref, folder: Path) -> web.StreamResponse:
    """Answer with the log's last lines and, with ``follow``, with what comes until that run ends."""
    query = request.query
    run = _run_of(store.get(ref), query.get("container", "server"), previous=query.get("previous") == "true")
    path = folder / run
    follow = query.get("follow") == "true"
    text = path.read_bytes() if path.exists() else b""
    position = len(text)
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    await response.write(_tail(text, query.get("tailLines")))
    while follow:
        ended = not _running(store.find(ref), run)
        more = await asyncio.to_thread(_read_from, path, position)
        if more:
            position += len(more)
            await response.write(more)
        elif ended:
            break
        await asyncio.sleep(FOLLOW_SECONDS)
    return response


def _run_of(pod: Object, container: str, *, previous: bool) -> str:
    """The run's id, chosen as the kubelet chooses it: a waiting container shows its last run."""
    name = pod["metadata"]["name"]
    statuses = pod.get("status", {}).get("containerStatuses") or []
    if container != "server":
        raise bad_request(f"container {container} is not valid for pod {name}")
    status = statuses[0] if statuses else {}
    state, last = status.get("state", {}), status.get("lastState", {}).get("terminated")
    if previous or ("waiting" in state and last):
        if not last:
            raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        return str(last["containerID"]).removeprefix("local://")
    if not status.get("containerID"):
        reason = state.get("waiting", {}).get("reason", "ContainerCreating")
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
    return str(status["containerID"]).removeprefix("local://")


def _running(pod: Object | None, run: str) -> bool:
    statuses = (pod or {}).get("status", {}).get("containerStatuses") or [{}]
    return statuses[0].get("containerID") == f"local://{run}" and "running" in statuses[0]["state"]


def _tail(text: bytes, lines: str | None) -> bytes:
    if lines is None or not lines.isdecimal():
        return text
    kept = text.splitlines(keepends=True)
    return b"".join(kept[len(kept) - min(int(lines), len(kept)) :])


def _read_from(path: Path, position: int) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(position)
        return file.read()
