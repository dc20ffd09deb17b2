"""Session: one cluster, its Models, and what watches them."""

from __future__ import annotations

import atexit
import secrets
import threading
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kubeai_notebook import deploy, settings
from kubeai_notebook.core.naming import SUFFIX_LENGTH, unique_name
from kubeai_notebook.core.rules.traps import problems_of
from kubeai_notebook.core.spec import ModelSpec, spec_of
from kubeai_notebook.core.status import parse_time
from kubeai_notebook.errors import Problem, SpecError

from .model import Model
from .observer import Observer

if TYPE_CHECKING:
    import pandas as pd

    from kubeai_notebook.cluster.client import Cluster


class Session:
    """The Models of one namespace of one cluster; connects when it is first needed.

    ``context`` is one of the kubeconfig's, or ``"local"`` for this machine.
    """

    def __init__(self, *, context: str = "", namespace: str = "") -> None:
        self._context, self._namespace = context, namespace

    @cached_property
    def cluster(self) -> Cluster:
        """The client of the Kubernetes API."""
        from kubeai_notebook.cluster.connect import connect

        return connect(self._context, self._namespace)

    @cached_property
    def observer(self) -> Observer:
        """What watches the Models."""
        observer = Observer(self.cluster)
        observer.ready()
        return observer

    def serve(self, spec: ModelSpec | None = None, /, *, unique: bool = False, **fields: Any) -> Model:
        """Create or update a Model, and return it at once; `Model.wait` waits for Ready.

        Fields are those of ModelSpec; what is left out is inferred from ``url``. Serving an
        equal spec again attaches to the Model that is there. ``unique`` appends six random
        characters to the name, as the platform does, so that each call makes another Model.

        Raises:
            SpecError: a field is wrong; nothing was sent.
            ClusterError: the Kubernetes API refused it or does not answer.
        """
        spec = spec or spec_of(fields, default_profile=settings.current().default_profile)
        if unique:
            suffix = secrets.token_hex(SUFFIX_LENGTH // 2)
            spec = spec.model_copy(update={"name": unique_name(spec.name, suffix)})
        here = self.cluster.namespace
        if spec.namespace not in (None, here):
            message = f'This Session works in namespace "{here}". Use Session(namespace="{spec.namespace}").'
            raise SpecError([Problem("namespace", "WrongNamespace", message)])
        done = deploy.apply(self.cluster, spec)
        self.observer.wait_for(spec.name, done.generation)
        return Model(self, spec.name, note=" ".join([*self.cluster.notes, _note(spec, done)]))

    def attach(self, name: str) -> Model:
        """The handle on a Model that is there, whoever made it.

        Raises:
            NotFoundError: there is none of this name.
        """
        self.observer.view(name)
        return Model(self, name)

    def models(self) -> pd.DataFrame:
        """All Models: name, phase, ready, engine, features, profile, age, what is wrong."""
        import pandas as pd

        now = datetime.now(UTC)
        columns = ["name", "phase", "ready", "engine", "features", "profile", "age", "what is wrong"]
        return pd.DataFrame([self._row(name, now) for name in self.observer.names()], columns=columns)

    def _row(self, name: str, now: datetime) -> tuple[Any, ...]:
        view = self.observer.view(name)
        spec, status = view.model["spec"], view.status
        created = parse_time(view.model["metadata"]["creationTimestamp"]) or now
        wrong = view.findings[0].title if view.findings else ""
        return (
            name,
            status.phase,
            f"{status.ready}/{status.desired}",
            spec["engine"],
            ", ".join(spec.get("features") or []),
            spec.get("resourceProfile", ""),
            now.replace(microsecond=0) - created,
            wrong,
        )

    def close(self) -> None:
        """End all watches; Models go on."""
        if "observer" in self.__dict__:
            self.__dict__.pop("observer").close()
        if "cluster" in self.__dict__:
            self.__dict__.pop("cluster").close()


def _note(spec: ModelSpec, done: deploy.Plan) -> str:
    """What serving did, in a sentence."""
    if done.action == "attach":
        return f"{spec.name} is served already; nothing was changed."
    if done.action == "update":
        return f"{spec.name} is being updated: {', '.join(done.changes)}."
    said = [f"{spec.name} is being served."]
    if spec.inferred:
        said.append("Inferred: " + "; ".join(f"{one.field} {one.value} ({one.why})" for one in spec.inferred) + ".")
    said += [f"Take care: {advice.message} {advice.fix}" for advice in problems_of(spec)]
    return " ".join(said)


_defaults: dict[str, Session] = {}
_default_lock = threading.Lock()


def default(namespace: str = "") -> Session:
    """The Session of this process for a namespace (by default the settings'), connected as the settings say."""
    with _default_lock:
        if not _defaults:
            atexit.register(close_defaults)
        return _defaults.setdefault(namespace, Session(namespace=namespace))


def close_defaults() -> None:
    """Close the Sessions of this process; the next call makes a new one."""
    with _default_lock:
        while _defaults:
            _defaults.popitem()[1].close()
        atexit.unregister(close_defaults)
