"""One request to the gateway, as it is: for routes that have no function of their own here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import CallError

from .errors import explained
from .http import library

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .endpoint import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent to the gateway; ``path`` is below its base url."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    files: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)


def send(endpoint: Endpoint, model: str, request: Request) -> Any:
    """Send it with the gateway's credentials; returns the response (``.json()``, ``.status_code`` …).

    ``model`` is the name that errors tell.

    Raises:
        CallError: the gateway or the engine refused it.
    """
    kind = {"Content-Type": "multipart/form-data"} if request.files else {}
    options: Any = {"headers": {**kind, **request.headers}, "params": dict(request.params)}
    with explained(model, endpoint):
        client, response = endpoint.thread_client, library().Response
        if request.body is None:
            return client.get(request.path, cast_to=response, options=options)
        if request.method.upper() != "POST":
            raise CallError(f"The gateway's routes take POST, not {request.method}.", "Leave the method out.")
        files = list(request.files.items()) if request.files else None
        return client.post(request.path, cast_to=response, body=dict(request.body), files=files, options=options)
