"""The HTTP client under an OpenAI client: the credentials, certificates and proxies of one Access."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kubeai_notebook.core.access import Access

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def http_client(access: Access) -> Any:
    """An ``http_client`` for ``openai.OpenAI``, whichever HTTP library that is built on (httpx, or httpx2 from 3.0)."""
    import openai

    return openai.DefaultHttpxClient(event_hooks={"request": [_signing(access)]}, **_options(access))


def async_http_client(access: Access) -> Any:
    """An ``http_client`` for ``openai.AsyncOpenAI``."""
    import openai

    return openai.DefaultAsyncHttpxClient(event_hooks={"request": [_signing_async(access)]}, **_options(access))


def _signing(access: Access) -> Callable[[Any], None]:
    """What is done to each request: a token is asked for anew, since it may have been renewed."""

    def sign(request: Any) -> None:
        if access.proxied_by_api:
            _sign(request, access.token() if access.token else None, access.server_name)

    return sign


def _signing_async(access: Access) -> Callable[[Any], Awaitable[None]]:
    async def sign(request: Any) -> None:
        if access.proxied_by_api:
            # An exec plugin may take seconds.
            token = await asyncio.to_thread(access.token) if access.token else None
            _sign(request, token, access.server_name)

    return sign


def _sign(request: Any, login: str | None, server_name: str | None) -> None:
    # The client's own header holds a key that is none; an API server would refuse it.
    request.headers.pop("authorization", None)
    if login:
        request.headers["authorization"] = login
    if server_name:
        request.extensions = {**request.extensions, "sni_hostname": server_name}


def _options(access: Access) -> dict[str, Any]:
    # A proxy of the environment is never on the way to this machine itself.
    direct = access.proxied_by_api or urlsplit(access.base_url).hostname in _LOOPBACK
    options: dict[str, Any] = {"trust_env": not direct}
    if access.proxy:
        options["proxy"] = access.proxy
    if access.base_url.startswith("https:") and (access.ca_file or access.client_certificate or not access.verify):
        options["verify"] = _tls(access)
    return options


def _tls(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=access.ca_file)
    # Python 3.13 asks of a certificate what many clusters' own authorities leave out.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", ssl.VerifyFlags(0))
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.client_certificate:
        context.load_cert_chain(*access.client_certificate)
    return context
