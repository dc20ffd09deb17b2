"""Whether a Model fits into what the namespace's ResourceQuotas leave."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.objects import map_at, name_of
from kubeai_notebook.core.profile import ResourceProfile
from kubeai_notebook.core.remedy import SetField
from kubeai_notebook.core.rules.quantity import quantity_of, to_quantity
from kubeai_notebook.core.rules.subject import error
from kubeai_notebook.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.notice import Notice
    from kubeai_notebook.core.plan import Plan

    from .facts import Facts


def quota_notices(facts: Facts, spec: ModelSpec, planned: Plan) -> Iterator[Notice]:
    """A Notice for each limit that the new Model would go over; none where nothing is limited."""
    if planned.action != "create":
        return
    asked = _asked(facts, spec)
    for quota in facts.quotas:
        for resource, free in _left(quota).items():
            wanted = asked.get(resource)
            if wanted is not None and wanted > free:
                name = name_of(quota)
                message = (
                    f'The quota "{name}" leaves {to_quantity(max(free, free * 0))} of {resource}, '
                    f"and this Model needs {to_quantity(wanted)}."
                )
                fitting = _fitting(facts, spec)
                smaller = f"set resource_profile {fitting}" if fitting else "choose a smaller profile"
                changes = [SetField(name="resourceProfile", value=fitting)] if fitting else []
                step = f"Delete a Model, {smaller}, or ask for a higher quota."
                yield error("", "QuotaExceeded", message, *changes, step=step)


def _fitting(facts: Facts, spec: ModelSpec) -> str:
    """The nearest profile that all quotas have room for: fewer units of the same, else one of the same kind."""
    profiles = facts.operator_config.profiles
    asked = profiles.get(spec.resource_profile.name)
    if asked is None:
        return ""
    fewer = [f"{asked.name}:{units}" for units in range((spec.resource_profile.multiple or 1) - 1, 0, -1)]
    alike = [other for other in profiles.values() if other != asked and bool(other.gpus) == bool(asked.gpus)]
    others = sorted(alike, key=lambda other: (other.gpus, len(other.requests)), reverse=True)
    for choice in [*fewer, *(f"{other.name}:1" for other in others)]:
        wanted = _asked(facts, spec.model_copy(update={"resource_profile": ResourceProfile(choice)}))
        rooms = [room for quota in facts.quotas for room in _left(quota).items()]
        if all(wanted.get(resource, Fraction(0)) <= free for resource, free in rooms):
            return choice
    return ""


def _left(quota: Mapping[str, Any]) -> dict[str, Fraction]:
    """What a quota leaves of each resource; nothing is said of one whose numbers cannot be read."""
    used, left = map_at(quota, "status", "used"), {}
    for resource, limit in map_at(quota, "status", "hard").items():
        with suppress(SpecError):
            left[resource] = quantity_of(limit) - quantity_of(used.get(resource, "0"))
    return left


def _asked(facts: Facts, spec: ModelSpec) -> dict[str, Fraction]:
    """What the Model and the replicas that it starts with count as, in the quotas' own words."""
    asked, scaling = {"count/models.kubeai.org": Fraction(1)}, spec.scaling
    replicas = (scaling.replicas if scaling.autoscaling_disabled else scaling.min_replicas) or 0
    profile = facts.operator_config.profiles.get(spec.resource_profile.name)
    if not replicas:
        return asked
    asked |= dict.fromkeys(("pods", "count/pods"), Fraction(replicas))
    if profile is None:
        return asked
    times = replicas * (1 if spec.resource_profile.multiple is None else spec.resource_profile.multiple)
    # Kubernetes takes a limit for the request where nothing is requested.
    for kind, amounts in (("requests", {**profile.limits, **profile.requests}), ("limits", profile.limits)):
        for resource, amount in amounts.items():
            asked[f"{kind}.{resource}"] = quantity_of(amount) * times
            if kind == "requests" and "/" not in resource:
                asked[resource] = quantity_of(amount) * times
    return asked
