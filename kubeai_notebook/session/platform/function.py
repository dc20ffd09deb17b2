"""Function: what to serve, by the platform's words; its runs are Models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core import digitalhub as platform
from kubeai_notebook.core import inference
from kubeai_notebook.core.field_aliases import fields_of
from kubeai_notebook.core.naming import SUFFIX_LENGTH, sanitized
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.objects import map_at, name_of, texts_in
from kubeai_notebook.core.source import parse_source
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.core.validation import validated
from kubeai_notebook.errors import SpecError
from kubeai_notebook.text import one_line

from . import vault
from .run import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.present.plan_report import PlanReport

    from .project import Project

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
        catalog = session.catalog if fields.get("resources") is not None else None
        spec = spec_of(fields, default_profile=session.settings.default_profile, catalog=catalog)
        labels = {platform.PROJECT_LABEL: self.project.name, FUNCTION_LABEL: self.name, KIND_LABEL: self.kind}
        return spec.model_copy(update={"labels": {**spec.labels, **labels}})

    def __repr__(self) -> str:
        return one_line(f"Function({self.name!r}, {self.kind}, {self.fields['url']})")


def new(project: Project, name: str, *, kind: str, given: Mapping[str, Any]) -> Function:
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
    fields["name"] = name_of(model)[: -SUFFIX_LENGTH - 1]
    return Function(project, labels.get(FUNCTION_LABEL, ""), labels.get(KIND_LABEL, ""), fields)
