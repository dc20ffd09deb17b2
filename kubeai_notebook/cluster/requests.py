"""Requests on one namespace: addresses, lists, and writes whose answer may get lost.

A write is never repeated blindly, for nobody knows whether the first came through. So each write says how it is found
again: a creation by an id in its annotations, a patch by what it sets, a deletion by the object being gone.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kubeai_notebook.core.merge_patch import merged
from kubeai_notebook.errors import ConflictError, NotFoundError

from .answer import items_of, named
from .api import JSON
from .errors import LostAnswerError

if TYPE_CHECKING:
    from .api import Api, Query

FIELD_MANAGER = "kubeai-notebook"
REQUEST_ID = "kubeai-notebook/request-id"
"""The annotation by which an object is found again whose creation was never confirmed."""


class Requests:
    """Requests on one namespace of one API."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api = api
        self.namespace = namespace

    def path(self, group: str, plural: str, name: str = "") -> str:
        """Path of a collection of this namespace, or of one object in it."""
        collection = f"{group}/namespaces/{quote(self.namespace, safe='')}/{plural}"
        return f"{collection}/{quote(name, safe='')}" if name else collection

    def get(self, path: str, *, query: Query | None = None) -> dict[str, Any]:
        """Read one object."""
        return self.send("GET", path, query=query)

    def listed(self, path: str, *, query: Query | None = None, accept: str = JSON) -> list[dict[str, Any]]:
        """All objects of a collection, page by page."""
        pages = self.api.pages(path, query=query or {}, accept=accept)
        return [item for page in pages for item in items_of(page, self.api.where.address)]

    def send(self, method: str, path: str, *, query: Query | None = None, body: Any = None) -> dict[str, Any]:
        """Send a request that is answered with an object."""
        return named(self.api.request(method, path, query=query, body=body), self.api.where.address)

    def create(self, path: str, manifest: Mapping[str, Any], *, query: Query | None = None) -> dict[str, Any]:
        """Create an object that has a name of its own.

        Where the answer gets lost, the object is looked for by its name and told by its request id: so
        it is made once, and what somebody else made is not taken for ours.

        Raises:
            ConflictError: there is one of this name.
            LostAnswerError: whether it was created is not known.
        """
        metadata = manifest["metadata"]
        annotations = {REQUEST_ID: uuid.uuid4().hex, **metadata.get("annotations", {})}
        body = {**manifest, "metadata": {**metadata, "annotations": annotations}}
        where, request_id = f"{path}/{quote(metadata['name'], safe='')}", annotations[REQUEST_ID]
        try:
            return self.send("POST", path, query=query, body=body)
        except LostAnswerError:
            created = self._created(where, request_id)
        if created is not None:
            return created
        try:
            # The first may still be on its way: then this one is refused as a second of the same name.
            return self.send("POST", path, query=query, body=body)
        except ConflictError:
            created = self._created(where, request_id)
            if created is None:
                raise
            return created

    def patch(self, path: str, patch: Mapping[str, Any], *, query: Query | None = None) -> dict[str, Any]:
        """Apply a JSON merge patch; where the answer gets lost, the object itself tells whether it came through."""
        try:
            return self.send("PATCH", path, query=query, body=patch)
        except LostAnswerError:
            present = self.get(path)
            # A patch that came through has moved the version that it was for.
            unversioned = merged(patch, {"metadata": {"resourceVersion": None}}) if "metadata" in patch else patch
            if not _holds(present, unversioned):
                raise
            return present

    def delete(self, path: str, *, query: Query | None = None, uid: str = "") -> None:
        """Delete an object; ``uid``: the one that has it, and no other of its name.

        Where the answer gets lost, it counts as done when the object is gone or going.
        """
        only = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}} if uid else None
        try:
            answer = self.api.request("DELETE", path, query=query, body=only)
            # A success by name, or the object itself, which is going.
            if (answer.get("kind"), answer.get("status")) != ("Status", "Success"):
                named(answer, self.api.where.address)
        except LostAnswerError:
            try:
                left = self.get(path)
            except NotFoundError:
                return
            if not left["metadata"].get("deletionTimestamp") and uid in ("", left["metadata"].get("uid")):
                raise

    def _created(self, path: str, request_id: str) -> dict[str, Any] | None:
        """The object of this name where it came by this request."""
        try:
            present = self.get(path)
        except NotFoundError:
            return None
        return present if (present["metadata"].get("annotations") or {}).get(REQUEST_ID) == request_id else None


def _holds(document: Any, patch: Any) -> bool:
    """Whether a JSON merge patch would change nothing."""
    if not isinstance(patch, Mapping):
        return bool(document == patch)
    if not isinstance(document, Mapping):
        return False
    return all(
        key not in document if value is None else _holds(document.get(key), value) for key, value in patch.items()
    )
