"""Connection: what a Session holds of one cluster, from the first use to `close`.

A Session used to keep its parts as cached properties, and closing took them out of its ``__dict__``. The next use
then made new ones by the settings of that moment, so a handle that was made for one cluster deleted on another. Now
closed is a state that nothing leaves. The parts are made under one lock of this Connection: threads that need the
same part wait for the one that makes it, and two Sessions never wait for each other. Nothing slow is done while the
lock is held, so `close` returns at once, also while something connects; what was being made is closed with the rest.
"""

from __future__ import annotations

import math
import re
import threading
import time
import weakref
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from kubeai_notebook import deploy
from kubeai_notebook import settings as settings_of_process
from kubeai_notebook.calls.endpoint import Endpoint, access_of
from kubeai_notebook.calls.forward import Forward
from kubeai_notebook.core.naming import name_and_adapter
from kubeai_notebook.core.objects import text_at, uid_of
from kubeai_notebook.core.retries import is_tried_again
from kubeai_notebook.core.served import user_name
from kubeai_notebook.errors import KubeAIError, NotFoundError, SessionClosedError
from kubeai_notebook.loopback.peers import KNOWN as WHOSE_IS_KNOWN

from .live.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.cluster.timing import Timing
    from kubeai_notebook.core.access import Access
    from kubeai_notebook.core.observation import Observation
    from kubeai_notebook.core.remedy import Remedy
    from kubeai_notebook.core.view import View
    from kubeai_notebook.core.whereabouts import Whereabouts
    from kubeai_notebook.settings import Settings

KEPT_LISTS = 256
Place = tuple[str, str, str, str, str]
"""Context, namespace, and as stated: kubeconfig, the user's gateway, the platform's gateway. No login is in it."""
_LOGIN = re.compile(r"^([^/]*://)?[^/?#]*@")


class _Closable(Protocol):
    def close(self) -> None: ...


_Key = TypeVar("_Key")
_Part = TypeVar("_Part")
_Opened = TypeVar("_Opened", bound=_Closable)


