"""Lists, page by page, and what a watcher sees of each change."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .refusals import bad_request
from .requests import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kubeai_notebook.local.emulation.kinds import Object, Resource
    from kubeai_notebook.local.emulation.selectors import Selector

TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. "
    "You must start a new list without the continue parameter."
)
INITIAL_END: Object = {"k8s.io/initial-events-end": "true"}
"""What a client that lists by watching (kubectl since 1.35) waits for."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write: ``before`` is None for a new object, ``after`` is None for a removed one."""

    version: int
    resource: Resource
    before: Object | None
    after: Object | None


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: every page shows the moment (``version``, 0: now) of the first."""

    limit: int
    version: int
    after: str


def page_of(query: Mapping[str, str]) -> Page:
    """Read ``limit`` and ``continue``. StatusError 400."""
    limit = max(0, number_of(query, "limit") or 0)
    if not query.get("continue"):
        return Page(limit, 0, "")
    try:
        version, _, after = base64.urlsafe_b64decode(query["continue"]).decode().partition(" ")
        return Page(limit, int(version), after)
    except ValueError as error:
        raise bad_request(f"continue key is not valid: {error}") from error


def list_of(resource: Resource, items: Sequence[Object], page: Page, *, selected: Selector, whole: bool) -> Object:
    """The page of these objects, which are sorted; ``whole`` tells that no selector leaves any of them out."""
    left = [item for item in items if _key(item) > page.after and selected(item)]
    shown = left[: page.limit] if page.limit else left
    metadata: Object = {"resourceVersion": str(page.version)}
    if len(shown) < len(left):
        metadata["continue"] = base64.urlsafe_b64encode(f"{page.version} {_key(shown[-1])}".encode()).decode()
        metadata |= {"remainingItemCount": len(left) - len(shown)} if whole else {}
    return {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata, "items": shown}


def _key(item: Object) -> str:
    """Sorts as namespace and name do: a NUL comes before whatever a longer namespace goes on with."""
    return f"{item['metadata'].get('namespace', '')}\0{item['metadata']['name']}"


def rewound(
    objects: Mapping[tuple[str, str], Object], resource: Resource, changes: Sequence[Change]
) -> dict[tuple[str, str], Object]:
    """The objects of a kind, by namespace and name, as they were before these changes (the oldest first)."""
    items = dict(objects)
    for change in reversed(changes):
        if change.resource is not resource:
            continue
        item = change.before or change.after or {}
        key = item["metadata"].get("namespace", ""), item["metadata"]["name"]
        if change.before is not None:
            items[key] = change.before
        else:
            del items[key]
    return items


def watch_events(change: Change, namespace: str, selected: Selector) -> Iterator[tuple[str, Object]]:
    """The event of one change as a watcher with this selector sees it; at most one."""

    def seen(item: Object | None) -> bool:
        return item is not None and namespace in ("", item["metadata"].get("namespace", "")) and selected(item)

    if change.after is not None and seen(change.after):
        yield ("MODIFIED" if seen(change.before) else "ADDED"), change.after
    elif change.before is not None and seen(change.before):
        metadata = change.before["metadata"] | {"resourceVersion": str(change.version)}
        yield "DELETED", {**change.before, "metadata": metadata}


def bookmark(resource: Resource, version: int, *, annotations: Object | None = None) -> tuple[str, Object]:
    """The event that tells a watcher how far it is."""
    metadata = {"resourceVersion": str(version), "creationTimestamp": None, "annotations": annotations or {}}
    return "BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
