"""The models that the gateway lists."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.objects import maps_at

from .errors import GATEWAY, explained, object_of, reading, unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .endpoint import Endpoint


def offered(endpoint: Endpoint, timeout_seconds: float) -> tuple[Sequence[Mapping[str, Any]], float]:
    """The models that the gateway lists, and how many seconds that took.

    Raises:
        CallError: the gateway does not answer, refuses it, or answers something that cannot be read.
    """
    with explained(GATEWAY, endpoint):
        client = endpoint.thread_client.with_options(timeout=timeout_seconds)
        begun = time.monotonic()
        response: Any = client.models.with_raw_response.list()
        seconds = time.monotonic() - begun
        answer = object_of(response.content, GATEWAY)
    with reading(GATEWAY):
        if not isinstance(answer.get("data"), list):
            raise unreadable(GATEWAY, "it lists no models")
        return maps_at(answer, "data"), seconds
