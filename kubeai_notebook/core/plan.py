"""Plan, Outcome and Stake: what a verb would do, what it did, what it would take away.

Values, which every face words by itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal

from .objects import is_going, map_at, uid_of
from .spec_diff import readable, restarts_pods

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .notice import Notice
    from .spec_diff import Changes

Action = Literal[
    "created", "attached", "updated", "scaled", "paused", "resumed", "restarted", "deleted", "fixed", "rolled back",
    "nothing",
]  # fmt: skip
"""``attached``: an equal Model was there already; ``nothing``: there was nothing to do."""


GONE: Final = "gone"
"""What is asked of a Model that was deleted."""


def requested(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What users ask for: a spec without the fields that the operator writes."""
    own = {} if spec.get("autoscalingDisabled") else {"replicas"}
    return {key: value for key, value in spec.items() if key not in own}


def asked_of(model: Mapping[str, Any]) -> str:
    """A word for which Model this is and what users ask of it, the same for as long as nobody changes that."""
    asked = [uid_of(model), is_going(model), requested(map_at(model, "spec"))]
    return sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a verb did to one Model, or with ``dry_run`` would do."""

    action: Action
    name: str
    note: str = ""
    """What was done, in a sentence without a magic in it."""
    uid: str = ""
    generation: int = 0
    """The Model's generation after it; 0 where it has none any more, or none yet."""
    diff: tuple[str, ...] = ()
    """What changes, one line a field; a secret is never shown."""
    restarts: bool = False
    """Whether Pods are replaced."""
    dry_run: bool = False
    resource_version: str = ""
    """Of the Model that a dry run was computed on."""
    warnings: tuple[Notice, ...] = ()
    """What the API server warned of as it took the change."""
    asked: str = field(default="", repr=False, compare=False)
    """What the Model was asked for when this was done, as `asked_of` has it; once it is another, the note is old."""

    @property
    def created(self) -> bool:
        """Whether the verb created the Model."""
        return self.action == "created"


Guarded = Literal["serve", "scale", "pause", "resume", "fix", "rollback", "restart", "delete"]
"""The verbs that change a Model which is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """What a verb would do to a Model that somebody else served."""

    verb: Guarded
    name: str
    uid: str = ""
    served_by: str = ""
    """Whose it is; ``""`` where nobody served it with this package."""
    pods: int = 0
    ready: int = 0
    """How many Pods are ready, so that requests may be under way."""
    resource_profile: str = ""
    cache_profile: str = ""
    diff: tuple[str, ...] = ()
    """What the verb would change, one line a field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done, and what that means for the Pods."""

    action: Literal["create", "attach", "update"]
    manifest: dict[str, Any]
    current: dict[str, Any] = field(default_factory=dict)
    """The Model as it is in the cluster; empty where there is none."""
    changes: Changes = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    """Variables whose value in the Model's own Secret changes: no Pod is replaced for them."""
    uid: str = ""
    """The Model's own; ``""`` as long as there is none."""
    hidden: tuple[str, ...] = field(default=(), repr=False)
    """Values of secrets, which the diff hides wherever they stand."""

    @property
    def restarts(self) -> bool:
        """Whether KubeAI replaces the Model's Pods."""
        return restarts_pods(self.current, self.changes)

    @property
    def diff(self) -> str:
        """The changes, one line a field."""
        values = [f"secrets: {', '.join(self.secrets)} (changed)"] if self.secrets else []
        return "\n".join([*readable(self.changes, self.hidden), *values])

    def __repr__(self) -> str:
        changed = ", ".join([*self.changes, *self.secrets])
        return f"Plan({self.action}: {changed or 'nothing to change'})"
