"""Project, Function and Run: the platform's words for labels, for what to serve, and for a Model that is served so.

They know one another, as in the platform's SDK, so they stand in one file.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakKeyDictionary

from kubeai_notebook.calls.request import send
from kubeai_notebook.cluster.client import MODELS
from kubeai_notebook.core import digitalhub as platform
from kubeai_notebook.core import inference
from kubeai_notebook.core.field_aliases import fields_of
from kubeai_notebook.core.masking import masked, masked_spec, quoted
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.naming import SUFFIX_LENGTH, sanitized
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.objects import LONG_AGO, count_at, created_at, map_at, name_of, text_at, texts_in, uid_of
from kubeai_notebook.core.served import served_by
from kubeai_notebook.core.source import SCHEMES, Source, parse_source
from kubeai_notebook.core.spec import draft_of
from kubeai_notebook.core.validation import validated
from kubeai_notebook.errors import ConflictError, NotFoundError, SpecError
from kubeai_notebook.session import presenter as display
from kubeai_notebook.session import verbs
from kubeai_notebook.session.model import Model
from kubeai_notebook.session.waiting import wait_seen
from kubeai_notebook.text import one_line

from . import vault
from .fields import Fields
from .invocation import request_of
from .status import ended_status, status_of_run
from .vault import ProjectSecret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.present.plan_report import PlanReport
    from kubeai_notebook.session.session import Session


_HIDDEN = ("env", "envFrom", "files")

_stopped: WeakKeyDictionary[Session, dict[tuple[str, str], Mapping[str, Any]]] = WeakKeyDictionary()
"""The Models of runs that were stopped, by project and name. The platform's database keeps them; here a run is its
Model, so they stay listed for as long as their Session lives."""


class Run:
    """One run of a function: a Model, by its name. Nothing of it lives in this process."""

    def __init__(self, function: Function, model: Model, manifest: Mapping[str, Any], *, ended: str = "") -> None:
        self.function = function
        self.model = model
        """The Model's own handle: status card, logs, events, scaling."""
        self.name = model.name
        self._last = manifest
        self._ended = ended

    @property
    def status(self) -> Fields:
        """``state``, ``message``, ``openai``, ``service`` and ``k8s`` as they are now, by attribute or by key."""
        view = None
        if not self._ended:  # else a Model that has its name by now is another one
            with suppress(NotFoundError):
                view = self.model.view
        if view is None:
            return ended_status(self._last, self._ended, self._base_url())
        self._last = view.model
        return status_of_run(view, self._base_url())

    def refresh(self) -> Run:
        """Return this run: its status is always that of this moment."""
        return self

    @property
    def id(self) -> str:
        """The uid of its Model."""
        return uid_of(self._last)

    @property
    def kind(self) -> str:
        """``kubeai-text+run``, after its function."""
        return f"{self.function.kind}+run"

    @property
    def project(self) -> str:
        """The project's name."""
        return self.function.project.name

    @property
    def key(self) -> str:
        """What the platform calls it in a store."""
        return f"store://{self.project}/run/{self.kind}/{self.id}"

    @property
    def user(self) -> str:
        """Who started it."""
        return served_by(self._last)

    @property
    def metadata(self) -> Fields:
        """Project, name and labels."""
        labels = texts_in(self._last, "metadata", "labels")
        created = text_at(self._last, "metadata", "creationTimestamp")
        return Fields({"project": self.project, "name": self.name, "created": created, "labels": labels})

    @property
    def spec(self) -> Fields:
        """What is served, without variables, which may hold what nobody should read in an output."""
        whole = masked_spec(map_at(self._last, "spec"))  # (a variable's value may stand in what is shown, too)
        shown = {key: value for key, value in whole.items() if key not in _HIDDEN}
        return Fields({"function": self.function.name, "action": platform.ACTION, **shown})

    def logs(self) -> str:
        """The log of its engine."""
        return self.model.logs()

    def to_dict(self) -> dict[str, Any]:
        """The run as plain data, as the platform keeps it."""
        named = {"id": self.id, "kind": self.kind, "name": self.name, "key": self.key, "project": self.project}
        parts = {"metadata": self.metadata, "spec": self.spec, "status": self.status}
        return {**named, "user": self.user, **{name: part.to_dict() for name, part in parts.items()}}

    def wait(self, timeout_seconds: float | None = None, *, log_info: bool = True) -> Run:
        """Wait until it answers, or sleeps until a request; errors as `Model.wait`.

        ``log_info`` is the platform's; the card shows what goes on.
        """
        del log_info
        self.model.wait(timeout_seconds)
        return self

    def stop(self, *, yes: bool = False) -> Run:
        """End it: its Model and its own secrets are deleted. A run is not resumed; run the function again.

        It stays in the project's list until the kernel ends, or until `delete`.

        Raises:
            NotYoursError: somebody else started it, and ``yes`` is not said.
        """
        return self._end("STOPPED", yes=yes)

    def delete(self, *, yes: bool = False) -> None:
        """End it if it is there, as `stop` does, and forget it."""
        self._end("DELETED", yes=yes)

    def _end(self, state: str, *, yes: bool) -> Run:
        with suppress(NotFoundError, ConflictError):  # (it is gone, or another Model has its name by now)
            if not self._ended:
                verbs.delete(self.model.session, self.name, yes=yes, uid=self.id)
        self._ended = state
        kept, key = _stopped.setdefault(self.function.project.session, {}), (self.project, self.name)
        if state == "STOPPED":
            kept[key] = self._last
        else:
            kept.pop(key, None)
        return self

    def list_endpoints(self) -> list[str]:
        """The urls of the gateway that this run answers at."""
        return list(self.status["service"]["urls"])

    def invoke(self, method: str = "POST", url: str | None = None, **content: Any) -> Any:
        """Send a request, as soon as the Model is ready, and return the answer (``.json()``, ``.status_code`` …).

        ``json={"prompt": …}``, ``{"messages": …}``, ``{"input": …}`` or ``{"query": …, "documents": …}`` finds its
        route and gets the model's name; ``files={"file": …}`` is transcribed. ``adapter=`` asks one of the adapters,
        ``headers=`` and ``params=`` go along, ``timeout=`` is that of the request itself. Without content it lists
        the models. What the gateway or the engine refuses is an answer too: look at ``.status_code``, or call
        ``.raise_for_status()``.

        Raises:
            DeployError: the Model cannot become ready as it is.
            CallError: no route fits, or no answer came.
        """
        request = request_of(self.status, method, url, **content)
        model = self.model if request.body is None else self.model.wait()
        return send(model.session.endpoint, model.name, request)

    def _base_url(self) -> str:
        return self.model.endpoint.base_url

    def __repr__(self) -> str:
        return f"Run({self.name!r}, {self.status.state})"

    def _ipython_display_(self) -> None:
        display.face().show(self.model)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        del include, exclude
        return display.face().bundle(self.model)


