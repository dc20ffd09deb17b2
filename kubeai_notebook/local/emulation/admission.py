"""What an API server does to an object before it is stored: check, prune, default."""

from __future__ import annotations

from typing import Any

from kubeai_notebook.core.kubeai.this_machine import code_refusal
from kubeai_notebook.core.rules.admission import admit
from kubeai_notebook.core.rules.metadata import check_kept
from kubeai_notebook.local.emulation.kinds import MODELS, Object, Resource

from .plain import admit_plain
from .refusals import bad_request, forbidden, invalid


def admitted(
    resource: Resource, item: Any, *, old: Object | None = None, strict: bool = False, status: bool = False
) -> tuple[Object, tuple[str, ...]]:
    """Check, prune, default; the object and the unknown fields it had. StatusError 400, 403 or 422.

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
    if resource is MODELS and not status and (why := code_refusal(_new_variables(item, old))):
        raise forbidden(resource, item["metadata"].get("name", ""), f"{why}.")
    return item, verdict.unknown_fields


def _new_variables(model: Object, old: Object | None) -> list[str]:
    """The variables that a write brings: what stands there from before must not keep a Model from being taken away."""
    given, before = (dict((manifest.get("spec") or {}).get("env") or {}) for manifest in (model, old or {}))
    return [name for name, value in given.items() if before.get(name) != value]
