"""``pods/log``: the lines of a container's present or previous run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from kubeai_notebook.local.emulation.log_requests import log_request_of, run_id_of, shown

if TYPE_CHECKING:
    from pathlib import Path

    from kubeai_notebook.local.emulation.kinds import Object, Ref

    from .store import Store

FOLLOW_SECONDS = 0.2
"""How often a followed file is read: an engine writes it without telling us."""


async def pod_log(request: web.Request, store: Store, *, ref: Ref, folder: Path) -> web.StreamResponse:
    """Answer with the log's last lines and, with ``follow``, with what comes until that run ends."""
    query = request.query
    run = run_id_of(store.get(ref), query.get("container") or "server", previous=query.get("previous") == "true")
    wanted = log_request_of(query, store.now(), pod=ref.name)
    path, timed = folder / run, query.get("timestamps") == "true"
    position, lines = _read_from(path, 0)
    lines = [line for line in lines if line >= wanted.since]
    if wanted.lines is not None:
        lines = lines[len(lines) - min(wanted.lines, len(lines)) :]
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    await response.write(shown(lines, timed=timed)[: wanted.size])
    while query.get("follow") == "true":
        ended = not _running(store.find(ref), run)
        if path.exists() and path.stat().st_size < position:
            position = 0  # The file was full and began anew.
        position, lines = await asyncio.to_thread(_read_from, path, position)
        if lines:
            await response.write(shown(lines, timed=timed))
        elif ended:
            break
        await asyncio.sleep(FOLLOW_SECONDS)
    return response


def _running(pod: Object | None, run: str) -> bool:
    statuses = (pod or {}).get("status", {}).get("containerStatuses") or [{}]
    return statuses[0].get("containerID") == f"local://{run}" and "running" in statuses[0]["state"]


def _read_from(path: Path, position: int) -> tuple[int, list[bytes]]:
    """Whole lines from a position on, and where they end."""
    if not path.exists():
        return position, []
    with path.open("rb") as file:
        file.seek(position)
        lines = file.readlines()
        return file.tell(), lines
