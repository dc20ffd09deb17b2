"""Session: one cluster, its Models, and what watches them."""

from __future__ import annotations

import atexit
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kubeai_notebook import settings as settings_of_process
from kubeai_notebook.core.call_checks import checked_call, checks_calls
from kubeai_notebook.core.model_fields import ModelFields, what_of
from kubeai_notebook.core.shown_fields import shows
from kubeai_notebook.errors import NotFoundError

from . import planning, verbs
from .calling import until_callable
from .connection import Connection, without_login
from .live.subscription import ALL
from .model import Model
from .waiting import look_at_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Unpack

    from kubeai_notebook.core.plan import Outcome
    from kubeai_notebook.core.spec import ModelSpec
    from kubeai_notebook.core.view import View
    from kubeai_notebook.present.catalog_frame import CatalogFrame
    from kubeai_notebook.present.doctor_report import Doctor
    from kubeai_notebook.present.models_frame import ModelsFrame
    from kubeai_notebook.present.plan_report import PlanReport
    from kubeai_notebook.settings import Settings

    from .connection import Place
    from .live.subscription import Subscription


@checks_calls
class Session(Connection):
    """The Models of one namespace of one cluster; connects when it is first needed, and is closed for ever.

    ``context`` is one of the kubeconfig's, or ``"local"`` for this machine. It keeps the settings that were in force
    when it was made, or those it is given. As a context manager it closes itself at the end; Models go on.
    """

    @shows(ModelFields)
    def serve(
        self,
        what: ModelSpec | PlanReport | str | None = None,
        url: str | None = None,
        /,
        *,
        unique: bool = False,
        force: bool = False,
        yes: bool = False,
        wait: bool = False,
        **fields: Unpack[ModelFields],
    ) -> Model:
        """Create or update a Model, and return its handle at once.

        ``serve("ollama://smollm2:135m")``, ``serve("smol", "ollama://smollm2:135m")``, and both by their names. A
        ModelSpec, or a plan, goes in the first place instead. What is left out is inferred from the url. A name alone
        attaches to the Model that is there. Serving again is as ``kubectl apply``: what was given last and is left
        out now goes, what `Model.scale`, a fix or somebody else set stays; what is equal is left alone.
        ``replicas=2`` keeps at least 2. ``unique`` appends six random characters to the name, as the platform does,
        so that each call makes another Model. ``force`` sends it also where the preflight says that it cannot serve
        here; ``yes`` also where ready Pods of what somebody else served are replaced. ``wait`` returns when the
        Model is ready, as `Model.wait` does.

        Raises:
            SpecError: a field is wrong, or cannot work on this cluster; nothing was sent.
            NotYoursError: somebody else served it, and ``yes`` is not said.
            ClusterError: the Kubernetes API refused it or does not answer.
        """
        done = verbs.serve(self, what_of(what, url, fields), unique=unique, force=force, yes=yes)
        return self.handle(done).wait() if wait else self.handle(done)

    @shows(ModelFields)
    def plan(
        self,
        what: ModelSpec | str | None = None,
        url: str | None = None,
        /,
        *,
        unique: bool = False,
        **fields: Unpack[ModelFields],
    ) -> PlanReport:
        """What `serve` would do, and what speaks against it; nothing is changed. Arguments as those of `serve`.

        Raises:
            SpecError: a field is wrong, or the API server's dry run refused it.
        """
        return planning.plan(self, what_of(what, url, fields), unique=unique)

    def attach(self, name: str) -> Model:
        """The handle on a Model that is there, whoever made it.

        Raises:
            NotFoundError: there is none of this name.
        """
        try:
            self.publisher.view(name)
        except NotFoundError as error:
            near = planning.near_name(self, name).strip()
            raise NotFoundError(error.message, near or error.hint) from None
        return Model(self, name)

    def delete(self, name: str, *names: str, missing_ok: bool = False, yes: bool = False) -> list[Model]:
        """Delete these Models and their Pods, and wait until they are gone; one that fails keeps no other.

        Raises:
            NotFoundError: one is not there, and ``missing_ok`` is not said; the others were deleted.
            NotYoursError: somebody else served one, and ``yes`` is not said; the others were deleted.
            KubeAIError: several were not deleted, for different reasons.
        """
        return [self.handle(done) for done in verbs.delete_all(self, (name, *names), missing_ok=missing_ok, yes=yes)]

    def handle(self, outcome: Outcome) -> Model:
        """The handle on the Model that a verb has just changed."""
        return Model(self, outcome.name, outcome=outcome, created_uid=outcome.uid if outcome.created else "")

    def models(self) -> ModelsFrame:
        """All Models, one row each, as numbers, times and categories; `present.models_frame` names the columns.

        Its display is a table that reads well; one that goes meanwhile is no row. While the API is away it holds what
        was last seen, and says so.

        Raises:
            NotFoundError: the namespace is not there.
        """
        from kubeai_notebook.present.models_frame import models_frame

        from .idle import idle_seconds

        views, link = look_at_all(self.publisher), self.publisher.link
        if not (views or link.lost):
            self.cluster.check_namespace()
        idle = {} if link.lost or not views else idle_seconds(self.cluster, views[0].observation.operator)
        window = (
            None if self.cluster.is_this_machine or not idle else self.facts.operator_config.autoscaling_window_seconds
        )
        return models_frame(views, idle=idle, window_seconds=window, now=datetime.now(UTC), link=link, where=self.where)

    def catalog(self, text: str = "", *, feature: str = "", here: bool = False, fits: bool = False) -> CatalogFrame:
        """What can be served, one url a row; `present.catalog_frame` names the columns.

        It holds what lies on this machine, what the cluster has Models of, and small open models that many begin
        with; what lies here and fits comes first. ``text``: words of the url, title or Model; ``feature``: such as
        ``TextEmbedding``, or a part of it; ``here``: only what lies on this machine; ``fits``: without what this
        machine surely has no room for, or cannot run.

        Raises:
            SpecError: KubeAI has no such feature.
        """
        from kubeai_notebook.present.catalog_frame import catalog_frame

        return catalog_frame(planning.offers(self, text, feature=feature, here=here, fits=fits))

    def waiting_for(self, request_name: str) -> Iterator[View]:
        """The Views of a Model until it can be asked, without waiting for any; errors as `Model.complete`."""
        return until_callable(self, request_name)

    def subscribe(self, *names: str, looks: bool = True) -> Subscription:
        """Hear of every change of these Models, or without a name of all: how each is now comes first.

        ``looks``: somebody looks, so that what depends on the time goes on and logs are read.
        """
        return self.publisher.subscribe(names or ALL, looks=looks)

    def doctor(self) -> Doctor:
        """Every station on the way from here to KubeAI, with what is in the way."""
        from .doctor import doctor_of

        return doctor_of(self, context=self._context)

    def names(self) -> list[str]:
        """The Models' names, as far as they are known without asking: for completion."""
        publisher = self.known("publisher")
        return publisher.names() if publisher else []

    def profiles(self) -> list[str]:
        """The resource profiles' names, as far as they are known without asking."""
        facts = self.known("facts")
        return sorted(facts.operator_config.profiles) if facts else []

    def urls(self) -> list[str]:
        """The urls that can be served, as far as they are known without asking; what lies here first."""
        from kubeai_notebook.core.catalog.offers import urls_of

        facts = self.known("facts")
        return urls_of(facts.offers) if facts else []

    def secret_names(self) -> list[str]:
        """The Secrets' names, as far as they are known without asking."""
        facts = self.known("facts")
        return sorted(facts.secret_names or ()) if facts else []

    def __reduce__(self) -> tuple[Any, ...]:
        """Its place, without a login."""
        return session_in, (self.place,)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close("its with block has ended")


