"""Where a Model answers: the gateway's address and the name to ask for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kubeai_notebook import settings
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import CallError

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
        """An OpenAI client for this endpoint; it repeats nothing, since the gateway does."""
        import openai

        # A proxy of the environment is never on the way to this machine itself.
        direct = urlsplit(self.access.base_url).hostname in ("127.0.0.1", "localhost", "::1")
        return openai.OpenAI(
            base_url=self.access.base_url,
            api_key="unused",
            max_retries=0,
            timeout=openai.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            http_client=openai.DefaultHttpxClient(trust_env=not direct),
        )


def access_of(stated: Access | None, namespace: str) -> Access:
    """The gateway's address: the user's, the cluster's own statement, or its Service from within the cluster.

    Raises:
        CallError: none of these is known.
    """
    explicit = settings.current().endpoint
    if stated and not explicit:
        return stated
    address = settings.stated_endpoint(settings.current())
    if not address and settings.in_cluster():
        address = f"kubeai.{namespace}"
    if not address:
        raise CallError(
            "The address of KubeAI's gateway is not known here.",
            'Forward it (kubectl port-forward svc/kubeai 8000:80) and run: %config KubeAI.endpoint = "localhost:8000"',
        )
    return Access(base_url=base_url_of(address))


def base_url_of(address: str) -> str:
    """Complete a gateway's address, given with or without scheme, port and path.

    >>> base_url_of("kubeai:80")
    'http://kubeai:80/openai/v1'
    """
    url = address if "://" in address else f"http://{address}"
    parts = urlsplit(url.rstrip("/"))
    path = parts.path.removesuffix("/v1").removesuffix("/openai")
    return f"{parts.scheme}://{parts.netloc}{path}/openai/v1"
