"""What the gateway offers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.objects import maps_at

from .endpoint import Endpoint
from .errors import explained, object_of, reading, unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kubeai_notebook.core.access import Access


def offered(access: Access, timeout_seconds: float) -> tuple[Sequence[Mapping[str, Any]], float]:
    """The models that the gateway lists, and how many seconds that took.

    Raises:
        CallError: the gateway does not answer, refuses it, or answers something that cannot be read.
    """
    endpoint = Endpoint(access, "The gateway")
    with explained(endpoint.model, this_machine=endpoint.access.this_machine), endpoint.client as client:
        begun = time.monotonic()
        response: Any = client.with_options(timeout=timeout_seconds).models.with_raw_response.list()
    seconds = time.monotonic() - begun
    with reading(endpoint.model):
        answer = object_of(response.content, endpoint.model)
        if not isinstance(answer.get("data"), list):
            raise unreadable(endpoint.model, "it lists no models")
        return maps_at(answer, "data"), seconds