@dataclass
class _Defaults:
    """The Sessions that magics and the package's own functions use."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    sessions: dict[str, Session] = field(default_factory=dict)
    elsewhere: list[Session] = field(default_factory=list)
    """Those that came from other processes, each with a place of its own."""

    def session(self, namespace: str) -> Session:
        follow_settings()
        with self.lock:
            if not self.sessions:
                atexit.register(close_defaults)
            if namespace not in self.sessions:
                self.sessions[namespace] = Session(namespace=namespace)
            return self.sessions[namespace]


_defaults = _Defaults()


def default(namespace: str = "") -> Session:
    """The Session of this process for a namespace; that of the settings' own namespace has one Session by both names.

    To know whether ``namespace`` is that one, it may have to connect.
    """
    main = _defaults.session("")
    if not namespace or namespace == (main.settings.namespace or main.cluster.namespace):
        return main
    return _defaults.session(namespace)


def elsewhere(session: Connection) -> str:
    """The namespace that a magic's line has to name to reach this Session's Models; ``""`` where it looks there."""
    for named, default_session in _defaults.sessions.items():
        if default_session is session:
            return named
    main = _defaults.sessions.get("")
    if main is None or not main.connected:
        return ""
    there, here = main.cluster.where, session.cluster.where
    return here.namespace if here.server == there.server and here.namespace != there.namespace else ""


@shows(ModelFields)
def serve(
    what: ModelSpec | PlanReport | str | None = None,
    url: str | None = None,
    /,
    *,
    unique: bool = False,
    force: bool = False,
    yes: bool = False,
    wait: bool = False,
    **fields: Unpack[ModelFields],
) -> Model:
    """Create or update a Model where you work, and return its handle at once; see `Session.serve`.

    ``serve("ollama://smollm2:135m")``, ``serve("smol", "ollama://smollm2:135m")``, and both by their names.
    """
    return default().serve(what, url, unique=unique, force=force, yes=yes, wait=wait, **fields)


@shows(ModelFields)
def plan(
    what: ModelSpec | str | None = None,
    url: str | None = None,
    /,
    *,
    unique: bool = False,
    **fields: Unpack[ModelFields],
) -> PlanReport:
    """What `serve` would do where you work, and what speaks against it; nothing is changed. See `Session.plan`."""
    return default().plan(what, url, unique=unique, **fields)


@checked_call
def attach(name: str) -> Model:
    """The handle on a Model that is there, whoever made it; see `Session.attach`."""
    return default().attach(name)


@checked_call
def delete(name: str, *names: str, missing_ok: bool = False, yes: bool = False) -> list[Model]:
    """Delete Models, and wait until they are gone; see `Session.delete`."""
    return default().delete(name, *names, missing_ok=missing_ok, yes=yes)


@checked_call
def models() -> ModelsFrame:
    """All Models as a DataFrame; see `Session.models`."""
    return default().models()


@checked_call
def catalog(text: str = "", *, feature: str = "", here: bool = False, fits: bool = False) -> CatalogFrame:
    """What can be served, with its size and whether this machine has room for it; see `Session.catalog`."""
    return default().catalog(text, feature=feature, here=here, fits=fits)


def session_in(place: Place) -> Session:
    """The Session of this process in a `Connection.place`: what a pickled one is read as.

    It connects when it is first used. Where the place states no kubeconfig or gateway, those of this process hold.
    """
    now, (context, namespace, kubeconfig, endpoint, platform_endpoint) = settings_of_process.current(), place
    settings = replace(
        now,
        kubeconfig=kubeconfig or now.kubeconfig,
        endpoint=_with_login(endpoint, now.endpoint),
        platform_endpoint=_with_login(platform_endpoint, now.platform_endpoint),
    )
    wanted = Session(context=context, namespace=namespace, settings=settings)
    with _defaults.lock:
        _defaults.elsewhere[:] = [session for session in _defaults.elsewhere if not session.closed]
        for session in (*_defaults.sessions.values(), *_defaults.elsewhere):
            if session.place == wanted.place and not session.closed:
                return session
        if not _defaults.elsewhere:
            atexit.unregister(_close_elsewhere)
            atexit.register(_close_elsewhere)
        _defaults.elsewhere.append(wanted)
    return wanted


def _with_login(gateway: str, own: str) -> str:
    """The gateway's address as this process states it, where that is the same but for a login, or states alone."""
    return own if gateway in ("", without_login(own)) else gateway


