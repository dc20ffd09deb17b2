"""What a diagnosis says: Finding, its Evidence and its Fixes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Who = Literal["user", "admin", "nobody"]
"""Who can act next; ``nobody``: waiting is enough."""
EvidenceKind = Literal["answer", "condition", "event", "field", "log", "refusal", "status"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The very words a Finding rests on: masked, at most 300 characters."""

    kind: EvidenceKind
    where: str
    """The object, and the field, container or reason in it."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A change that would cure the problem; with neither patch nor command it is advice for a person."""

    title: str
    # The patch repeats whole lists of the user's own Model, which may hold a secret: it is sent, never shown.
    patch: Mapping[str, Any] | None = field(default=None, repr=False, hash=False)
    """An RFC 7386 JSON merge patch on the Model."""
    command: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One explained problem."""

    code: str
    title: str
    evidence: tuple[Evidence, ...] = ()
    who: Who = "user"
    fixes: tuple[Fix, ...] = ()
