"""What this machine can serve: a list for those who choose, and a refusal for what surely cannot run.

Both are asked of the daemon, for only it knows which weights lie here and how much room there is. The list is a
ConfigMap, made at the moment when it is read. The refusal is a ``Warning`` header on the answer to a write, as
Kubernetes has it: kubectl shows it too, and a dry run says before anything is sent what a Pod's log would say later.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.catalog.known import KNOWN
from kubeai_notebook.core.catalog.machine import CONFIG_MAP, Machine, fit_of, memory_of, never_fits
from kubeai_notebook.core.inference import feature_of
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.objects import map_at, maps_at, text_at, texts_at
from kubeai_notebook.core.source import Source
from kubeai_notebook.errors import LocalError

from .emulation.kinds import CONFIG_MAPS, Ref
from .emulation.stand_in import check_servable
from .engines.recipes import program_of
from .machine import this_machine
from .operator.system import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .emulation.kinds import Object
    from .weights import Listed, Weights

WHERE = Ref(CONFIG_MAPS, NAMESPACE, CONFIG_MAP)


def room_of_machine(cache: Path) -> Machine:
    """The room on the machine at this moment; ``cache`` is where weights are kept, or will be."""
    machine = this_machine()
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    return Machine(
        memory_bytes=machine.total_bytes,
        free_memory_bytes=machine.free_bytes,
        free_disk_bytes=shutil.disk_usage(there).free,
        accelerator="GPU" if machine.has_gpu else None,
    )


class LocalCatalog:
    """The models of one daemon's machine."""

    def __init__(self, weights: Weights, machine: Callable[[], Machine], environment: Mapping[str, str]) -> None:
        self._weights = weights
        self._machine = machine
        self._environment = environment

    def text(self) -> str:
        """The whole list as JSON, as it is now; `core.catalog.machine` reads it."""
        machine = self._machine()
        room = {name: getattr(machine, name) for name in Machine.__dataclass_fields__}
        return json.dumps({"machine": room, "models": [_entry(model, machine) for model in self._weights.listing()]})

    async def refusals(self, model: Object, before: Object | None = None) -> tuple[str, ...]:
        """Why this Model surely cannot run here, a sentence each; none where a change is about something else."""
        after, old = _weights_of(model), _weights_of(before or {})
        engine = text_at(model, "spec", "engine")
        if after == old or program_of(engine, self._environment):
            return ()
        try:
            check_servable(engine, texts_at(model, "spec", "features"))
        except LocalError as error:
            return (str(error),)
        url, adapters = text_at(model, "spec", "url"), maps_at(model, "spec", "adapters")
        asked = [(url, "model"), *((text_at(adapter, "url"), "adapter") for adapter in adapters)]
        answers = [await self._refusal(url, engine, kind) for url, kind in asked]
        return tuple(answer for answer in answers if answer)

    async def _refusal(self, url: str, engine: str, kind: str) -> str:
        if why := await self._weights.verdict(url, engine=engine, kind=kind):
            return masked(why)
        listed = next((model for model in self._weights.listing() if model.url == url), None)
        known = KNOWN.get(url)
        size_bytes = listed.bytes if listed else known.size_bytes if known and known.quantized else None
        here = listed is not None and listed.here
        return never_fits(size_bytes, self._machine(), here=here) if size_bytes else ""


def _weights_of(model: Mapping[str, Any]) -> tuple[Any, ...]:
    """The part of a Model that decides what has to lie here."""
    spec = map_at(model, "spec")
    return tuple(spec.get(name) for name in ("url", "engine", "features", "adapters"))


def _entry(model: Listed, machine: Machine) -> dict[str, Any]:
    fits, why = fit_of(model.bytes, machine, here=model.here)
    return {
        "url": model.url,
        "title": model.title,
        "features": [feature_of(Source(model.url))[0]],
        "bytes": model.bytes,
        "memory_bytes": None if model.bytes is None else memory_of(model.bytes),
        "here": model.here,
        "fits": fits,
        "why": why,
    }
