"""What the daemon says of its machine: how much room there is, and which models lie there.

The daemon serves it as a ConfigMap, so that any client of Kubernetes can read it and no second protocol is needed.
What a url is called there may come from a registry: the reader takes what has the right shape and leaves the rest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.memory import memory_of
from kubeai_notebook.core.messages import size
from kubeai_notebook.core.objects import map_at, maps_at, number_at, text_at, texts_at

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_MAP, KEY = "kubeai-local-catalog", "catalog.json"
AGENT = "kubeai-local"
"""Who warns, in the header of that name, where the daemon says that a Model cannot run here; an API server is ``-``."""
_MOST_MODELS = 10_000
# A column of numbers with gaps passes through floating point, which is exact up to there.
_MOST_BYTES = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """How much room a machine has."""

    memory_bytes: int
    free_memory_bytes: int
    """What programs can take without any other being moved to disk."""
    free_disk_bytes: int
    """Where weights are kept."""
    accelerator: str | None = None
    """The GPU that the engine can use."""
    cores: int | None = None
    """Processors that programs may use; none of a daemon that does not say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineModel:
    """A model that the machine knows how to get."""

    url: str
    title: str = ""
    features: tuple[str, ...] = ()
    size_bytes: int | None = None
    memory_bytes: int | None = None
    here: bool = False
    """Whether it lies on the machine, so that nothing is downloaded."""
    known: bool = False
    """Whether only its publisher says all this."""
    fits: bool | None = None
    """Whether there is room for it."""
    why: str = ""
    lacks: bool = False
    """Whether something else than room is missing on the machine, which ``why`` then says."""


@dataclass(frozen=True, slots=True)
class MachineCatalog:
    """What the daemon says of its machine."""

    machine: Machine | None = None
    models: tuple[MachineModel, ...] = ()
    idle_seconds: Mapping[str, float] = field(default_factory=dict)
    """For how long each Model of it had no request, by the Model's name."""


def fit_of(size_bytes: int | None, machine: Machine, *, here: bool) -> tuple[bool | None, str]:
    """Whether weights of this size can be kept and served on the machine at this moment, and why not."""
    if size_bytes is None:
        return None, "its size is not known"
    needed = memory_of(size_bytes)
    if not here and size_bytes > machine.free_disk_bytes:
        return False, f"{size(size_bytes)} to download, {size(machine.free_disk_bytes)} of disk free"
    if needed <= machine.free_memory_bytes:
        return True, ""
    room = f"{size(machine.free_memory_bytes)} of {size(machine.memory_bytes)} free"
    why = f"about {size(needed)} of memory needed, {room}"
    return (None, f"{why}; the GPU has memory of its own") if machine.accelerator else (False, why)


def never_fits(size_bytes: int, machine: Machine) -> str:
    """What is too small for weights of this size whatever else is closed first, as a sentence; ``""``: nothing."""
    needed = memory_of(size_bytes)
    if size_bytes > machine.free_disk_bytes:
        return f"It takes {size(size_bytes)} of disk, and {size(machine.free_disk_bytes)} are free on this machine."
    if needed > machine.memory_bytes and not machine.accelerator:
        return f"It needs about {size(needed)} of memory, and this machine has {size(machine.memory_bytes)} in all."
    return ""


def machine_catalog_of(config_map: Mapping[str, Any]) -> MachineCatalog:
    """Read the daemon's ConfigMap; what has another shape is left out."""
    try:
        document = json.loads(text_at(config_map, "data", KEY) or "{}")
    except (ValueError, RecursionError):
        document = {}
    room, machine = map_at(document, "machine"), None
    amounts = [_bytes(room, f"{name}_bytes") for name in ("memory", "free_memory", "free_disk")]
    if None not in amounts:
        memory, free_memory, free_disk = (amount or 0 for amount in amounts)
        machine = Machine(
            memory_bytes=memory,
            free_memory_bytes=free_memory,
            free_disk_bytes=free_disk,
            accelerator=text_at(room, "accelerator") or None,
            cores=number_at(room, "cores"),
        )
    listed = maps_at(document, "models")[:_MOST_MODELS]
    models = tuple(_model(entry) for entry in listed if text_at(entry, "url"))
    idle = map_at(document, "idle_seconds").items()
    known = {name: value for name, value in idle if isinstance(value, int | float) and 0 <= value < _MOST_BYTES}
    return MachineCatalog(machine, models, known)


def _model(entry: Mapping[str, Any]) -> MachineModel:
    fits = entry.get("fits")
    return MachineModel(
        url=text_at(entry, "url"),
        title=text_at(entry, "title"),
        features=tuple(texts_at(entry, "features")),
        size_bytes=_bytes(entry, "bytes"),
        memory_bytes=_bytes(entry, "memory_bytes"),
        here=entry.get("here") is True,
        known=entry.get("known") is True,
        fits=fits if isinstance(fits, bool) else None,
        why=text_at(entry, "why"),
        lacks=entry.get("lacks") is True,
    )


def _bytes(entry: Mapping[str, Any], name: str) -> int | None:
    amount = number_at(entry, name)
    return amount if amount is not None and 0 <= amount < _MOST_BYTES else None
