"""Every object of the API, in memory, with versions and a short history for watches."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from .errors import already_exists, conflict, expired, not_found
from .patch import merge
from .resources import EVENTS, MODELS, NAMESPACES, PODS, RESOURCES, Object, Ref, Resource, ref_of

if TYPE_CHECKING:
    from collections.abc import Callable

_SAFE = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' alphabet for generated names: no vowels, so no words."""
_KEPT = ("uid", "creationTimestamp", "name", "namespace", "generation", "deletionTimestamp")
GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Change:
    """One write: ``before`` is None for a new object, ``after`` is None for a removed one."""

    version: int
    resource: Resource
    before: Object | None
    after: Object | None


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

    def __init__(self, now: Callable[[], datetime] = utc_now, *, history: int = 4096) -> None:
        self.now = now
        # Versions go on from an earlier life of the daemon, so that a watch from then gets 410 and lists again.
        self.version = int(now().timestamp() * 1000)
        self._oldest = self.version
        self._history: deque[Change] = deque(maxlen=history)
        self._items: dict[Ref, Object] = {}
        self._waiting: set[asyncio.Future[None]] = set()

    def find(self, ref: Ref) -> Object | None:
        """Return the object or None."""
        return self._items.get(ref)

    def get(self, ref: Ref) -> Object:
        """Return the object; StatusError 404 if there is none."""
        item = self._items.get(ref)
        if item is None:
            raise not_found(ref)
        return item

    def items(self, resource: Resource, namespace: str = "") -> list[Object]:
        """All objects of a kind, in one namespace or (``""``) in all, by name."""
        found = [
            ref for ref in self._items if ref.resource is resource and (not namespace or ref.namespace == namespace)
        ]
        return [self._items[ref] for ref in sorted(found, key=lambda ref: (ref.namespace, ref.name))]

    def create(self, resource: Resource, item: Object, *, dry_run: bool = False) -> Object:
        """Add an object whose metadata names (or generates) it; StatusError 404 or 409."""
        metadata = dict(item["metadata"])
        if not metadata.get("name"):
            metadata["name"] = metadata.get("generateName", "") + "".join(secrets.choice(_SAFE) for _ in range(5))
        ref = Ref(resource, metadata.get("namespace", ""), metadata["name"])
        if resource.namespaced and Ref(NAMESPACES, "", ref.namespace) not in self._items:
            raise not_found(Ref(NAMESPACES, "", ref.namespace))
        if ref in self._items:
            raise already_exists(ref)
        metadata |= {"uid": str(uuid4()), "creationTimestamp": timestamp(self.now())}
        if "spec" in item:
            metadata["generation"] = 1
        created = {"apiVersion": resource.api_version, "kind": resource.kind, **item, "metadata": metadata}
        return created if dry_run else self._write(ref, created)

    def patch(self, ref: Ref, patch: Object, *, dry_run: bool = False) -> Object:
        """Apply a merge patch without admission."""
        return self.replace(ref, merge(self.get(ref), patch), dry_run=dry_run)

    def replace(self, ref: Ref, item: Object, *, dry_run: bool = False) -> Object:
        """Store a new state of an object; a write that changes nothing makes no version. StatusError 404 or 409."""
        current = self.get(ref)
        metadata, present = dict(item["metadata"]), current["metadata"]
        if metadata.get("resourceVersion", present["resourceVersion"]) != present["resourceVersion"]:
            raise conflict(ref)
        metadata |= {key: present[key] for key in _KEPT if key in present}
        if item.get("spec") != current.get("spec"):
            metadata["generation"] = present.get("generation", 0) + 1
        changed = {**item, "metadata": metadata}
        if dry_run or changed == current:
            return changed
        if "deletionTimestamp" in metadata and not metadata.get("finalizers") and ref.resource is not PODS:
            return self.remove(ref)
        return self._write(ref, changed)

    def delete(self, ref: Ref) -> Object:
        """Delete as the API does: what has a finalizer, and a Pod, is only marked and ended by its keeper."""
        item = self.get(ref)
        metadata = item["metadata"]
        if "deletionTimestamp" in metadata:
            return item
        if not metadata.get("finalizers") and ref.resource is not PODS:
            return self.remove(ref)
        marked = metadata | {"deletionTimestamp": timestamp(self.now()), "deletionGracePeriodSeconds": GRACE_SECONDS}
        return self._write(ref, {**item, "metadata": marked})

    def remove(self, ref: Ref) -> Object:
        """Take an object out now, and collect what it owned."""
        item = self._items.pop(ref)
        self.version += 1
        last = {**item, "metadata": item["metadata"] | {"resourceVersion": str(self.version)}}
        self._emit(Change(self.version, ref.resource, item, None))
        self._collect(ref, last)
        return last

    def changes_since(self, version: int) -> list[Change]:
        """Everything that happened after ``version``, oldest first; StatusError 410 when that is forgotten."""
        if not self._oldest <= version <= self.version:
            raise expired(version, self._oldest)
        found = []
        for change in reversed(self._history):
            if change.version <= version:
                break
            found.append(change)
        return found[::-1]

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
        self.version += 1
        before = self._items.get(ref)
        stored = {**item, "metadata": item["metadata"] | {"resourceVersion": str(self.version)}}
        self._items[ref] = stored
        self._emit(Change(self.version, ref.resource, before, stored))
        return stored

    def _emit(self, change: Change) -> None:
        if len(self._history) == self._history.maxlen:
            self._oldest = self._history[0].version
        self._history.append(change)
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def _collect(self, ref: Ref, gone: Object) -> None:
        """Delete what the removed object owned; a Pod's Events go when its Model is gone too."""
        uid = gone["metadata"]["uid"]
        for other, item in list(self._items.items()):
            owned = any(owner.get("uid") == uid for owner in item["metadata"].get("ownerReferences", ()))
            if owned and other in self._items:
                self.delete(other)
        if ref.resource is PODS:
            owners = {owner.get("uid") for owner in gone["metadata"].get("ownerReferences", ())}
            alive = {item["metadata"]["uid"] for item in self.items(MODELS, ref.namespace)}
            if not owners & alive:
                for event in self.items(EVENTS, ref.namespace):
                    if event.get("involvedObject", {}).get("uid") == uid:
                        self.remove(ref_of(EVENTS, event))
        if ref.resource is NAMESPACES:
            for resource in RESOURCES.values():
                for item in self.items(resource, ref.name) if resource.namespaced else ():
                    self.delete(ref_of(resource, item))