class Connection:
    """Cluster, Facts, Endpoint and Publisher of one namespace, each made when it is first used.

    ``context`` and ``namespace`` go before those of ``settings``, which by default are those in force now. ``timing``
    says how long what watches the cluster waits for what.
    """

    def __init__(
        self,
        *,
        context: str = "",
        namespace: str = "",
        settings: Settings | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._context, self._namespace, self._timing = context, namespace, timing
        self.settings = settings or settings_of_process.current()
        """What it works by. Only of a default Session is it ever replaced, where the place stays the same."""
        self.shown_remedies: OrderedDict[str, tuple[Remedy, ...]] = OrderedDict()
        """The Remedies that were last shown as a numbered list, by the Model's uid; see `remember_shown`."""
        self.dry_runs: OrderedDict[tuple[str, str, str], tuple[Mapping[str, Any], Remedy]] = OrderedDict()
        """What was shown to change, and by what: by the Model's uid, its resourceVersion and the Remedy's id."""
        self._changed = threading.Condition()
        self._parts: dict[str, Any] = {}
        self._making: set[str] = set()
        self._opened: dict[str, _Closable] = {}
        """What `close` closes, which may still be in the making."""
        self._closed_because = ""
        self._forgotten_at_seconds = -math.inf
        self._found: tuple[str, str] | None = None

    @property
    def cluster(self) -> Cluster:
        """The client of the Kubernetes API."""
        return self._part("cluster", self._connect)

    @property
    def where(self) -> Whereabouts:
        """The cluster and the namespace, in words."""
        return self.cluster.where

    @property
    def publisher(self) -> Publisher:
        """What watches the Models."""
        cluster = self.cluster
        return self._part("publisher", lambda: self._watch(cluster))

    @property
    def place(self) -> Place:
        """All that selects it: as it found that or, before it connected, as it is configured.

        Two Connections of one place lead to the same Models. This machine has no kubeconfig of the user's.
        """
        context, namespace = self._found or (
            self._context or self.settings.context,
            self._namespace or self.settings.namespace,
        )
        kubeconfig = "" if context == settings_of_process.LOCAL else self.settings.kubeconfig
        gateways = without_login(self.settings.endpoint), without_login(self.settings.platform_endpoint)
        return context, namespace, kubeconfig, *gateways

    @property
    def facts(self) -> deploy.Facts:
        """What the cluster offers and allows; asked again when older than a minute."""
        cluster = self.cluster
        return self._part("facts", lambda: deploy.facts_of(cluster), good=self._is_believed)

    def _is_believed(self, facts: deploy.Facts) -> bool:
        return facts.fresh and facts.asked_at_seconds > self._forgotten_at_seconds

    @property
    def user(self) -> str:
        """Who serves here, as it is written on a Model; the API server is asked once.

        Raises:
            ClusterError: there was no answer, or the login was refused.
        """
        cluster = self.cluster

        def ask() -> str:
            login = cluster.login()
            return user_name(login, self.settings.person or ("" if login else settings_of_process.system_user()))

        return self._part("user", ask)

    @property
    def endpoint(self) -> Endpoint:
        """The way to the gateway; all calls of this Session share its clients."""
        cluster, connection = self.cluster, weakref.proxy(self)

        def make() -> Endpoint:
            seen, waiting, gone = partial(_seen, connection), partial(_waiting, connection), partial(_gone, connection)
            return self._closes_too("endpoint", Endpoint(_access_to(cluster), seen=seen, waiting=waiting, gone=gone))

        return self._part("endpoint", make)

    @property
    def plain_address(self) -> str:
        """Where this machine's programs ask the gateway without a login; ``""`` where there is no such address."""
        access = self.endpoint.access
        if access.this_machine:
            return access.base_url if WHOSE_IS_KNOWN else ""
        return "" if access.own_url or "@" in access.base_url else access.base_url

    def forward_to(self, name: str) -> Forward:
        """A port for programs that ask this Model, opened once and as long as this is open."""
        endpoint = self.endpoint
        part = f"forward to {name}"
        return self._part(part, lambda: self._closes_too(part, Forward(endpoint, name).start()), good=_is_open)

    def waiting_for(self, request_name: str) -> Iterable[object]:
        """What goes on until the Model of this name can be asked; a `Session` knows."""
        del request_name
        return ()

    def remember_shown(self, uid: str, remedies: tuple[Remedy, ...]) -> None:
        """Keep the Remedies that a reader just saw, numbered from 1: the number they type next means one of these."""
        with self._changed:
            _keep(self.shown_remedies, uid, remedies)

    def remember_dry_run(self, model: Mapping[str, Any], remedy: Remedy) -> None:
        """Keep what a reader was just shown a change of, and by what: what they agree to is that change."""
        key = (uid_of(model), text_at(model, "metadata", "resourceVersion"), remedy.id)
        with self._changed:
            _keep(self.dry_runs, key, (model, remedy))

    def remedies_of(self, view: View) -> tuple[Remedy, ...]:
        """The Remedies that may be applied to the Model as it is seen.

        While its engine is tried again, what was shown last is: between two crashes there is nothing to find.
        """
        now = tuple(remedy for finding in view.findings for remedy in finding.remedies)
        if not any(map(is_tried_again, view.observation.engine_pods)):
            return now
        with self._changed:
            previewed = [remedy for (uid, *_), (_, remedy) in self.dry_runs.items() if uid == view.uid]
            return (*now, *self.shown_remedies.get(view.uid, ()), *previewed)

    @property
    def connected(self) -> bool:
        """Whether it is open, and a cluster was found already."""
        return not self._closed_because and "cluster" in self._parts

    def known(self, name: Literal["facts", "publisher"]) -> Any:
        """A part that was made already, without making it; ``None`` as long as it was not.

        Raises:
            SessionClosedError: the Session is closed.
        """
        with self._changed:
            self._refuse_closed()
            return self._parts.get(name)

    def forget_facts(self) -> None:
        """Have the cluster asked again for what it offers; until then `known` gives what it said last.

        What it is being asked at this moment may be older, too.
        """
        self._forgotten_at_seconds = time.monotonic()

    @property
    def closed(self) -> str:
        """Why it is closed, as a clause; ``""`` as long as it is open."""
        return self._closed_because

    def close(self, because: str = "close() was called") -> None:
        """End all watches and connections, for ever; Models go on. Closing again does nothing."""
        with self._changed:
            if self._closed_because:
                return
            self._closed_because = because
            opened = tuple(self._opened.values())
            self._parts.clear()
            self._opened.clear()
            self._changed.notify_all()
        for part in reversed(opened):
            part.close()

    def _connect(self) -> Cluster:
        from kubeai_notebook.cluster.connect import connect

        cluster = self._closes_too("cluster", connect(self._context, self._namespace, self.settings))
        self._found = (cluster.context, cluster.namespace)
        return cluster

    def _watch(self, cluster: Cluster) -> Publisher:
        # Its thread must not keep a Session alive that nobody holds any more.
        connection = weakref.proxy(self)
        publisher = self._closes_too(
            "publisher", Publisher(cluster, self._timing, endpoint=lambda: connection.endpoint)
        )
        publisher.ready()
        return publisher

    def _closes_too(self, name: str, part: _Opened) -> _Opened:
        """Have `close` close this part from now on, or close it now where that was called meanwhile."""
        with self._changed:
            if not self._closed_because:
                self._opened[name] = part
                return part
        part.close()
        raise self._closed_error()

    def _part(
        self, name: str, make: Callable[[], _Part], *, good: Callable[[_Part], bool] = lambda _part: True
    ) -> _Part:
        """The part of this name, made by one thread at a time; one that is not ``good`` any more is made anew.

        Raises:
            SessionClosedError: the Session is closed, or was closed while this waited.
        """
        with self._changed:
            while name in self._making and not self._closed_because:
                self._changed.wait()
            self._refuse_closed()
            part: _Part | None = self._parts.get(name)
            if part is not None and good(part):
                return part
            self._making.add(name)
        made: _Part | None = None
        try:
            made = make()
        except KubeAIError:
            self._refuse_closed()  # which is why it failed
            raise
        finally:
            with self._changed:
                self._making.discard(name)
                if made is not None and not self._closed_because:
                    self._parts[name] = made
                self._changed.notify_all()
        self._refuse_closed()
        return made

    def _refuse_closed(self) -> None:
        if self._closed_because:
            raise self._closed_error()

    def _closed_error(self) -> SessionClosedError:
        message = f"This Session is closed: {self._closed_because}. Nothing was sent."
        return SessionClosedError(message, "Make a new one, such as kubeai_notebook.Session().")


def without_login(address: str) -> str:
    """A gateway's address as another process may have it; ``""`` where it cannot be told what in it is a login.

    >>> without_login("https://me:password@host/v1")
    'https://host/v1'
    """
    bare = _LOGIN.sub(r"\1", address)
    return "" if "@" in bare else bare


def _access_to(cluster: Cluster) -> Access:
    """How the gateway is reached; nothing is sent to find what is configured."""
    return access_of(cluster.near(), cluster.access, cluster.namespace, now=cluster.settings)


def _seen(connection: Connection, request_name: str) -> Observation | None:
    """What is known of the Model of this name, or of that with this adapter, where Models are watched already."""
    try:
        publisher: Publisher | None = connection.known("publisher")
        return publisher.view(name_and_adapter(request_name)[0]).observation if publisher else None
    except (KubeAIError, ReferenceError):
        return None


def _gone(connection: Connection, request_name: str) -> str:
    """What tells that there is no Model of this name; empty where there is one, or the watch cannot tell."""
    try:
        publisher: Publisher | None = connection.known("publisher")
        if publisher:
            publisher.view(name_and_adapter(request_name)[0])
    except NotFoundError as error:
        return error.message
    except (KubeAIError, ReferenceError):
        pass
    return ""


def _waiting(connection: Connection, request_name: str) -> Iterable[object]:
    """What goes on until a Model can be asked; nothing where the Session of a client that is still held is gone."""
    try:
        return connection.waiting_for(request_name)
    except ReferenceError:
        return ()


def _keep(kept: OrderedDict[_Key, _Part], key: _Key, value: _Part) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > KEPT_LISTS:
        kept.popitem(last=False)


def _is_open(port: Forward) -> bool:
    return port.is_open
