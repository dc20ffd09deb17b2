"""Lists and watches: a watch is a stream of JSON lines."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from aiohttp import web

from kubeai_notebook.local.emulation.listing import INITIAL_END, TOO_OLD, bookmark, list_of, page_of, watch_events
from kubeai_notebook.local.emulation.refusals import StatusError, bad_request
from kubeai_notebook.local.emulation.requests import number_of
from kubeai_notebook.local.emulation.selectors import selector_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.local.emulation.kinds import Object, Ref
    from kubeai_notebook.local.emulation.selectors import Selector

    from .store import Store

BOOKMARK_SECONDS = 60.0
DEFAULT_SECONDS = 1800


async def read(request: web.Request, store: Store, target: Ref) -> web.StreamResponse:
    """Answer a list or a watch request. StatusError 400 for a query that cannot be read, 410 for an old page."""
    query, resource = request.query, target.resource
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    try:
        selected = selector_of(labels, fields, kind=resource.kind)
    except ValueError as error:
        raise bad_request(str(error)) from error
    if query.get("watch") in ("1", "true"):
        return await _watched(request, store, target=target, selected=selected)
    page = page_of(query)
    page = replace(page, version=page.version or store.version)
    try:
        items = store.items(resource, target.namespace, version=page.version)
    except StatusError as error:
        raise StatusError(410, "Expired", TOO_OLD) from error
    return web.json_response(list_of(resource, items, page, selected=selected, whole=not labels and not fields))


async def _watched(request: web.Request, store: Store, *, target: Ref, selected: Selector) -> web.StreamResponse:
    """Send changes until ``timeoutSeconds`` are over or the client has gone."""
    query, resource, namespace = request.query, target.resource, target.namespace
    loop = asyncio.get_running_loop()
    end = loop.time() + (number_of(query, "timeoutSeconds") or DEFAULT_SECONDS)
    version = _version_of(query)
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    streamed = query.get("sendInitialEvents") == "true"
    if version == 0 or streamed:
        version = store.version
        await _send(response, [("ADDED", item) for item in store.items(resource, namespace) if selected(item)])
    if streamed:
        await _send(response, [bookmark(resource, version, annotations=INITIAL_END)])
    while True:
        try:
            changes = store.changes_since(version)
        except StatusError as error:
            await _send(response, [("ERROR", error.body)])
            return response
        version = store.version
        mine = [change for change in changes if change.resource is resource]
        await _send(response, [event for change in mine for event in watch_events(change, namespace, selected)])
        try:
            async with asyncio.timeout(min(BOOKMARK_SECONDS, end - loop.time())):
                await store.changed(version)
        except TimeoutError:
            if query.get("allowWatchBookmarks") == "true":
                await _send(response, [bookmark(resource, version)])
            if loop.time() >= end:
                return response


def _version_of(query: Mapping[str, str]) -> int:
    try:
        return number_of(query, "resourceVersion", kind="ParseUint", most=2**64 - 1) or 0
    except StatusError as error:
        raise bad_request(f'resourceVersion: Invalid value: "{query["resourceVersion"][:40]}": {error}') from error


async def _send(response: web.StreamResponse, events: list[tuple[str, Object]]) -> None:
    if events:
        lines = [json.dumps({"type": kind, "object": item}, separators=(",", ":")) for kind, item in events]
        await response.write(("\n".join(lines) + "\n").encode())
