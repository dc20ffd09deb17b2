"""Where a Model answers: the gateway's address and the name to ask for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubeai_notebook import settings
from kubeai_notebook.core.access import Access

from .http import async_http_client, http_client

if TYPE_CHECKING:
    from collections.abc import Callable

    import openai

# The gateway holds a request silently while a Model wakes, so only connecting is bounded tightly.
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 600.0


@dataclass(frozen=True)
class Endpoint:
    """A base url and the OpenAI model id to use there."""

    access: Access
    model: str

    @property
    def current(self) -> bool:
        """Whether the gateway is still where this says."""
        return self.access.renewed is None or self.access.renewed() == self.access

    @cached_property
    def client(self) -> openai.OpenAI:
        """An OpenAI client for this endpoint, made once; it repeats nothing, since the gateway does."""
        import openai

        return openai.OpenAI(http_client=http_client(self.access), **self._settings())

    @cached_property
    def async_client(self) -> openai.AsyncOpenAI:
        """The same for ``await``."""
        import openai

        return openai.AsyncOpenAI(http_client=async_http_client(self.access), **self._settings())

    def _settings(self) -> dict[str, Any]:
        import openai

        return {
            "base_url": self.access.base_url,
            "api_key": "unused",
            "max_retries": 0,
            "timeout": openai.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        }


def access_of(
    near: Access | None, far: Callable[[], Access], namespace: str, *, now: settings.Settings | None = None
) -> Access:
    """How the gateway is reached; ``far``, which may send requests, is asked only where nothing else is known.

    The user's address → the one in the cluster's own configuration (``near``, this machine) →
    ``$KUBEAI_ENDPOINT`` → the Service from within the cluster → through the Kubernetes API (``far``).
    ``now``: the settings to go by; by default those in force.
    """
    now = now or settings.current()
    if near and not now.endpoint:
        return near
    address = now.endpoint or now.platform_endpoint
    if not address and settings.in_cluster():
        address = f"kubeai.{namespace}"
    return Access(base_url=base_url_of(address)) if address else far()


def base_url_of(address: str) -> str:
    """Complete a gateway's address, given with or without scheme, port and path.

    >>> base_url_of("kubeai:80")
    'http://kubeai:80/openai/v1'
    """
    url = address if "://" in address else f"http://{address}"
    parts = urlsplit(url.rstrip("/"))
    path = parts.path.removesuffix("/v1").removesuffix("/openai")
    return f"{parts.scheme}://{parts.netloc}{path}/openai/v1"