def _close_elsewhere() -> None:
    for session in _defaults.elsewhere:
        session.close("this process has ended its Sessions")


def follow_settings() -> None:
    """Have the default Sessions work by the settings of now.

    Where these select another cluster, namespace or gateway, the Sessions are closed and the next call makes new
    ones; any other setting reaches the handles that are there.
    """
    now = settings_of_process.current()
    with _defaults.lock:
        changed = {
            name
            for namespace, session in _defaults.sessions.items()
            for name in _changed_places(session, now, namespace=namespace)
        }
        for session in () if changed else _defaults.sessions.values():
            session.settings = now
    if changed:
        names = " and ".join(sorted(changed))
        close_defaults(f"{names} {'was' if len(changed) == 1 else 'were'} changed")


def _changed_places(session: Session, now: Settings, *, namespace: str) -> list[str]:
    """What has a Session of this namespace lead elsewhere; nothing where a setting names the place in which it is."""
    before, called = session.settings, {"platform_endpoint": "$KUBEAI_ENDPOINT"}
    changed = [name for name, value in now.place.items() if before.place[name] != value]
    if session.connected and changed and {"endpoint", "platform_endpoint"}.isdisjoint(changed):
        from .configured import leads_to

        effective = replace(now, namespace=namespace or now.namespace)
        changed = [] if leads_to(session.where, effective, before=before) else changed
    return [called.get(name, f"the setting {name}") for name in changed]


def close_defaults(because: str = "this process has ended its Sessions") -> None:
    """Close the Sessions of this process; the next call makes a new one."""
    with _defaults.lock:
        sessions = tuple(_defaults.sessions.values())
        _defaults.sessions.clear()
        atexit.unregister(close_defaults)
    for session in sessions:
        session.close(because)
