"""Every object of the API, with versions and a short history for watches."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kubeai_notebook.core.kubeai.pods import ALPHABET
from kubeai_notebook.core.merge_patch import merged
from kubeai_notebook.core.rules.metadata import MAX_GENERATED_BASE
from kubeai_notebook.local.emulation.kinds import (
    EVENTS,
    MODELS,
    NAMESPACES,
    PODS,
    RESOURCES,
    Object,
    Ref,
    Resource,
    ref_of,
)
from kubeai_notebook.local.emulation.listing import Change, rewound
from kubeai_notebook.local.emulation.refusals import StatusError, already_exists, conflict, not_found

if TYPE_CHECKING:
    from collections.abc import Callable

    from .journal import Journal

_KEPT = (
    *("uid", "creationTimestamp", "name", "namespace", "generation"),
    *("deletionTimestamp", "deletionGracePeriodSeconds"),
)
_FOREGROUND = "foregroundDeletion"
GRACE_SECONDS = 30
_SKIPPED_VERSIONS = 1_000_000
"""More than one life of the daemon gives out without writing one of them down."""


def utc_now() -> datetime:
    """The present time, in UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """Kubernetes' way to write a time, to the second.

    >>> timestamp(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05Z'
    """
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """The one truth of the daemon; used from one event loop only, so that every method is atomic."""

    def __init__(
        self, now: Callable[[], datetime] = utc_now, *, history: int = 4096, journal: Journal | None = None
    ) -> None:
        self.now = now
        self._items: dict[Resource, dict[tuple[str, str], Object]] = {resource: {} for resource in RESOURCES.values()}
        self._journal = journal
        kept, newest = journal.load() if journal else ({}, 0)
        # Versions go on from an earlier life of the daemon, so that a watch from then gets 410 and lists again.
        self.version = max(int(now().timestamp() * 1000), newest + _SKIPPED_VERSIONS)
        self._oldest = self.version
        self._history: deque[Change] = deque(maxlen=history)
        self._waiting: set[asyncio.Future[None]] = set()
        for ref, item in kept.items():
            self._items[ref.resource][ref.namespace, ref.name] = item
        for item in kept.values():
            self._release(item["metadata"]["uid"])

    def find(self, ref: Ref) -> Object | None:
        """Return the object or None."""
        return self._items[ref.resource].get((ref.namespace, ref.name))

    def get(self, ref: Ref) -> Object:
        """Return the object; StatusError 404 if there is none."""
        item = self.find(ref)
        if item is None:
            raise not_found(ref)
        return item

    def items(self, resource: Resource, namespace: str = "", *, version: int | None = None) -> list[Object]:
        """All objects of a kind, in one namespace or (``""``) in all, by name; at a past version StatusError 410."""
        objects = self._items[resource]
        if version is not None:
            objects = rewound(objects, resource, self.changes_since(version))
        return [objects[key] for key in sorted(objects) if namespace in ("", key[0])]

    def create(self, resource: Resource, item: Object, *, dry_run: bool = False) -> Object:
        """Add an object whose metadata names (or generates) it; StatusError 404, 409 or 500."""
        metadata = with_generated_name(item)["metadata"]
        ref = Ref(resource, metadata.get("namespace", ""), metadata["name"])
        if metadata.get("resourceVersion"):
            # The real server gives this code and no reason.
            raise StatusError(500, "", "resourceVersion should not be set on objects to be created")
        if resource.namespaced:
            self.get(Ref(NAMESPACES, "", ref.namespace))
        if present := self.find(ref):
            raise already_exists(ref, deleting="deletionTimestamp" in present["metadata"])
        metadata = {key: value for key, value in metadata.items() if not key.startswith("deletion")}
        metadata |= {"uid": str(uuid4()), "creationTimestamp": timestamp(self.now())}
        if resource is MODELS or ("spec" in item and resource is not NAMESPACES):
            metadata["generation"] = 1
        created = {"apiVersion": resource.api_version, "kind": resource.kind, **item, "metadata": metadata}
        return created if dry_run else self._write(ref, created)

    def patch(self, ref: Ref, patch: Object) -> Object:
        """Apply a merge patch without admission."""
        return self.replace(ref, merged(self.get(ref), patch))

    def replace(self, ref: Ref, item: Object, *, dry_run: bool = False) -> Object:
        """Store a new state of an object; a write that changes nothing makes no version. StatusError 404 or 409."""
        current = self.get(ref)
        metadata, present = dict(item["metadata"]), current["metadata"]
        if metadata.setdefault("resourceVersion", present["resourceVersion"]) != present["resourceVersion"]:
            raise conflict(ref)
        metadata |= {key: present[key] for key in _KEPT if key in present}
        if item.get("spec") != current.get("spec") and "generation" in present:
            metadata["generation"] = present["generation"] + 1
        changed = {**item, "metadata": metadata}
        if dry_run or changed == current:
            return changed
        if "deletionTimestamp" in metadata and not metadata.get("finalizers") and ref.resource is not PODS:
            self.remove(ref)
            return changed
        return self._write(ref, changed)

    def delete(self, ref: Ref, *, foreground: bool = False, dry_run: bool = False) -> Object:
        """Delete as the API does: what has a finalizer, and a Pod, is only marked and ended by its keeper."""
        item = self.get(ref)
        metadata = dict(item["metadata"])
        finalizers = [name for name in metadata.pop("finalizers", ()) if name != _FOREGROUND]
        if finalizers := finalizers + [_FOREGROUND] * foreground:
            metadata["finalizers"] = finalizers
        elif ref.resource is not PODS:
            return item if dry_run else self.remove(ref)
        if "deletionTimestamp" not in metadata:
            grace = GRACE_SECONDS if ref.resource is PODS else 0
            metadata |= {"deletionTimestamp": timestamp(self.now()), "deletionGracePeriodSeconds": grace}
            if "generation" in metadata:
                metadata["generation"] += 1
        marked = {**item, "metadata": metadata}
        if not dry_run and marked != item:
            marked = self._write(ref, marked)
            if foreground:
                for owned_ref in self._owned(metadata["uid"]):
                    self.delete(owned_ref)
                self._release(metadata["uid"])
        return marked

    def remove(self, ref: Ref) -> Object:
        """Take an object out now, and collect what it owned."""
        item = self.get(ref)
        self._record(ref, None)
        metadata = item["metadata"]
        self._collect(ref, metadata)
        for owner in metadata.get("ownerReferences", ()):
            self._release(owner.get("uid", ""))
        return {**item, "metadata": metadata | {"resourceVersion": str(self.version)}}

    def orphan(self, uid: str) -> None:
        """Let what an object owns live on without it."""
        for ref in self._owned(uid):
            owners = self.get(ref)["metadata"]["ownerReferences"]
            left = [owner for owner in owners if owner.get("uid") != uid]
            self.patch(ref, {"metadata": {"ownerReferences": left or None}})

    def changes_since(self, version: int) -> list[Change]:
        """Everything that happened after ``version``, oldest first; StatusError 410 when that is forgotten."""
        if not self._oldest <= version <= self.version:
            raise StatusError(410, "Expired", f"too old resource version: {version} ({self._oldest})")
        changes = []
        for change in reversed(self._history):
            if change.version <= version:
                break
            changes.append(change)
        return changes[::-1]

    async def changed(self, version: int) -> None:
        """Return once there is something newer than ``version``."""
        while self.version <= version:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)

    def _write(self, ref: Ref, item: Object) -> Object:
        stored = {**item, "metadata": item["metadata"] | {"resourceVersion": str(self.version + 1)}}
        self._record(ref, stored)
        return stored

    def _record(self, ref: Ref, after: Object | None) -> None:
        """Write down first: what the disk refuses has not happened."""
        if self._journal:
            self._journal.write(ref, after, self.version + 1)
        self.version += 1
        items, key = self._items[ref.resource], (ref.namespace, ref.name)
        if len(self._history) == self._history.maxlen:
            self._oldest = self._history[0].version
        self._history.append(Change(self.version, ref.resource, items.pop(key, None), after))
        if after is not None:
            items[key] = after
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def _owned(self, uid: str) -> list[Ref]:
        return [
            ref_of(resource, item)
            for resource, items in self._items.items()
            for item in items.values()
            if any(owner.get("uid") == uid for owner in item["metadata"].get("ownerReferences", ()))
        ]

    def _release(self, uid: str) -> None:
        """End an object that waits, in foreground deletion, for what it owned, once that is gone."""
        for resource, items in self._items.items():
            for item in items.values():
                metadata = item["metadata"]
                if metadata["uid"] != uid or _FOREGROUND not in metadata.get("finalizers", ()) or self._owned(uid):
                    continue
                left = [name for name in metadata["finalizers"] if name != _FOREGROUND]
                self.patch(ref_of(resource, item), {"metadata": {"finalizers": left or None}})
                return

    def _collect(self, ref: Ref, gone: Object) -> None:
        """Delete what the removed object owned or held; a Pod's Events go when its Model is gone too."""
        uid, owners = gone["uid"], {owner.get("uid") for owner in gone.get("ownerReferences", ())}
        doomed = self._owned(uid)
        for resource, items in self._items.items():
            if ref.resource is NAMESPACES and resource.namespaced:
                doomed += [ref_of(resource, items[key]) for key in items if key[0] == ref.name]
        if ref.resource is PODS and not any(model["metadata"]["uid"] in owners for model in self.items(MODELS)):
            events = self.items(EVENTS, ref.namespace)
            doomed += [ref_of(EVENTS, event) for event in events if _uid_in(event) == uid]
        for other in doomed:
            if self.find(other) is not None:
                self.delete(other)


def _uid_in(event: Object) -> Any:
    """Of the object that an Event is about; anybody may write one that is about none."""
    involved = event.get("involvedObject")
    return involved.get("uid") if isinstance(involved, dict) else None


def with_generated_name(item: Object) -> Object:
    """The object with a name of its own made from ``generateName``, where it has none."""
    metadata = item.get("metadata")
    base = metadata.get("generateName") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or metadata.get("name") or not base or not isinstance(base, str):
        return item
    name = base[:MAX_GENERATED_BASE] + "".join(secrets.choice(ALPHABET) for _ in range(5))
    return {**item, "metadata": metadata | {"name": name}}
