"""One request to a run: its route found, its model filled in."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from kubeai_notebook.calls.request import Request
from kubeai_notebook.core.masking import quoted
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.naming import request_name
from kubeai_notebook.errors import CallError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .fields import Fields

# What a body holds tells where it belongs.
_ROUTE_OF = {"messages": "/chat/completions", "prompt": "/completions", "documents": "/rerank", "input": "/embeddings"}
_OF_REQUESTS = ("stream", "verify", "cookies", "auth", "allow_redirects")
"""Keywords of requests that the platform hands on to it; a notebook that gives some runs here too."""
_SPOKEN = "/audio/transcriptions"


def request_of(status: Fields, method: str, url: str | None, **content: Any) -> Request:
    """The request for ``json``, ``data`` or ``files``, with ``adapter``, ``headers`` and ``params`` beside them.

    Raises:
        CallError: nothing says where it is to go, it goes elsewhere than to this run, or there is no such adapter.
    """
    body, files = _body(content.pop("json", None), content.pop("data", None)), content.pop("files", None)
    adapter = content.pop("adapter", None)
    for name in _OF_REQUESTS:  # the way to the gateway is the Session's own
        content.pop(name, None)
    further: dict[str, Any] = {name: content.pop(name) or {} for name in ("headers", "params") if name in content}
    if "timeout" in content:
        further["timeout"] = _checked_timeout(content.pop("timeout"))
    if content:
        unknown = next(iter(content))
        near = did_you_mean(unknown, ("json", "data", "files", "adapter", "headers", "params", "timeout"))
        raise CallError(f'A request has no "{unknown}".{near}', 'Fields of the API go into json={"prompt": …}.')
    if body is None and files is None:
        # Without a feature the gateway lists the models that generate text, and no others.
        listed = f"/models?{urlencode({'feature': status.openai.features}, doseq=True)}"
        return Request(method="GET", path=_path(status, url) if url else listed, **further)
    name = request_name(status.openai.model, _adapter(status, adapter))
    path = _path(status, url) if url else _route(status, body or {}, files)
    return Request(method=method, path=path, body={"model": name, **(body or {})}, files=files, **further)


def _body(given: Any, data: Any) -> Mapping[str, Any] | None:
    body = given if given is not None else data
    if isinstance(body, str | bytes):
        try:
            body = json.loads(body)
        except ValueError as error:
            raise CallError("The request's data is no JSON.", str(error)) from None
    if body is not None and not isinstance(body, dict):
        raise CallError("The request's json must be a dict.", 'Write it like json={"prompt": "Hi"}.')
    return body


def _checked_timeout(given: Any) -> Any:
    parts = given if isinstance(given, tuple) and len(given) == 2 else (given,)
    if all(part is None or (isinstance(part, int | float) and part > 0) for part in parts):
        return given
    raise CallError("timeout must be a number of seconds above 0.", "Write it like timeout=60, or leave it out.")


def _adapter(status: Fields, adapter: str | None) -> str | None:
    known = [item["name"] for item in status.openai.adapters]
    if adapter is not None and adapter not in known:
        hint = f"Its adapters are: {', '.join(known)}." if known else "It has none."
        raise CallError(f'The run has no adapter "{adapter}".{did_you_mean(adapter, known)}', hint)
    return adapter


def _route(status: Fields, body: Mapping[str, Any], files: Any) -> str:
    path = _SPOKEN if files else next((path for key, path in _ROUTE_OF.items() if key in body), None)
    offered = [url.removeprefix(status.service.url) for url in status.service.urls[1:]]
    taken = [f'json={{"{key}": …}}' for key, path in _ROUTE_OF.items() if path in offered]
    taken += ['files={"file": …}'] if _SPOKEN in offered else []
    if path is None:
        raise CallError("Nothing in the request says where it is to go.", f"This run takes {' or '.join(taken)}.")
    if path not in offered:
        features = " and ".join(status.openai.features)
        raise CallError(f"This run does not answer at {path}: it serves {features}.", f"Send {' or '.join(taken)}.")
    return path


def _path(status: Fields, url: str) -> str:
    """What of a url is below the base url: whole, without scheme, or the path alone."""
    base = status.service.url
    url = re.sub(r"^(https?://)+", r"\1", url).replace("/v1/v1/", "/v1/")  # as notebooks put urls together
    bare = f"{urlsplit(base).netloc}{urlsplit(base).path}"
    for start in (base, bare):
        if url.startswith(f"{start}/"):
            return url.removeprefix(start)
    if url.startswith("/"):
        return url.removeprefix(urlsplit(base).path)
    raise CallError(f"The url {quoted(url, 120)} is not one of this run's.", "list_endpoints() names them.")
