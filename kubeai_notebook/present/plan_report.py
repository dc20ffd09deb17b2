"""PlanReport: what serving a spec would do, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kubeai_notebook.core.manifest import to_yaml
from kubeai_notebook.core.notice import NOT_ASKED
from kubeai_notebook.errors import SpecError
from kubeai_notebook.text import ShownAsText

from .wording import in_magics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.notice import Notice, Severity
    from kubeai_notebook.core.plan import Plan

_MARKS: Final[Mapping[Severity, str]] = {"info": "✓", "warning": "⚠", "error": "✗"}


@dataclass(frozen=True, repr=False)
class PlanReport(ShownAsText):
    """The spec, what the preflight noticed, and the plan; shows itself as text."""

    spec: ModelSpec
    notices: tuple[Notice, ...]
    plan: Plan

    @property
    def refusal(self) -> SpecError | None:
        """Why serving this would fail; ``None`` when nothing speaks against it."""
        errors = [notice for notice in self.notices if notice.severity == "error"]
        return SpecError(errors) if errors else None

    @property
    def yaml(self) -> str:
        """The Manifest that would be sent, as ``kubectl apply -f`` takes it."""
        return to_yaml(self.plan.manifest)

    @property
    def title(self) -> str:
        """One sentence on what would happen."""
        name = self.spec.name
        if self.refusal:
            return f"{name} would not serve as it is."
        if self.plan.action == "create":
            return f"{name} would be created."
        if self.plan.action == "attach":
            return f"{name} is served already; nothing would change."
        pods = "its Pods restart" if self.plan.restarts else "its Pods go on"
        return f"{name} would be changed; {pods}."

    def _text(self) -> str:
        lines = [self.title]
        lines += [f"  {inferred.field} {inferred.value} ({inferred.why})" for inferred in self.spec.inferred]
        lines += [f"  {line}" for line in self.plan.diff.splitlines()]
        for notice in self.notices:
            mark = "?" if notice.code == NOT_ASKED else _MARKS[notice.severity]
            lines.append(f"{mark} {notice.message}")
            lines += [f"    {in_magics(remedy.title, self.spec.name)}" for remedy in notice.remedies]
        return "\n".join(lines)
