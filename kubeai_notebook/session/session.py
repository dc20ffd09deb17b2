"""Session: one cluster, its Models, and what watches them."""

from __future__ import annotations

import atexit
import secrets
import threading
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from kubeai_notebook import deploy, settings
from kubeai_notebook.core.naming import SUFFIX_LENGTH, unique_name
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.spec import ModelSpec, spec_of
from kubeai_notebook.errors import NotFoundError, SpecError
from kubeai_notebook.present.plan_report import PlanReport

from .live.publisher import Observer
from .model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.cluster.client import Cluster
    from kubeai_notebook.core.catalog.operator_catalog import Catalog
    from kubeai_notebook.core.view import View
    from kubeai_notebook.present.doctor_report import Doctor
    from kubeai_notebook.present.models_frame import ModelsFrame


class Session:
    """The Models of one namespace of one cluster; connects when it is first needed.

    ``context`` is one of the kubeconfig's, or ``"local"`` for this machine.
    """

    def __init__(self, *, context: str = "", namespace: str = "") -> None:
        self._context, self._namespace = context, namespace
        self._facts: deploy.Facts | None = None
        self._asking = threading.Lock()
        self.own: dict[str, Literal["created", "served"]] = {}
        """Models by their uid that this Session created or, if others had created them, served."""

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

    @property
    def facts(self) -> deploy.Facts:
        """What the cluster offers and allows; asked again when older than a minute."""
        with self._asking:
            if self._facts is None or not self._facts.fresh:
                self._facts = deploy.facts_of(self.cluster)
            return self._facts

    @property
    def catalog(self) -> Catalog:
        """Profiles, images and cache profiles of the operator, or of KubeAI's chart where these may not be read."""
        return self.facts.catalog

    def serve(
        self, spec: ModelSpec | None = None, /, *, unique: bool = False, force: bool = False, **fields: Any
    ) -> Model:
        """Create or update a Model, and return it at once; `Model.wait` waits for Ready.

        Fields are those of ModelSpec; what is left out is inferred from ``url``. Serving an
        equal spec again attaches to the Model that is there. ``unique`` appends six random
        characters to the name, as the platform does, so that each call makes another Model.
        ``force`` sends it also where the preflight says that it cannot serve here.

        Raises:
            SpecError: a field is wrong, or cannot work on this cluster; nothing was sent.
            ClusterError: the Kubernetes API refused it or does not answer.
        """
        receipt = self._receipt(self._spec(spec, fields, unique=unique))
        if receipt.refusal and not force:
            raise receipt.refusal
        done = deploy.apply(self.cluster, receipt.spec, receipt.plan)
        name, created = receipt.spec.name, done.action == "create"
        self.own.setdefault(done.uid, "created" if created else "served")
        self.observer.wait_for(name, done.generation)
        self.observer.answer(name)
        note = " ".join([*self.cluster.notes, _note(receipt)])
        return Model(self, name, note=note, created=created)

    def plan(self, spec: ModelSpec | None = None, /, *, unique: bool = False, **fields: Any) -> PlanReport:
        """What `serve` would do, and what speaks against it; nothing is changed.

        Raises:
            SpecError: a field is wrong, or the API server's dry run refused it.
        """
        receipt = self._receipt(self._spec(spec, fields, unique=unique))
        if receipt.plan.action == "create" and not receipt.refusal:
            # What is refused already needs no second refusal, which would hide the list of the first.
            self.cluster.create_model(receipt.plan.manifest, dry_run=True)
        return receipt

    def _spec(self, spec: ModelSpec | None, fields: dict[str, Any], *, unique: bool) -> ModelSpec:
        # Only a wish for resources needs the cluster's profiles.
        catalog = self.catalog if fields.get("resources") is not None else None
        spec = spec or spec_of(fields, default_profile=settings.current().default_profile, catalog=catalog)
        if unique:
            suffix = secrets.token_hex(SUFFIX_LENGTH // 2)
            spec = spec.model_copy(update={"name": unique_name(spec.name, suffix)})
        here = self.cluster.namespace
        if spec.namespace not in (None, here):
            message = f'This Session works in namespace "{here}". Use Session(namespace="{spec.namespace}").'
            raise SpecError([wrong("namespace", "WrongNamespace", message)])
        return spec

    def _receipt(self, spec: ModelSpec) -> PlanReport:
        planned, known = deploy.plan(self.cluster, spec), self._facts
        receipt = PlanReport(spec, deploy.preflight(self.facts, spec, planned), planned)
        if receipt.refusal and self._facts is known:
            # What was missing may have been made since: only fresh facts refuse.
            self._facts = None
            return PlanReport(spec, deploy.preflight(self.facts, spec, planned), planned)
        return receipt

    def attach(self, name: str) -> Model:
        """The handle on a Model that is there, whoever made it.

        Raises:
            NotFoundError: there is none of this name.
        """
        self.observer.view(name)
        return Model(self, name)

    def models(self) -> ModelsFrame:
        """All Models, one row each, as numbers, times and categories; `present.models_frame` names the columns.

        Its display is a table that reads well; one that goes meanwhile is no row.
        """
        from kubeai_notebook.present.models_frame import models_frame

        from .idle import idle_seconds

        idle = idle_seconds(self.cluster, self.catalog.autoscaling_window_seconds)
        return models_frame(self._views(), idle=idle, now=datetime.now(UTC))

    def _views(self) -> Iterator[View]:
        for name in self.observer.names():
            with suppress(NotFoundError):
                yield self.observer.view(name)

    def doctor(self) -> Doctor:
        """Every station on the way from here to KubeAI, with what is in the way."""
        from .doctor import doctor_of

        return doctor_of(self, context=self._context)

    def names(self) -> list[str]:
        """The Models' names, as far as they are known without asking: for completion."""
        return self.observer.names() if "observer" in self.__dict__ else []

    def profiles(self) -> list[str]:
        """The resource profiles' names, as far as they are known without asking."""
        return sorted(self._facts.catalog.profiles) if self._facts else []

    def secret_names(self) -> list[str]:
        """The Secrets' names, as far as they are known without asking."""
        return sorted(self._facts.secret_names or ()) if self._facts else []

    def close(self) -> None:
        """End all watches; Models go on."""
        if "observer" in self.__dict__:
            self.__dict__.pop("observer").close()
        if "cluster" in self.__dict__:
            self.__dict__.pop("cluster").close()


def _note(receipt: PlanReport) -> str:
    """What serving did, in a sentence."""
    spec, plan = receipt.spec, receipt.plan
    if plan.action == "attach":
        return f"{spec.name} is served already; nothing was changed."
    if plan.action == "update":
        pods = "its Pods are replaced" if plan.restarts else "its Pods go on"
        return f"{spec.name} is being updated, {pods}: {'; '.join(plan.diff.splitlines())}."
    said = [f"{spec.name} is being served."]
    if spec.inferred:
        said.append("Inferred: " + "; ".join(f"{one.field} {one.value} ({one.why})" for one in spec.inferred) + ".")
    # Missing rights are the same for every Model: the doctor tells them.
    warnings = [one for one in receipt.notices if one.severity == "warning" and one.code != "RightMissing"]
    said += [f"Take care: {warning}" for warning in warnings]
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
