"""Outcome: what a verb did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
