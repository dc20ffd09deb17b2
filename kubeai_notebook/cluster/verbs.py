"""What every verb on one namespace stands on: paths, lists, and writes whose answer may get lost."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import ConflictError, NotFoundError

from .api import JSON
from .errors import LostAnswerError

if TYPE_CHECKING:
    from .api import Api, Query

FIELD_MANAGER = "kubeai-notebook"
REQUEST_ID = "kubeai-notebook/request-id"
"""The annotation by which an object is found again whose creation was never confirmed."""
PAGE = 500


class Verbs:
    """Requests on one namespace of one API."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api = api
        self.namespace = namespace

    def path(self, group: str, plural: str, name: str = "") -> str:
        """Path of a collection of this namespace, or of one object in it."""
        return f"{group}/namespaces/{self.namespace}/{plural}{'/' + name if name else ''}"

    def get(self, path: str, *, query: Query | None = None) -> dict[str, Any]:
        """Read one object."""
        return _object(self.api.request("GET", path, query=query))

    def listed(self, path: str, *, query: Query | None = None, accept: str = JSON) -> list[dict[str, Any]]:
        """All objects of a collection, page by page."""
        items: list[dict[str, Any]] = []
        token = ""
        while True:
            wanted = {**(query or {}), "limit": PAGE, **({"continue": token} if token else {})}
            page = self.api.request("GET", path, query=wanted, accept=accept)
            items += page.get("items") or []
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return items

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
        where, request_id = f"{path}/{metadata['name']}", annotations[REQUEST_ID]
        try:
            return _object(self.api.request("POST", path, query=query, body=body))
        except LostAnswerError:
            found = self._created(where, request_id)
        if found is not None:
            return found
        try:
            # The first may still be on its way: then this one is refused as a second of the same name.
            return _object(self.api.request("POST", path, query=query, body=body))
        except ConflictError:
            found = self._created(where, request_id)
            if found is None:
                raise
            return found

    def patch(self, path: str, patch: Mapping[str, Any], *, query: Query | None = None) -> dict[str, Any]:
        """Apply a JSON merge patch; where the answer gets lost, the object itself tells whether it came through."""
        try:
            return _object(self.api.request("PATCH", path, query=query, body=patch))
        except LostAnswerError:
            found = self.get(path)
            if not _holds(found, patch):
                raise
            return found

    def delete(self, path: str, *, query: Query | None = None) -> None:
        """Delete an object; where the answer gets lost, it counts as done when the object is gone or going."""
        try:
            self.api.request("DELETE", path, query=query)
        except LostAnswerError:
            try:
                left = self.get(path)
            except NotFoundError:
                return
            if not left["metadata"].get("deletionTimestamp"):
                raise

    def _created(self, path: str, request_id: str) -> dict[str, Any] | None:
        """The object of this name where it came by this request."""
        try:
            found = self.get(path)
        except NotFoundError:
            return None
        return found if (found["metadata"].get("annotations") or {}).get(REQUEST_ID) == request_id else None


def _object(answer: Any) -> dict[str, Any]:
    return answer if isinstance(answer, dict) else {}


def _holds(document: Any, patch: Any) -> bool:
    """Whether a JSON merge patch would change nothing."""
    if not isinstance(patch, Mapping):
        return bool(document == patch)
    if not isinstance(document, Mapping):
        return False
    return all(
        key not in document if value is None else _holds(document.get(key), value) for key, value in patch.items()
    )
