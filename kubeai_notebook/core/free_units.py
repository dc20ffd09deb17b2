"""How many units of each resource profile could start now, as nodes and Pods have it.

An estimate: the scheduler looks at more (affinity, volumes, priorities), and who is faster gets the node.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import SpecError

from .accelerators import accelerator_of
from .objects import at, map_at, maps_at, name_of, text_at, texts_in
from .rules.quantity import quantity_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .kubeai.operator_config import Profile
    from .profile import ResourceProfile

_OVER = frozenset({"Succeeded", "Failed"})
Amounts = dict[str, Fraction]


def free_units(
    profiles: Iterable[Profile], nodes: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]]
) -> dict[str, int]:
    """Units by profile; a profile that asks for nothing is left out: any number of it could start."""
    return {name: sum(units) for name, units in _units_by_node(profiles, nodes, pods).items()}


def units_on_one_node(
    profiles: Iterable[Profile], nodes: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]]
) -> dict[str, int]:
    """The most units that one Pod could have now, by profile: those of the node with the most room for it."""
    return {name: max(units, default=0) for name, units in _units_by_node(profiles, nodes, pods).items()}


def other_profile(
    wanted: ResourceProfile, profiles: Mapping[str, Profile], free: Mapping[str, int]
) -> tuple[str, int] | None:
    """Another profile, with its count, that gives as much as the one that is wanted and fits on a node now.

    As much: as many accelerators of the same resource, none of them known to have less memory; of a profile without
    accelerators, as much memory. The one that takes the least is given.
    """
    own, count = profiles.get(wanted.name), wanted.multiple or 0
    if own is None or count < 1:
        return None
    own_memory = _memory(own)
    found = []
    for other in profiles.values():
        units, memory = _as_much(own, count, other), _memory(other)
        enough = own_memory is None or (memory is not None and memory >= own_memory)
        if other.name != own.name and 0 < units <= free.get(other.name, 0) and enough:
            found.append((memory or 0, units, other.name))
    return next(((best, units) for _, units, best in sorted(found)), None)


def _memory(profile: Profile) -> int | None:
    product = accelerator_of(profile)
    return product.memory_bytes if product else None


def _as_much(own: Profile, count: int, other: Profile) -> int:
    """How many units of the other profile give what is counted; 0 where none does."""
    mine, others = own.amounts(), other.amounts()
    counted = {resource for resource in mine if "/" in resource}
    if counted != {resource for resource in others if "/" in resource}:
        return 0
    needed = {resource: mine[resource] * count for resource in counted or {"memory"} & mine.keys()}
    if not needed or any(not others.get(resource) for resource in needed):
        return 0
    return max(ceil(amount / others[resource]) for resource, amount in needed.items())


def _units_by_node(
    profiles: Iterable[Profile], nodes: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]]
) -> dict[str, list[int]]:
    used: dict[str, list[Amounts]] = defaultdict(list)
    for pod in pods:
        if text_at(pod, "status", "phase") not in _OVER:
            used[text_at(pod, "spec", "nodeName")].append(_requests(pod))
    rooms = [(node, _left(node, used[name_of(node)])) for node in nodes if _takes_pods(node)]
    return {
        profile.name: [_units(amounts, left) for node, left in rooms if _suits(profile, node)]
        for profile in profiles
        if (amounts := {name: amount for name, amount in profile.amounts().items() if amount})
    }


def _units(amounts: Amounts, left: Amounts) -> int:
    return max(0, min(int(left.get(name, Fraction(0)) // amount) for name, amount in amounts.items()))


def _left(node: Mapping[str, Any], used: Iterable[Amounts]) -> Amounts:
    left = _amounts(map_at(node, "status", "allocatable"))
    for requests in used:
        for name, amount in requests.items():
            left[name] = left.get(name, Fraction(0)) - amount
    return left


def _requests(pod: Mapping[str, Any]) -> Amounts:
    total: Amounts = defaultdict(Fraction)
    for container in maps_at(pod, "spec", "containers"):
        resources = map_at(container, "resources")
        for name, amount in _amounts({**map_at(resources, "limits"), **map_at(resources, "requests")}).items():
            total[name] += amount
    return total


def _amounts(quantities: Mapping[str, Any]) -> Amounts:
    amounts: Amounts = {}
    for name, text in quantities.items():
        with suppress(SpecError):
            amounts[name] = quantity_of(text)
    return amounts


def _takes_pods(node: Mapping[str, Any]) -> bool:
    conditions = maps_at(node, "status", "conditions")
    ready = any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
    return ready and at(node, "spec", "unschedulable") is not True


def _suits(profile: Profile, node: Mapping[str, Any]) -> bool:
    labels = texts_in(node, "metadata", "labels")
    taints = [taint for taint in maps_at(node, "spec", "taints") if taint.get("effect") in ("NoSchedule", "NoExecute")]
    # A Pod that asks for a vendor's resource is given the toleration of that name by many clusters.
    tolerated = {*profile.tolerated, *profile.amounts()}
    return profile.node_selector.items() <= labels.items() and all(
        text_at(taint, "key") in tolerated for taint in taints
    )
