"""A list, or with ``limit`` one page of it: every page shows the moment of the first."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from .errors import StatusError, bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .resources import Object, Ref
    from .selectors import Selector
    from .store import Store

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. "
    "You must start a new list without the continue parameter."
)


def page_of(store: Store, target: Ref, *, query: Mapping[str, str], selected: Selector) -> Object:
    """The answer to a list request. StatusError 400 for a wrong token, 410 for one that is too old."""
    limit, resource = query.get("limit") or "0", target.resource
    if not limit.isdecimal():
        raise bad_request(f'strconv.ParseInt: parsing "{limit}": invalid syntax')
    version, after = _read(query["continue"]) if query.get("continue") else (store.version, "")
    try:
        found = store.items(resource, target.namespace, version=version)
    except StatusError as error:
        raise StatusError(410, "Expired", _TOO_OLD) from error
    left = [item for item in found if _key(item) > after and selected(item)]
    shown = left[: int(limit)] if int(limit) else left
    metadata: Object = {"resourceVersion": str(version)}
    if len(shown) < len(left):
        metadata["continue"] = base64.urlsafe_b64encode(f"{version} {_key(shown[-1])}".encode()).decode()
        if not query.get("labelSelector") and not query.get("fieldSelector"):
            metadata["remainingItemCount"] = len(left) - len(shown)
    return {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata, "items": shown}


def _key(item: Object) -> str:
    """Sorts as the store does: a NUL comes before whatever a longer namespace goes on with."""
    return f"{item['metadata'].get('namespace', '')}\0{item['metadata']['name']}"


def _read(token: str) -> tuple[int, str]:
    try:
        version, _, after = base64.urlsafe_b64decode(token).decode().partition(" ")
        return int(version), after
    except ValueError as error:
        raise bad_request(f"continue key is not valid: {error}") from error
