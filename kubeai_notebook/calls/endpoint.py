"""Where a Model answers: the gateway's address and the name to ask for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubeai_notebook import settings
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import CallError

from .http import async_http_client, http_client

if TYPE_CHECKING:
    import openai

# The gateway holds a request silently while a Model wakes, so only connecting is bounded tightly.
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 600.0


@dataclass(frozen=True)
class Endpoint:
    """A base url and the OpenAI model id to use there."""

    access: Access
    model: str

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


def access_of(of_cluster: Access | None, namespace: str) -> Access:
    """How the gateway is reached.

    The user's address → the one in the cluster's own configuration (this machine) →
    ``$KUBEAI_ENDPOINT`` → the Service from within the cluster → through the Kubernetes API.

    Raises:
        CallError: none of these is known.
    """
    explicit = settings.current().endpoint
    if of_cluster and not of_cluster.proxied_by_api and not explicit:
        return of_cluster
    address = settings.stated_endpoint(settings.current())
    if not address and settings.in_cluster():
        address = f"kubeai.{namespace}"
    if address:
        return Access(base_url=base_url_of(address))
    if of_cluster:
        return of_cluster
    raise CallError(
        "The address of KubeAI's gateway is not known here.",
        'Forward it (kubectl port-forward svc/kubeai 8000:80) and run: %config KubeAI.endpoint = "localhost:8000"',
    )


def base_url_of(address: str) -> str:
    """Complete a gateway's address, given with or without scheme, port and path.

    >>> base_url_of("kubeai:80")
    'http://kubeai:80/openai/v1'
    """
    url = address if "://" in address else f"http://{address}"
    parts = urlsplit(url.rstrip("/"))
    path = parts.path.removesuffix("/v1").removesuffix("/openai")
    return f"{parts.scheme}://{parts.netloc}{path}/openai/v1"
