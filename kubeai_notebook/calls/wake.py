"""A request that wakes a sleeping Model, so that whoever calls it can see meanwhile what it is doing.

The gateway wakes a Model for the first request and holds that until a replica is ready, for minutes and in silence, and
a proxy before it may break it off. So the user's own request is sent once a replica is ready; what wakes is this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import KubeAIError

from .errors import explained
from .probe import small_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .endpoint import Endpoint


class Wake:
    """Asks a Model for one token or one vector until `close`."""

    def __init__(self, endpoint: Endpoint, model: str, features: Sequence[str]) -> None:
        self._asking = endpoint.loop.submit(_ask(endpoint, model, features))

    @property
    def over(self) -> bool:
        """Whether the request was answered or has failed."""
        return self._asking.done()

    @property
    def error(self) -> KubeAIError | None:
        """Why it failed; ``None`` as long as it has not."""
        return self._asking.result() if self._asking.done() and not self._asking.cancelled() else None

    def close(self) -> None:
        """End the request, and the engine's work on it; the Model stays awake."""
        self._asking.cancel()


async def _ask(endpoint: Endpoint, model: str, features: Sequence[str]) -> KubeAIError | None:
    client: Any = endpoint.own_client
    try:
        with explained(model, endpoint):
            await small_request(client, model, features)
    except KubeAIError as error:
        return error
    return None