FUNCTION_LABEL = "kubeai-notebook/function"
KIND_LABEL = "kubeai-notebook/kind"


@dataclass(frozen=True, repr=False)
class Function:
    """What to serve; made by `Project.new_function`."""

    project: Project
    name: str
    kind: str
    fields: Mapping[str, Any]
    """By their names in ModelSpec."""

    def run(self, action: str = platform.ACTION, *, wait: bool = False, **fields: Any) -> Run:
        """Serve it, under a name of its own each time: ``<model_name>-<random>``.

        Fields are ``profile`` and ``processors`` or ``resources``, ``args``, ``env``, ``secrets`` (of the
        project), ``files``, ``scaling``, ``caching_profile``, and all others of a Model. Returns at once
        unless ``wait``.

        Raises:
            SpecError: a field is wrong, cannot work on this cluster, or names a secret that the project has not.
            ClusterError: the Kubernetes API refused it or does not answer.
        """
        session = self.project.session
        model = session.serve(self._spec(action, fields), unique=True)
        run = Run(self, model, session.cluster.model(model.name))
        return run.wait() if wait else run

    def plan(self, action: str = platform.ACTION, **fields: Any) -> PlanReport:
        """What `run` would send, and what speaks against it here; nothing is changed."""
        return self.project.session.plan(self._spec(action, fields), unique=True)

    def list_runs(self) -> list[Run]:
        """Its runs, the latest first, whoever started them."""
        return self.project.list_runs(self.name)

    def _spec(self, action: str, given: Mapping[str, Any]) -> ModelSpec:
        if action != platform.ACTION:
            message = f'A function of kind {self.kind} has no action "{action}". Its one action is "{platform.ACTION}".'
            raise SpecError([wrong("action", "UnsupportedValue", message)])
        session, fields = self.project.session, platform.run_fields(self.fields, given)
        if fields.get("secrets") is not None:
            fields["secrets"] = vault.granted(session.cluster, self.project.name, fields["secrets"])
        if isinstance(fields.get("name"), str):
            # As the platform does, which takes any text for a name.
            fields["name"] = sanitized(fields["name"])
        config = session.facts.operator_config if fields.get("resources") is not None else None
        profile = session.settings.default_profile
        draft = draft_of(fields, default_profile=profile, operator_config=config)
        if draft.spec is None:  # all that is wrong at once, with what this cluster lacks
            raise SpecError(draft_of(fields, session.facts, default_profile=profile).errors or draft.errors)
        spec = draft.spec
        labels = {platform.PROJECT_LABEL: self.project.name, FUNCTION_LABEL: self.name, KIND_LABEL: self.kind}
        return spec.model_copy(update={"labels": {**spec.labels, **labels}})

    def __repr__(self) -> str:
        return one_line(f"Function({self.name!r}, {self.kind}, {masked(self.fields['url'])})")


