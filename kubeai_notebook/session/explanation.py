"""Why: what is wrong with a Model, on which evidence, and what would cure it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import count
from typing import TYPE_CHECKING, Final

from kubeai_notebook.text import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeai_notebook.core.notice import Finding, Who
    from kubeai_notebook.core.phase import ModelStatus
    from kubeai_notebook.core.remedy import Remedy

_WHO_ACTS: Final[Mapping[Who, str]] = {
    "user": "You can cure it:",
    "admin": "Somebody who runs the cluster has to act:",
    "nobody": "It may pass by itself; if it does not:",
}
_WHO_WITHOUT_FIX: Final[Mapping[Who, str]] = {
    "user": "You can cure it, but the cure is not known here.",
    "admin": "Somebody who runs the cluster has to act.",
    "nobody": "Nobody has to act; it passes by itself.",
}
_WELL = ("Ready", "Asleep")
_STUCK = ("Blocked", "Failing", "Unmanaged", "Degraded")


@dataclass(frozen=True, repr=False)
class Why(Shown):
    """A Model's Findings at one moment; shows itself as text and HTML. The fixes of all are numbered through."""

    model_name: str
    status: ModelStatus
    findings: tuple[Finding, ...] = ()

    @property
    def fixes(self) -> tuple[Remedy, ...]:
        """Fix 1 first: ``Model.fix`` takes the same numbers."""
        return tuple(fix for finding in self.findings for fix in finding.remedies)

    @property
    def headline(self) -> str:
        """How the Model is; where nothing is wrong, this says so."""
        name, phase = self.model_name, self.status.phase
        detail = f": {self.status.detail}" if self.status.detail else "."
        if self.findings:
            return f"{name} is {phase}{detail}"
        if phase in _WELL:
            return f"{name} is {phase}, and nothing is wrong with it{detail}"
        if phase in _STUCK:
            return f"{name} is {phase}{detail} Nothing that explains it was found; %kubeai_logs {name} may tell more."
        return f"{name} is {phase}{detail} Nothing is wrong so far."

    def _text(self) -> str:
        return "\n".join([self.headline, *self._lines()])

    def _lines(self) -> Iterator[str]:
        numbers = count(1)
        for finding in self.findings:
            yield ""
            yield f"✗ {finding.message}"
            for evidence in finding.evidence:
                yield f"    {evidence.where}:"
                yield from (f"      {line}" for line in evidence.text.splitlines())
            yield f"  {_who(finding)}"
            for fix, number in zip(finding.remedies, numbers, strict=False):
                yield f"  {number}. {fix.title}"
                how = how_to(self.model_name, number, fix)
                if how:
                    yield f"       {how}"

    def _html(self) -> str:
        numbers = count(1)
        body = "".join(self._finding_html(finding, numbers) for finding in self.findings)
        return f'<div style="max-width:720px"><div>{escape(self.headline)}</div>{body}</div>'

    def _finding_html(self, finding: Finding, numbers: Iterator[int]) -> str:
        evidence = "".join(
            f'<div style="opacity:0.7">{escape(one.where)}</div>'
            f'<pre style="white-space:pre-wrap;margin:0 0 4px 12px">{escape(one.text)}</pre>'
            for one in finding.evidence
        )
        fixes = "".join(self._fix_html(fix, number) for fix, number in zip(finding.remedies, numbers, strict=False))
        return (
            '<div style="margin-top:8px;padding-left:12px;border-left:3px solid #d32f2f">'
            f"<div>✗ <strong>{escape(finding.message)}</strong></div>{evidence}"
            f"<div>{escape(_who(finding))}</div>{fixes}</div>"
        )

    def _fix_html(self, fix: Remedy, number: int) -> str:
        how = how_to(self.model_name, number, fix)
        said = f"<br><code>{escape(how)}</code>" if how else ""
        return f'<div style="margin:2px 0 2px 12px">{number}. {escape(fix.title)}{said}</div>'


class Whys(tuple[Why, ...]):
    """What is wrong with each of several Models; shows itself as text and HTML."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n\n".join(repr(why) for why in self)

    def _repr_html_(self) -> str:
        return "".join(f'<div style="margin-bottom:12px">{why._repr_html_()}</div>' for why in self)


def how_to(model_name: str, number: int, fix: Remedy) -> str:
    """The line that applies a fix: a magic, or a command for a terminal; nothing for mere advice."""
    if fix.changes:
        return f"%kubeai_why {model_name} --fix {number}"
    if fix.command and fix.command.verb:
        return " ".join([f"%kubeai_{fix.command.verb}", *fix.command.arguments])
    return f"!{fix.command.line}" if fix.command else ""


def _who(finding: Finding) -> str:
    return (_WHO_ACTS if finding.remedies else _WHO_WITHOUT_FIX)[finding.who]
