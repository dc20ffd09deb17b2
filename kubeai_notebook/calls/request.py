"""One request to the gateway, as it is: for routes that have no function of their own here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.masking import masked_repr
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
    timeout: Any = ...
    """Seconds, ``(to connect, to read)`` as requests takes it, or None for no limit; left out, the Session's."""

    __repr__ = masked_repr


def send(endpoint: Endpoint, model: str, request: Request) -> Any:
    """Send it with the gateway's credentials; returns the response (``.json()``, ``.status_code`` …).

    A refusal is a response too, as with requests: whoever writes a request by hand reads its status.
    ``model`` is the name that errors tell.

    Raises:
        CallError: no answer came, or a redirect, which is never followed.
    """
    import openai

    with explained(model, endpoint):
        try:
            return _answer(endpoint.thread_client, request)
        except openai.APIStatusError as error:
            if error.response.is_error:
                return error.response
            raise


def _answer(client: Any, request: Request) -> Any:
    kind = {"Content-Type": "multipart/form-data"} if request.files else {}
    options: dict[str, Any] = {"headers": {**kind, **request.headers}, "params": dict(request.params)}
    if request.timeout is not ...:
        options["timeout"] = _limits(request.timeout)
    response = library().Response
    if request.body is None:
        return client.get(request.path, cast_to=response, options=options)
    if request.method.upper() != "POST":
        raise CallError(f"The gateway's routes take POST, not {request.method}.", "Leave the method out.")
    files = list(request.files.items()) if request.files else None
    return client.post(request.path, cast_to=response, body=dict(request.body), files=files, options=options)


def _limits(given: Any) -> Any:
    connect, read = given if isinstance(given, tuple) else (given, given)
    return library().Timeout(read, connect=connect)
