"""Bring a spec to the cluster: preflight, plan, apply; and change what is there."""

from kubeai_notebook.core.plan import Plan

from .apply import apply, asks_the_same, change, plan_change, rolled_back, tried
from .facts import Facts, facts_of
from .plan import plan
from .preflight import preflight, room_for

__all__ = [
    "Facts", "Plan", "apply", "asks_the_same", "change", "facts_of", "plan", "plan_change", "preflight",
    "rolled_back", "room_for", "tried",
]  # fmt: skip
