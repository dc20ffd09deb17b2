"""What an API server does to an object before it is stored: check, prune, default."""

from __future__ import annotations

from typing import Any

from kubeai_notebook.core.kubernetes.kinds import MODELS, Object, Resource
from kubeai_notebook.core.rules.admission import admit
from kubeai_notebook.core.rules.metadata import check_kept

from .plain import admit_plain
from .refusals import bad_request, invalid


def admitted(
    resource: Resource, item: Any, *, old: Object | None = None, strict: bool = False, status: bool = False
) -> tuple[Object, tuple[str, ...]]:
    """Check, prune, default; the object and the unknown fields it had. StatusError 400 or 422.

    ``old`` is the stored object of an update; ``status`` tells that the write goes to that subresource.
    """
    if resource is MODELS:
        verdict = admit(item, old, strict=strict, keep_status=status)
    else:
        verdict = admit_plain(item, resource.kind, resource.api_version, old=old)
    if verdict.bad_request:
        raise bad_request(verdict.bad_request)
    item = verdict.object
    if resource is not MODELS and "status" in resource.subresources and not status and old:
        item = {**item, "status": old.get("status", {})}
    causes = [*verdict.causes, *check_kept(item["metadata"], old["metadata"] if old else {})]
    if causes:
        raise invalid(resource, item["metadata"].get("name", ""), causes, kind=item["kind"])
    return item, verdict.unknown_fields
