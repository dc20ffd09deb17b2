"""Check: one line of the list that is gone through before a Model is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the list. ``fail``: as it is, the Model cannot serve."""

    name: str
    state: State
    message: str
    hint: str = ""
    field: str = ""
    """The ModelSpec's field, where one is to blame."""
    code: str = ""
