"""Plan: what serving a spec would do. Outcome: what a verb did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .spec_diff import readable, restarts_pods

if TYPE_CHECKING:
    from .spec_diff import Changes

Action = Literal["created", "attached", "updated", "deleted", "restarted", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a verb did to one Model; every face words it by itself."""

    action: Action
    name: str
    note: str = ""
    """What was done, in a sentence without a magic in it."""
    uid: str = ""
    generation: int = 0
    """The Model's generation after it; 0 where it has none any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done, and what that means for the Pods."""

    action: Literal["create", "attach", "update"]
    manifest: dict[str, Any]
    current: dict[str, Any] = field(default_factory=dict)
    """The Model as it is in the cluster; empty where there is none."""
    changes: Changes = field(default_factory=dict)
    generation: int = 0
    """The Model's generation after this; 0 as long as it was not applied."""
    uid: str = ""
    """The Model's own; ``""`` as long as there is none."""

    @property
    def restarts(self) -> bool:
        """Whether KubeAI replaces the Model's Pods."""
        return restarts_pods(self.current, self.changes)

    @property
    def diff(self) -> str:
        """The changes, one line a field."""
        return "\n".join(readable(self.changes))

    def __repr__(self) -> str:
        return f"Plan({self.action}: {', '.join(self.changes) or 'nothing to change'})"
