"""How many units of each resource profile could start now, as nodes and Pods have it.

An estimate: the scheduler looks at more (affinity, volumes, priorities), and who is faster gets the node.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import SpecError

from .objects import at, map_at, maps_at, name_of, text_at, texts_in
from .rules.quantity import quantity_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .kubeai.operator_config import Profile

_OVER = frozenset({"Succeeded", "Failed"})
Amounts = dict[str, Fraction]


def free_units(
    profiles: Iterable[Profile], nodes: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]]
) -> dict[str, int]:
    """Units by profile; a profile that asks for nothing is left out: any number of it could start."""
    used: dict[str, list[Amounts]] = defaultdict(list)
    for pod in pods:
        if text_at(pod, "status", "phase") not in _OVER:
            used[text_at(pod, "spec", "nodeName")].append(_requests(pod))
    rooms = [(node, _left(node, used[name_of(node)])) for node in nodes if _takes_pods(node)]
    return {
        profile.name: sum(_units(amounts, left) for node, left in rooms if _suits(profile, node))
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
