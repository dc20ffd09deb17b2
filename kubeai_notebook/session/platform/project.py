"""Project: a name that functions, runs and secrets share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeai_notebook.cluster.client import MODELS
from kubeai_notebook.core import digitalhub as platform
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.objects import LONG_AGO, count_at, created_at, name_of
from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.session.model import Model
from kubeai_notebook.session.waiting import wait_seen

from . import function, vault
from .function import FUNCTION_LABEL
from .run import Run
from .vault import ProjectSecret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

    from kubeai_notebook.session.session import Session

    from .function import Function


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
        return function.new(self, name, kind=kind, given=fields)

    def get_function(self, name: str) -> Function:
        """The function as it ran last; functions are kept with their runs.

        Raises:
            NotFoundError: the project has no run of such a function.
        """
        functions = {one.name: one for one in self.list_functions()}
        if name not in functions:
            message = f'The project "{self.name}" has no run of a function "{name}".{did_you_mean(name, functions)}'
            raise NotFoundError(message, "A function is kept with its runs: make it with new_function, and run it.")
        return functions[name]

    def list_functions(self) -> list[Function]:
        """Every function that has a run, as it ran last."""
        latest = {run.function.name: run.function for run in reversed(self.list_runs())}
        return [latest[name] for name in sorted(latest)]

    def list_runs(self, function_name: str = "") -> list[Run]:
        """The project's runs, or those of one function; the latest first, whoever started them."""
        cluster = self.session.cluster
        which = f"{FUNCTION_LABEL}={function_name}" if function_name else FUNCTION_LABEL
        query = {"labelSelector": f"{platform.PROJECT_LABEL}={self.name},{which}"}
        found = cluster.listed(cluster.path(MODELS, "models"), query=query)
        found.sort(key=lambda model: created_at(model) or LONG_AGO, reverse=True)
        seen = set(self.session.observer.names())
        for model in found:
            if name_of(model) not in seen:
                # Somebody else made it a moment ago.
                wait_seen(self.session.observer, name_of(model), count_at(model, "metadata", "generation"))
        return [self._run(model) for model in found]

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

    def _run(self, manifest: Mapping[str, Any]) -> Run:
        return Run(function.function_of(self, manifest), Model(self.session, name_of(manifest)), manifest)

    def __repr__(self) -> str:
        return f"Project({self.name!r})"
