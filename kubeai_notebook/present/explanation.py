"""Explanation: what is wrong with a Model, on which evidence, and what would cure it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kubeai_notebook.core.phase import STOPPED, WELL
from kubeai_notebook.errors import UsageError

from .html import WRAPPED, ShownAsHtml, element, joined, line_break
from .wording import how_to, in_magics, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from markupsafe import Markup

    from kubeai_notebook.core.notice import Finding, Who
    from kubeai_notebook.core.phase import ModelStatus
    from kubeai_notebook.core.remedy import Remedy
    from kubeai_notebook.core.view import Link
    from kubeai_notebook.core.whereabouts import Whereabouts

    from .wording import Numbered

_WHO_ACTS: Final[Mapping[Who, str]] = {
    "user": "You can fix it:",
    "admin": "Somebody who runs the cluster has to act:",
    "nobody": "It may pass by itself; if it does not:",
}
_WHO_WITHOUT_REMEDY: Final[Mapping[Who, str]] = {
    "user": "You can fix it, but it is not known here how.",
    "admin": "Somebody who runs the cluster has to act.",
    "nobody": "Nobody has to act; it passes by itself.",
}


@dataclass(frozen=True, repr=False)
class Explanation(ShownAsHtml):
    """A Model's Findings at one moment; shows itself as text and HTML, with the Remedies of all numbered through."""

    model_name: str
    status: ModelStatus
    findings: tuple[Finding, ...] = ()
    where: Whereabouts | None = None
    namespace: str = ""
    """What a magic's line has to name, where it would look elsewhere."""
    link: Link | None = None
    """Where it is lost, all this is as old as that, and nothing follows from it."""
    remark: str = ""
    """What is worth knowing although nothing is wrong."""
    scaling: str = ""
    """Why it has the replicas that it has."""

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """Those of all Findings, as they are numbered: number 1 first."""
        return tuple(one.remedy for _, remedies in numbered(self.findings) for one in remedies)

    def remedy(self, number: int) -> Remedy:
        """The Remedy that is shown with this number, from 1 up.

        Raises:
            UsageError: there is none.
        """
        remedies = self.remedies
        if 1 <= number <= len(remedies):
            return remedies[number - 1]
        shows = f'attach("{self.model_name}").why() shows the {len(remedies)} that there are.'
        raise UsageError(f"{self.model_name} has no fix {number}.", shows if remedies else "Nothing is wrong with it.")

    @property
    def headline(self) -> str:
        """How the Model is; where nothing is wrong, this says so."""
        name, phase = self.model_name, self.status.phase
        if self.link and self.link.lost:
            return f"{name} was {phase} when it was last seen. {in_magics(str(self.link.unreachable()))}"
        detail = f": {self.status.detail}" if self.status.detail else "."
        if self.findings:
            return f"{name} is {phase}{detail}"
        if phase in WELL:
            return f"{name} is {phase}, and nothing is wrong with it{detail}"
        if phase in STOPPED or phase == "Degraded":
            logs = f"%kubeai_logs {name}{f' -n {self.namespace}' if self.namespace else ''}"
            return f"{name} is {phase}{detail} Nothing that explains it was found; {logs} may tell more."
        return f"{name} is {phase}{detail} Nothing is wrong so far."

    def _text(self) -> str:
        return "\n".join([*self._head, *self._lines()])

    @property
    def _head(self) -> list[str]:
        seen = f"Seen {self.where.phrase}." if self.where else ""
        remark, scaling = (self.remark and f"Note: {self.remark}"), in_magics(self.scaling)
        return list(filter(None, [self.headline, remark, scaling, seen]))

    def _lines(self) -> Iterator[str]:
        for finding, remedies in numbered(self.findings):
            yield ""
            yield f"✗ {finding.message}"
            for evidence in finding.evidence:
                yield f"    {evidence.where}:"
                yield from (f"      {line}" for line in evidence.text.splitlines())
            yield f"  {_who(finding)}"
            for one in remedies:
                yield f"  {one.number}. {in_magics(one.remedy.title, self.model_name, self.namespace)}"
                how = how_to(self.model_name, one, self.namespace)
                if how:
                    yield f"       {how}"

    def _html(self) -> Markup:
        findings = (self._finding_html(finding, remedies) for finding, remedies in numbered(self.findings))
        head = (element("div", line) for line in self._head)
        return element("div", *head, *findings, style="max-width:720px")

    def _finding_html(self, finding: Finding, remedies: tuple[Numbered, ...]) -> Markup:
        evidence = joined(
            element("div", one.where, style="opacity:0.7")
            + element("pre", one.text, style=f"{WRAPPED};margin:0 0 4px 12px")
            for one in finding.evidence
        )
        return element(
            "div",
            element("div", "✗ ", element("strong", finding.message)),
            evidence,
            element("div", _who(finding)),
            *map(self._remedy_html, remedies),
            style="margin-top:8px;padding-left:12px;border-left:3px solid #d32f2f",
        )

    def _remedy_html(self, one: Numbered) -> Markup:
        how = how_to(self.model_name, one, self.namespace)
        line = line_break() + element("code", how) if how else ""
        return element(
            "div",
            f"{one.number}. {in_magics(one.remedy.title, self.model_name, self.namespace)}",
            line,
            style="margin:2px 0 2px 12px",
        )


class Explanations(ShownAsHtml, tuple[Explanation, ...]):
    """Those of several Models; shows itself as text and HTML."""

    __slots__ = ()

    def _text(self) -> str:
        return "\n\n".join(repr(one) for one in self)

    def _html(self) -> Markup:
        each = (one._html() for one in self)  # noqa: SLF001 - of the same family
        return joined(element("div", html, style="margin-bottom:12px") for html in each)


def _who(finding: Finding) -> str:
    return (_WHO_ACTS if finding.remedies else _WHO_WITHOUT_REMEDY)[finding.who]
