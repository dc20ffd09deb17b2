"""``pods/log``: the lines of a container's present or previous run."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import datetime
from typing import TYPE_CHECKING

from aiohttp import web

from .errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .resources import Object, Ref
    from .store import Store

FOLLOW_SECONDS = 0.2
"""How often a followed file is read: an engine writes it without telling us."""
_RUN = re.compile(r"local://([-0-9a-f]+/[0-9]+)")


async def pod_log(request: web.Request, store: Store, *, ref: Ref, folder: Path) -> web.StreamResponse:
    """Answer with the log's last lines and, with ``follow``, with what comes until that run ends."""
    query = request.query
    run = _run_of(store.get(ref), query.get("container") or "server", previous=query.get("previous") == "true")
    path = folder / run
    text = _read_from(path, 0)
    position = len(text)
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    await response.write(_shown(path, text, query))
    while query.get("follow") == "true":
        ended = not _running(store.find(ref), run)
        if path.exists() and path.stat().st_size < position:
            position = 0  # The file was full and began anew.
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
    if previous and not last:
        raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    shown = last if previous or ("waiting" in state and last) else status
    match = _RUN.fullmatch(str(shown.get("containerID")))
    if match is None:
        reason = state.get("waiting", {}).get("reason", "ContainerCreating")
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
    return match[1]


def _running(pod: Object | None, run: str) -> bool:
    statuses = (pod or {}).get("status", {}).get("containerStatuses") or [{}]
    return statuses[0].get("containerID") == f"local://{run}" and "running" in statuses[0]["state"]


def _shown(path: Path, text: bytes, query: Mapping[str, str]) -> bytes:
    """What the client asked to see; an engine's lines carry no time, so ``since`` decides on all of them together."""
    since = 0.0
    if query.get("sinceSeconds", "").isdecimal():
        since = time.time() - int(query["sinceSeconds"])
    elif "sinceTime" in query:
        try:
            since = datetime.fromisoformat(query["sinceTime"]).timestamp()
        except ValueError as error:
            raise bad_request(f"sinceTime: {error}") from error
    if since and path.exists() and path.stat().st_mtime < since:
        return b""
    if query.get("tailLines", "").isdecimal():
        kept = text.splitlines(keepends=True)
        text = b"".join(kept[len(kept) - min(int(query["tailLines"]), len(kept)) :])
    return text[: int(query["limitBytes"])] if query.get("limitBytes", "").isdecimal() else text


def _read_from(path: Path, position: int) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(position)
        return file.read()
