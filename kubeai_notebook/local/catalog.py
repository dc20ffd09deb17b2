"""What this machine can serve: a list for those who choose, and a refusal for what surely cannot run.

Both are asked of the daemon, for only it knows which weights lie here and how much room there is. The list is a
ConfigMap, made at the moment when it is read. The refusal is a ``Warning`` header on the answer to a write, as
Kubernetes has it: kubectl shows it too, and a dry run says before anything is sent what a Pod's log would say later.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.catalog.known import KNOWN, KnownModel
from kubeai_notebook.core.catalog.machine import CONFIG_MAP, Machine, fit_of, never_fits
from kubeai_notebook.core.inference import feature_of
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.memory import memory_of
from kubeai_notebook.core.objects import map_at, maps_at, text_at, texts_at
from kubeai_notebook.core.source import Source
from kubeai_notebook.errors import LocalError

from .emulation.kinds import CONFIG_MAPS, Ref
from .emulation.stand_in import check_servable
from .engines.recipes import program_of
from .machine import memory_here
from .operator.system import NAMESPACE
from .weights import convert

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .emulation.kinds import Object
    from .weights import Weights

WHERE = Ref(CONFIG_MAPS, NAMESPACE, CONFIG_MAP)


def machine_here(cache: Path) -> Machine:
    """How much room there is at this moment; ``cache`` is where weights are kept, or will be."""
    memory = memory_here()
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    return Machine(
        memory_bytes=memory.total_bytes,
        free_memory_bytes=memory.free_bytes,
        free_disk_bytes=shutil.disk_usage(there).free,
        accelerator="GPU" if memory.beside_gpu else None,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    )


class LocalCatalog:
    """The models of one daemon's machine."""

    def __init__(
        self,
        weights: Weights,
        machine: Callable[[], Machine],
        environment: Mapping[str, str],
        *,
        idle_seconds: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        self._weights = weights
        self._machine = machine
        self._environment = environment
        self._idle_seconds = idle_seconds

    def text(self) -> str:
        """The whole list as JSON, as it is now; `core.catalog.machine` reads it."""
        machine, listing = self._machine(), self._weights.listing()
        listed = {model.url for model in listing}
        entries = [_entry(model.url, model.bytes, machine, here=model.here, title=model.title) for model in listing]
        entries += [self._known(model, machine) for url, model in KNOWN.items() if url not in listed]
        document = {"machine": asdict(machine), "models": entries, "idle_seconds": self._idle_seconds()}
        return json.dumps(document)

    def _known(self, model: KnownModel, machine: Machine) -> dict[str, Any]:
        """What its publisher says of a model, and why it cannot run here as far as that is known without asking."""
        entry = _entry(model.url, model.size_bytes, machine, here=False, title=model.title) | {"known": True}
        why = "" if program_of(model.engine, self._environment) else self._lacking(model)
        return entry | {"features": [model.feature]} | ({"fits": None, "why": why, "lacks": True} if why else {})

    def _lacking(self, model: KnownModel) -> str:
        try:
            check_servable(model.engine, (model.feature,))
        except LocalError as error:
            return error.message
        if lacking := self._weights.lacking(model.url):
            return lacking
        return f"needs {convert.INSTALL} for its safetensors" if _needs_converter(model) else ""

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
        answers = await asyncio.gather(*(self._refusal(url, engine, kind) for url, kind in asked))
        return tuple(answer for answer in answers if answer)

    async def _refusal(self, url: str, engine: str, kind: str) -> str:
        if why := await self._weights.verdict(url, engine=engine, kind=kind):
            return masked(why)
        # The source may not have been reached; of a known model more is certain, unless it lies here already.
        known, listing = KNOWN.get(url), self._weights.listing()
        if known is None or any(model.url == url and model.here for model in listing):
            return ""
        if _needs_converter(known):
            return str(convert.lacking(url))
        return never_fits(known.size_bytes, self._machine()) if known.quantized and known.size_bytes else ""


def _needs_converter(model: KnownModel) -> bool:
    """Whether llama.cpp runs it only once the converter, which is not installed, has made a GGUF file of it."""
    return model.feature == "TextGeneration" and not model.quantized and find_spec(convert.MODULE) is None


def _weights_of(model: Mapping[str, Any]) -> tuple[Any, ...]:
    """The part of a Model that decides what has to lie here."""
    spec = map_at(model, "spec")
    return tuple(spec.get(name) for name in ("url", "engine", "features", "adapters"))


def _entry(url: str, size_bytes: int | None, machine: Machine, *, here: bool, title: str) -> dict[str, Any]:
    fits, why = fit_of(size_bytes, machine, here=here)
    return {
        "url": url,
        "title": title,
        "features": [feature_of(Source(url))[0]],
        "bytes": size_bytes,
        "memory_bytes": None if size_bytes is None else memory_of(size_bytes),
        "here": here,
        "fits": fits,
        "why": why,
    }
