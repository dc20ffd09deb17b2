"""The models that the gateway lists."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from kubeai_notebook.core.model_spec import FEATURES
from kubeai_notebook.core.objects import maps_at

from .errors import GATEWAY, explained, object_of, reading, unreadable
from .http import library

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .endpoint import Endpoint


_ALL = f"/models?{urlencode({'feature': FEATURES}, doseq=True)}"
"""Without a feature, KubeAI's gateway lists the models that generate text, and no other."""


def offered(endpoint: Endpoint, timeout_seconds: float) -> tuple[Sequence[Mapping[str, Any]], float]:
    """The models that the gateway lists, and how many seconds that took.

    Raises:
        CallError: the gateway does not answer, refuses it, or answers something that cannot be read.
    """
    with explained(GATEWAY, endpoint):
        client: Any = endpoint.thread_client.with_options(timeout=timeout_seconds)
        begun = time.monotonic()
        response = client.get(_ALL, cast_to=library().Response)
        seconds = time.monotonic() - begun
        answer = object_of(response.content, GATEWAY)
    with reading(GATEWAY):
        if not isinstance(answer.get("data"), list):
            raise unreadable(GATEWAY, "it lists no models")
        return maps_at(answer, "data"), seconds
