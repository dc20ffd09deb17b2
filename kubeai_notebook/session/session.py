"""Session: one cluster, its Models, and what watches them."""

from __future__ import annotations

import atexit
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from kubeai_notebook import settings as settings_of_process

from . import verbs
from .connection import Connection
from .live.subscription import ALL
from .model import Model
from .waiting import look_at_all

if TYPE_CHECKING:
    from kubeai_notebook.core.plan import Outcome
    from kubeai_notebook.core.spec import ModelSpec
    from kubeai_notebook.present.doctor_report import Doctor
    from kubeai_notebook.present.models_frame import ModelsFrame
    from kubeai_notebook.present.plan_report import PlanReport
    from kubeai_notebook.settings import Settings

    from .live.subscription import Subscription


class Session(Connection):
    """The Models of one namespace of one cluster; connects when it is first needed, and is closed for ever.

    ``context`` is one of the kubeconfig's, or ``"local"`` for this machine. It keeps the settings that were in force
    when it was made, or those it is given. As a context manager it closes itself at the end; Models go on.
    """

    def serve(
        self, spec: ModelSpec | None = None, /, *, unique: bool = False, force: bool = False, **fields: Any
    ) -> Model:
        """Create or update a Model, and return its handle; `Model.wait` waits for Ready.

        Fields are those of ModelSpec; what is left out is inferred from ``url``. Serving an
        equal spec again attaches to the Model that is there. ``unique`` appends six random
        characters to the name, as the platform does, so that each call makes another Model.
        ``force`` sends it also where the preflight says that it cannot serve here.

        Raises:
            SpecError: a field is wrong, or cannot work on this cluster; nothing was sent.
            ClusterError: the Kubernetes API refused it or does not answer.
        """
        return self.handle(verbs.serve(self, spec or fields, unique=unique, force=force, confirmed=True))

    def plan(self, spec: ModelSpec | None = None, /, *, unique: bool = False, **fields: Any) -> PlanReport:
        """What `serve` would do, and what speaks against it; nothing is changed.

        Raises:
            SpecError: a field is wrong, or the API server's dry run refused it.
        """
        return verbs.plan(self, spec or fields, unique=unique)

    def attach(self, name: str) -> Model:
        """The handle on a Model that is there, whoever made it.

        Raises:
            NotFoundError: there is none of this name.
        """
        self.publisher.view(name)
        return Model(self, name)

    def handle(self, outcome: Outcome) -> Model:
        """The handle on the Model that a verb has just changed."""
        return Model(self, outcome.name, outcome=outcome, created=outcome.created)

    def models(self) -> ModelsFrame:
        """All Models, one row each, as numbers, times and categories; `present.models_frame` names the columns.

        Its display is a table that reads well; one that goes meanwhile is no row.
        """
        from kubeai_notebook.present.models_frame import models_frame

        from .idle import idle_seconds

        idle = idle_seconds(self.cluster, self.catalog.autoscaling_window_seconds)
        return models_frame(look_at_all(self.publisher), idle=idle, now=datetime.now(UTC), where=self.where)

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
        return sorted(facts.catalog.profiles) if facts else []

    def secret_names(self) -> list[str]:
        """The Secrets' names, as far as they are known without asking."""
        facts = self.known("facts")
        return sorted(facts.secret_names or ()) if facts else []

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close("its with block has ended")


@dataclass
class _Defaults:
    """The Sessions that magics and the package's own functions use, and what outlives each of them."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    sessions: dict[str, Session] = field(default_factory=dict)
    own: dict[str, Literal["created", "served"]] = field(default_factory=dict)
    """What this process made is its own by the Model's uid, whichever settings have changed since."""

    def session(self, namespace: str) -> Session:
        follow_settings()
        with self.lock:
            if not self.sessions:
                atexit.register(close_defaults)
            if namespace not in self.sessions:
                self.sessions[namespace] = Session(namespace=namespace)
                self.sessions[namespace].own = self.own
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


def follow_settings() -> None:
    """Have the default Sessions work by the settings of now.

    Where these select another cluster, namespace or gateway, the Sessions are closed and the next call makes new
    ones; any other setting reaches the handles that are there.
    """
    now = settings_of_process.current()
    with _defaults.lock:
        changed = {place for session in _defaults.sessions.values() for place in _changed_places(session.settings, now)}
        for session in () if changed else _defaults.sessions.values():
            session.settings = now
    if changed:
        names = " and ".join(sorted(changed))
        close_defaults(f"{names} {'was' if len(changed) == 1 else 'were'} changed")


def _changed_places(before: Settings, now: Settings) -> list[str]:
    called = {"platform_endpoint": "$KUBEAI_ENDPOINT"}
    return [called.get(name, f"the setting {name}") for name, value in now.place.items() if before.place[name] != value]


def close_defaults(because: str = "this process has ended its Sessions") -> None:
    """Close the Sessions of this process; the next call makes a new one."""
    with _defaults.lock:
        sessions = tuple(_defaults.sessions.values())
        _defaults.sessions.clear()
        atexit.unregister(close_defaults)
    for session in sessions:
        session.close(because)
