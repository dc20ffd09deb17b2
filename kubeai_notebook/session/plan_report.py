"""Receipt: what serving a spec would do, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeai_notebook.core.manifest import to_yaml
from kubeai_notebook.deploy import refused
from kubeai_notebook.text import Shown

if TYPE_CHECKING:
    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.notice import Notice
    from kubeai_notebook.deploy import Plan
    from kubeai_notebook.errors import SpecError

_MARKS = {"info": "✓", "warning": "⚠", "error": "✗"}


@dataclass(frozen=True, repr=False)
class Receipt(Shown):
    """The spec, the preflight list and the plan; shows itself as text."""

    spec: ModelSpec
    checks: tuple[Notice, ...]
    plan: Plan

    @property
    def refusal(self) -> SpecError | None:
        """Why serving this would fail; ``None`` when nothing speaks against it."""
        return refused(self.checks)

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
        for check in self.checks:
            lines.append(f"{_MARKS[check.severity]} {check.message}")
            lines += [f"    {remedy.title}" for remedy in check.remedies]
        return "\n".join(lines)
