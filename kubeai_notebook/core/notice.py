"""Notice: the one way to say that something is wrong, doubtful or was inferred.

Rules, the preflight, the diagnosis, the doctor and errors all speak in Notices, so that a form shows each under its
field, a browser gets it as data, and its Remedy arrives wherever it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .remedy import Remedy

Severity = Literal["error", "warning", "info"]
"""``error``: it cannot work as it is; ``info``: nothing is wrong (what was inferred, what was checked and is well)."""
NOT_ASKED = "NotAsked"
"""The code of a Notice that says what a check leaves open: it speaks neither for the Model nor against it."""
Who = Literal["user", "admin", "nobody"]
"""Who can act next; ``nobody``: waiting is enough."""
MOST_UNKNOWN = 20
"""So many fields that no Model has are told one by one."""
EvidenceKind = Literal["answer", "condition", "event", "field", "log", "refusal", "status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that a user should know of a Model, a cluster or a field."""

    code: str
    severity: Severity = "error"
    message: str
    """A sentence about the reader's own thing; it shows no secret and names no magic."""
    field: str = ""
    """The ModelSpec's field, such as ``args[2]``; ``""`` where it is about none."""
    remedies: tuple[Remedy, ...] = ()

    def __str__(self) -> str:
        """The whole of it in a line: its field where the message does not name it, the message, and the next steps."""
        words = self.field.replace("_", " ").removesuffix("s")  # a message on secrets may name one secret
        where = "" if self.field in self.message or words in self.message.lower() else f"{self.field}: "
        return where + " ".join([self.message, *(remedy.title for remedy in self.remedies)])


def wrong(field: str, code: str, message: str, *remedies: Remedy) -> Notice:
    """A Notice of a wrong field; its message says what to do, or a Remedy does."""
    return Notice(code=code, field=field, message=message, remedies=remedies)


def more_unknown(count: int) -> list[Notice]:
    """Where there are more unknown fields than are told one by one, that there are: what each means takes time."""
    if count <= MOST_UNKNOWN:
        return []
    return [wrong("", "UnknownField", f"… and {count - MOST_UNKNOWN:,} more that are no fields. Leave them out.")]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The very words a Finding rests on: masked, at most 300 characters."""

    kind: EvidenceKind
    where: str
    """The object, and the field, container or reason in it."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Notice):
    """A Notice about a Model that was seen, with what it rests on and who must act."""

    evidence: tuple[Evidence, ...] = ()
    who: Who = "user"


def addressed(findings: tuple[Finding, ...], kubectl: tuple[str, ...]) -> tuple[Finding, ...]:
    """The Findings with commands that reach one cluster from any terminal; ``kubectl`` is how it is called there."""
    return tuple(
        replace(finding, remedies=tuple(remedy.addressed(kubectl) for remedy in finding.remedies))
        for finding in findings
    )
