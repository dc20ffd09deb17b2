"""Where the gateway is, and the clients that ask it: one Endpoint for each Session.

A client costs 30 ms to make, and each holds connections of its own: one for each handle was one for each cell that
chats, and none was ever closed. So the Session holds one, the Model's name is a parameter of the call, and what users
are given (`ModelEndpoint`, the OpenAI clients) comes from it.
"""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubeai_notebook import settings
from kubeai_notebook.core.access import Access
from kubeai_notebook.core.masking import masked_repr

from .background_loop import BackgroundLoop
from .errors import session_closed
from .http import async_http_client, http_client, library
from .patient import patient, patient_async

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import openai

    from kubeai_notebook.core.observation import Observation

    OpenAI = openai.OpenAI
    AsyncOpenAI = openai.AsyncOpenAI

# An answer may take an engine minutes; that a Model wakes first is waited for before the request is sent.
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 600.0
_SCHEME_AGAIN = re.compile(r"\A(?:https?://)+(?=https?://)")
"""Notebooks put a scheme before an address that has one; the address's own counts."""
_COMPLETED = re.compile(r"(?:(?:/openai){0,2}(?:/v1){0,2}|(?:/openai/v1){2})/?\Z")


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """What any OpenAI client needs to reach one Model."""

    base_url: str
    model: str
    """The id to ask for."""

    __repr__ = masked_repr


class Endpoint:
    """The way to one gateway; its clients are made when they are first needed, and `close` ends them all.

    The clients repeat nothing, since the gateway does. ``seen`` gives what is known of the Model of a name, without
    asking anybody: an error is explained with it, as by engine and arguments. ``waiting`` gives something again and
    again, each at once, until that Model can be asked, and raises where it never will: what users and their programs
    send is sent then. ``gone`` tells that there is no such Model any more, and is empty where that is not known.
    """

    def __init__(
        self,
        access: Access,
        *,
        seen: Callable[[str], Observation | None] = lambda _name: None,
        waiting: Callable[[str], Iterable[object]] = lambda _name: (),
        gone: Callable[[str], str] = lambda _name: "",
    ) -> None:
        self._access = access
        self.seen = seen
        self.waiting = waiting
        self.gone = gone
        self._lock = threading.RLock()
        self._clients: dict[bool, openai.OpenAI] = {}
        self._async_client: openai.AsyncOpenAI | None = None
        self._users_loop: asyncio.AbstractEventLoop | None = None
        self._own_client: openai.AsyncOpenAI | None = None
        self._own_http: Any = None
        self._closed = False
        self.loop = BackgroundLoop("kubeai-calls")
        """Where requests run that must be stoppable; with `own_client`, which is for this loop alone."""

    @property
    def access(self) -> Access:
        """How the gateway is reached at this moment: that of this machine may move."""
        return self._access if self._access.renewed is None else self._access.renewed()

    @property
    def base_url(self) -> str:
        """What other programs are told, at this moment."""
        return self.access.base_url

    @property
    def client(self) -> openai.OpenAI:
        """The OpenAI client for users' threads; it waits for a Model that is not ready."""
        return self._for_threads(waits=True)

    @property
    def thread_client(self) -> openai.OpenAI:
        """The OpenAI client for threads of ours, which have waited by then."""
        return self._for_threads(waits=False)

    def _for_threads(self, *, waits: bool) -> openai.OpenAI:
        import openai

        with self._opened():
            if waits not in self._clients:
                http = http_client(self.access, patient(self.waiting) if waits else None)
                self._clients[waits] = openai.OpenAI(http_client=http, **self._settings())
            self._clients[waits] = _at(self._clients[waits], self.base_url)
            return self._clients[waits]

    @property
    def async_client(self) -> openai.AsyncOpenAI:
        """The OpenAI client for the user's own ``await``; made anew where the user has closed it."""
        import openai

        with self._opened():
            if self._async_client is None or self._async_client.is_closed():
                http = async_http_client(self.access, self._note_loop, patient_async(self.waiting))
                self._async_client = openai.AsyncOpenAI(http_client=http, **self._settings())
            self._async_client = _at(self._async_client, self.base_url)
            return self._async_client

    @property
    def own_client(self) -> openai.AsyncOpenAI:
        """The OpenAI client for `loop`."""
        import openai

        with self._opened():
            if self._own_client is None:
                self._own_http = async_http_client(self.access)
                self._own_client = openai.AsyncOpenAI(http_client=self._own_http, **self._settings())
            return self._own_client

    @property
    def own_http(self) -> tuple[Any, str]:
        """The HTTP client under `own_client`, and the address to ask it for: for what is written and read by hand."""
        client = self.own_client
        return self._own_http, str(client.base_url).rstrip("/")

    def close(self) -> None:
        """End all requests and connections."""
        with self._lock:
            self._closed = True
            clients, self._clients = self._clients, {}
            users, self._async_client = self._async_client, None
        for client in clients.values():
            client.close()
        if users is not None:
            _close_in(self._users_loop, users)
        self.loop.close(self._close_own())

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise session_closed()
            yield

    def _settings(self) -> dict[str, Any]:
        import openai

        return {
            "base_url": self.base_url,
            "api_key": "unused",
            "max_retries": 0,
            "timeout": openai.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        }

    async def _note_loop(self, _request: object) -> None:
        self._users_loop = asyncio.get_running_loop()

    async def _close_own(self) -> None:
        if self._own_client is not None:
            await self._own_client.close()

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _at(client: Any, base_url: str) -> Any:
    """The client with this address; it goes on with the same connections."""
    is_there = client.base_url == library().URL(f"{base_url.rstrip('/')}/")
    return client if is_there else client.with_options(base_url=base_url)


def _close_in(loop: asyncio.AbstractEventLoop | None, client: openai.AsyncOpenAI) -> None:
    """Close a client in the loop that its connections belong to; without one, it has none."""
    if loop is None or loop.is_closed() or client.is_closed():
        return
    if loop.is_running():
        asyncio.run_coroutine_threadsafe(client.close(), loop)
        return
    try:
        asyncio.get_running_loop()  # where one runs in this thread, the other one cannot
    except RuntimeError:
        loop.run_until_complete(client.close())


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
    """Complete a gateway's address: with or without scheme, port, ``/openai`` and ``/v1``, each once or twice.

    >>> base_url_of("kubeai:80")
    'http://kubeai:80/openai/v1'
    >>> base_url_of("https://host/kubeai/openai/v1/openai/v1/")
    'https://host/kubeai/openai/v1'
    """
    address = _SCHEME_AGAIN.sub("", address)
    parts = urlsplit(address if "://" in address else f"http://{address}")
    path = _COMPLETED.sub("", parts.path, count=1)
    return f"{parts.scheme}://{parts.netloc}{path}/openai/v1"