def new_function(project: Project, name: str, *, kind: str, given: Mapping[str, Any]) -> Function:
    """A function of these fields; what a run's fields could still cure is left to the run.

    Raises:
        SpecError: a field has a wrong value, or is a run's.
    """
    platform.check_label(name, of="function")
    fields = platform.function_fields(kind, given)
    source = parse_source(fields["url"])
    completed, _ = inference.complete(fields_of(fields), source, default_profile="cpu")
    validated(completed)
    return Function(project, name, kind, fields)


def function_of(project: Project, model: Mapping[str, Any]) -> Function:
    """The function that a Model is a run of, as far as the Model tells: it tells all but the name's own spelling."""
    labels, spec = texts_in(model, "metadata", "labels"), map_at(model, "spec")
    fields: dict[str, Any] = {
        field: spec[field] for field in ("url", "engine", "features", "adapters", "image") if spec.get(field)
    }
    if platform.CORE_PROJECT_LABEL in labels:  # (its names end in a run's id, cut where the name is too long)
        fields["name"] = name_of(model).rpartition("-")[0] or name_of(model)
        name = next((value for label, value in labels.items() if label.endswith("/function")), "")
        return Function(project, name, labels.get(platform.CORE_KIND_LABEL, ""), fields)
    fields["name"] = name_of(model)[: -SUFFIX_LENGTH - 1]
    return Function(project, labels.get(FUNCTION_LABEL, ""), labels.get(KIND_LABEL, ""), fields)


def get_or_create_project(name: str, *, session: Session | None = None) -> Project:
    """The project of this name; it needs no making: it is what its runs and secrets are labelled with.

    Raises:
        SpecError: a name that no label can hold.
    """
    from kubeai_notebook.session.session import default

    return Project(session or default(), name)


