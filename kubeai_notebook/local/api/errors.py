"""Kubernetes ``Status`` bodies, worded as kube-apiserver 1.36 words them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .resources import Object, Ref, Resource


class StatusError(Exception):
    """An answer that is a failure; ``body`` is the ``Status`` that the client reads."""

    def __init__(self, code: int, reason: str, message: str, *, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            **({"details": details} if details else {}),
            "code": code,
        }


def not_found(ref: Ref) -> StatusError:
    """404: no such object."""
    return StatusError(404, "NotFound", f'{ref.resource.qualified} "{ref.name}" not found', details=_details(ref))


def already_exists(ref: Ref) -> StatusError:
    """409: the name is taken."""
    message = f'{ref.resource.qualified} "{ref.name}" already exists'
    return StatusError(409, "AlreadyExists", message, details=_details(ref))


def conflict(ref: Ref) -> StatusError:
    """409: the resourceVersion that was sent is not the present one."""
    message = (
        f'Operation cannot be fulfilled on {ref.resource.qualified} "{ref.name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    return StatusError(409, "Conflict", message, details=_details(ref))


def expired(version: int, oldest: int) -> StatusError:
    """410: the history no longer reaches back to this version."""
    return StatusError(410, "Expired", f"too old resource version: {version} ({oldest})")


def bad_request(message: str) -> StatusError:
    """400."""
    return StatusError(400, "BadRequest", message)


def method_not_allowed() -> StatusError:
    """405: this API is a closed list of requests."""
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unsupported_media() -> StatusError:
    """415: a patch of another type."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json, application/merge-patch+json"
    )
    return StatusError(415, "UnsupportedMediaType", message)


def unauthorized() -> StatusError:
    """401."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def invalid(resource: Resource, name: str, causes: Sequence[Object]) -> StatusError:
    """422 with one cause for each wrong field, each ``{reason, message, field}``."""
    parts = [f"{cause['field']}: {cause['message']}" for cause in causes]
    text = parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details: Object = {"name": name, "group": resource.group, "kind": resource.kind, "causes": list(causes)}
    return StatusError(422, "Invalid", f'{kind} "{name}" is invalid: {text}', details=details)


def _details(ref: Ref) -> Object:
    group = {"group": ref.resource.group} if ref.resource.group else {}
    return {"name": ref.name, **group, "kind": ref.resource.plural}
