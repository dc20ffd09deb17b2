"""How an API server refuses: ``Status`` bodies, worded as kube-apiserver 1.36 words them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.rules.admission import summary_message
from kubeai_notebook.local.emulation.kinds import Ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubeai_notebook.core.rules.admission_errors import Cause
    from kubeai_notebook.local.emulation.kinds import Object, Resource

_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class StatusError(Exception):
    """An answer that is a failure; ``body`` is the ``Status`` that the client reads."""

    def __init__(self, code: int, reason: str, message: str, *, details: Object | None = None) -> None:
        super().__init__(message)
        more: Object = {"reason": reason} if reason else {}
        more |= {} if details is None else {"details": details}
        self.code = code
        self.body: Object = {**status_body("Failure"), "message": message, **more, "code": code}


def status_body(outcome: str) -> Object:
    """A ``Status`` without its details."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": outcome}


def details_of(ref: Ref) -> Object:
    """What names an object in a ``Status``."""
    group = {"group": ref.resource.group} if ref.resource.group else {}
    return {"name": ref.name, **group, "kind": ref.resource.plural}


def not_found(ref: Ref) -> StatusError:
    """404: no such object."""
    return StatusError(404, "NotFound", f'{ref.resource.qualified} "{ref.name}" not found', details=details_of(ref))


def already_exists(ref: Ref, *, deleting: bool) -> StatusError:
    """409: the name is taken."""
    message = f'{"object is being deleted: " * deleting}{ref.resource.qualified} "{ref.name}" already exists'
    return StatusError(409, "AlreadyExists", message, details=details_of(ref))


def conflict(ref: Ref, why: str = _MODIFIED, *, kind: str = "") -> StatusError:
    """409: the object is not the one, or not in the version, that was meant."""
    name = f"{kind}.{ref.resource.group}".rstrip(".") if kind else ref.resource.qualified
    details = details_of(ref) | ({"kind": kind} if kind else {})
    message = f'Operation cannot be fulfilled on {name} "{ref.name}": {why}'
    return StatusError(409, "Conflict", message, details=details)


def forbidden(resource: Resource, name: str, why: str) -> StatusError:
    """403: an admission policy of this cluster speaks against it."""
    message = f'{resource.qualified} "{name}" is forbidden: {why}'
    return StatusError(403, "Forbidden", message, details=details_of(Ref(resource, "", name)))


def bad_request(message: str) -> StatusError:
    """400."""
    return StatusError(400, "BadRequest", message)


def method_not_allowed() -> StatusError:
    """405: this API is a closed list of requests."""
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unsupported_media(*accepted: str) -> StatusError:
    """415: a body of another type."""
    message = "the body of the request was in an unknown format - accepted media types include: "
    return StatusError(415, "UnsupportedMediaType", message + ", ".join(accepted))


def invalid(resource: Resource, name: str, causes: Sequence[Cause], *, kind: str = "") -> StatusError:
    """422 with one cause for each wrong field."""
    kind, group = kind or resource.kind, {"group": resource.group} if resource.group else {}
    listed = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
    message = summary_message(f"{kind}.{resource.group}".rstrip("."), name, causes)
    named = {"name": name} if name else {}
    return StatusError(422, "Invalid", message, details={**named, **group, "kind": kind, "causes": listed})
