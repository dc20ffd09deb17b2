"""Watches: what changed since a version, as a stream of JSON lines."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .errors import StatusError, bad_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .resources import Object, Ref, Resource
    from .selectors import Selector
    from .store import Change, Store

# What a client that lists by watching (kubectl since 1.35) waits for.
_INITIAL_END: Object = {"k8s.io/initial-events-end": "true"}
BOOKMARK_SECONDS = 60.0
DEFAULT_SECONDS = 1800


async def watch(request: web.Request, store: Store, *, target: Ref, selected: Selector) -> web.StreamResponse:
    """Answer a watch request until its ``timeoutSeconds`` are over or its client has gone."""
    query, resource, namespace = request.query, target.resource, target.namespace
    loop = asyncio.get_running_loop()
    seconds = query.get("timeoutSeconds", "")
    end = loop.time() + (int(seconds) if seconds.isdecimal() else DEFAULT_SECONDS)
    asked = query.get("resourceVersion") or "0"
    if not asked.isdecimal():
        raise bad_request(f'resourceVersion: Invalid value: "{asked}": invalid syntax')
    version = int(asked)
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    streamed = query.get("sendInitialEvents") == "true"
    if version == 0 or streamed:
        version = store.version
        await _send(response, [("ADDED", item) for item in store.items(resource, namespace) if selected(item)])
    if streamed:
        await _send(response, [("BOOKMARK", _bookmark(resource, version, annotations=_INITIAL_END))])
    while True:
        try:
            changes = store.changes_since(version)
        except StatusError as error:
            await _send(response, [("ERROR", error.body)])
            return response
        version = store.version
        mine = [change for change in changes if change.resource is resource]
        await _send(response, [event for change in mine for event in _events(change, namespace, selected)])
        try:
            async with asyncio.timeout(min(BOOKMARK_SECONDS, end - loop.time())):
                await store.changed(version)
        except TimeoutError:
            if query.get("allowWatchBookmarks") == "true":
                await _send(response, [("BOOKMARK", _bookmark(resource, version))])
            if loop.time() >= end:
                return response


def _events(change: Change, namespace: str, selected: Selector) -> Iterator[tuple[str, Object]]:
    """The event of one change as a watcher with this selector sees it; at most one."""

    def seen(item: Object | None) -> bool:
        return item is not None and namespace in ("", item["metadata"].get("namespace", "")) and selected(item)

    if change.after is not None and seen(change.after):
        yield ("MODIFIED" if seen(change.before) else "ADDED"), change.after
    elif change.before is not None and seen(change.before):
        metadata = change.before["metadata"] | {"resourceVersion": str(change.version)}
        yield "DELETED", {**change.before, "metadata": metadata}


def _bookmark(resource: Resource, version: int, *, annotations: Object | None = None) -> Object:
    metadata = {"resourceVersion": str(version), "creationTimestamp": None, "annotations": annotations or {}}
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}


async def _send(response: web.StreamResponse, events: list[tuple[str, Any]]) -> None:
    if events:
        lines = [json.dumps({"type": kind, "object": item}, separators=(",", ":")) for kind, item in events]
        await response.write(("\n".join(lines) + "\n").encode())