class Project:
    """What one name holds together in one namespace of a cluster."""

    def __init__(self, session: Session, name: str) -> None:
        platform.check_label(name, of="project")
        self.session = session
        self.name = name

    def new_secret(self, name: str, secret_value: str | SecretStr) -> ProjectSecret:
        """Keep a value in the cluster, for runs that ask for it: ``run(secrets=["NAME"])``.

        A secret that is there gets the new value; what runs already keeps the one it started with.

        Raises:
            SpecError: a name that no environment variable can have.
        """
        vault.store(self.session.cluster, self.name, {name: secret_value})
        return ProjectSecret(name, self.name)

    def list_secrets(self) -> list[ProjectSecret]:
        """The project's secrets, by name."""
        return [ProjectSecret(name, self.name) for name in vault.names(self.session.cluster, self.name)]

    def delete_secret(self, name: str) -> None:
        """Take a secret away; what runs already keeps it.

        Raises:
            SpecError: the project has no such secret.
        """
        vault.drop(self.session.cluster, self.name, name)

    def new_function(self, name: str, kind: str = "kubeai-text", **fields: Any) -> Function:
        """What to serve: ``model_name``, ``url``, ``engine``, ``features``, ``adapters``, ``image``.

        Nothing is sent before it runs. Kinds are ``kubeai-text`` and ``kubeai-speech``.

        Raises:
            SpecError: one or more fields are wrong, or a run's.
        """
        return new_function(self, name, kind=kind, given=fields)

    def new_model(self, name: str = "", **fields: Any) -> NoReturn:
        """Say what to write instead: there is no store of models here, a function serves a url itself.

        Raises:
            SpecError: always.
        """
        given = next((fields[key] for key in ("path", "url", "source") if isinstance(fields.get(key), str)), "")
        url = given if Source(given).scheme in SCHEMES else "hf://org/model"
        named = f", so nothing is kept as {quoted(name)}" if name else ""
        instead = f'Give the url itself to the function: new_function(…, url="{masked(url)}").'
        message = f"There is no store of models here{named}. {instead}"
        raise SpecError([wrong("url", "NotKeptHere", message)])

    log_model = get_model = new_model

    def get_function(self, name: str) -> Function:
        """The function as it ran last; functions are kept with their runs.

        Raises:
            NotFoundError: the project has no run of such a function.
        """
        functions = {function.name: function for function in self.list_functions()}
        if name not in functions:
            message = f'The project "{self.name}" has no run of a function "{name}".{did_you_mean(name, functions)}'
            raise NotFoundError(message, "A function is kept with its runs: make it with new_function, and run it.")
        return functions[name]

    def list_functions(self) -> list[Function]:
        """Every function that has a run, as it ran last."""
        latest = {run.function.name: run.function for run in reversed(self.list_runs())}
        return [latest[name] for name in sorted(latest)]

    def list_runs(self, function_name: str = "") -> list[Run]:
        """The project's runs, or those of one function; the latest first, whoever started them, the platform too.

        Those that were stopped from this kernel stay among them until they are deleted.
        """
        cluster = self.session.cluster
        selectors = (
            f"{platform.PROJECT_LABEL}={self.name},{FUNCTION_LABEL}",
            f"{platform.CORE_PROJECT_LABEL}={self.name}",
        )
        models = [
            model
            for selector in selectors
            for model in cluster.listed(cluster.path(MODELS, "models"), query={"labelSelector": selector})
        ]
        there = {uid_of(model) for model in models}
        stopped = [
            model
            for (project, name), model in _stopped.get(self.session, {}).items()
            if project == self.name and uid_of(model) not in there
        ]
        seen = set(self.session.publisher.names())
        for model in models:
            if name_of(model) not in seen:
                # Somebody else made it a moment ago.
                generation = count_at(model, "metadata", "generation")
                wait_seen(self.session.publisher, name_of(model), generation, uid=uid_of(model))
        all_of_them = [*((model, "") for model in models), *((model, "STOPPED") for model in stopped)]
        all_of_them.sort(key=lambda one: created_at(one[0]) or LONG_AGO, reverse=True)
        runs = [self._run(model, ended) for model, ended in all_of_them]
        return [run for run in runs if function_name in ("", run.function.name)]

    def get_run(self, name: str) -> Run:
        """A run by its Model's name.

        Raises:
            NotFoundError: the project has no such run.
        """
        runs = {run.name: run for run in self.list_runs()}
        if name not in runs:
            message = f'The project "{self.name}" has no run "{name}".{did_you_mean(name, runs)}'
            raise NotFoundError(message, "list_runs() lists what is there.")
        return runs[name]

    def _run(self, manifest: Mapping[str, Any], ended: str = "") -> Run:
        return Run(function_of(self, manifest), Model(self.session, name_of(manifest)), manifest, ended=ended)

    def __repr__(self) -> str:
        return f"Project({self.name!r})"
