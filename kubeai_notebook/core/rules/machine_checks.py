"""A ModelSpec against one's own machine: how much memory and how many processors it would take.

Here nobody adds a node. But most figures are estimates: weights are mapped and shared by the replicas of a Model, what
is free changes with every program that is closed, and the size of a model that nobody has listed is read from its
name. So nearly all of it warns. Refused is only what no estimate can save: more engines than fit into memory empty, or
so many that the machine is of no use to anybody.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.catalog.machine import fit_of
from kubeai_notebook.core.memory import memory_of
from kubeai_notebook.core.messages import size
from kubeai_notebook.core.remedy import SetField

from .subject import error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.catalog.machine import Machine
    from kubeai_notebook.core.catalog.offers import Offer
    from kubeai_notebook.core.kubeai.operator_config import Profile
    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.notice import Notice
    from kubeai_notebook.core.source import Source

LEAST_ENGINE_BYTES = 40_000_000
"""What an engine takes without any weights; measured with llama.cpp: 70 MB, of which a part is shared."""
MOST_ENGINES_A_CORE = 16
"""Beyond them the machine answers nobody any more, whoever asks it to scale down again."""
_PARAMETERS = re.compile(r"(?<![a-z0-9.])(?P<billions>\d{1,4}(?:\.\d{1,3})?)b(?![a-z0-9])", re.I)
_BYTES_OF_A_PARAMETER = 0.56
"""With four bits for each, and what is kept in more: what Ollama's library serves by default."""


def against_machine(
    spec: ModelSpec, machine: Machine, *, offer: Offer | None, profile: Profile | None
) -> Iterator[Notice]:
    """What of the spec is larger than the machine; ``offer`` and ``profile`` are its url's and its own, where known."""
    yield from _profile(spec, machine, profile)
    bytes_of_weights = offer.size_bytes if offer else None
    yield from replicas_notices(_replicas(spec), machine, bytes_of_weights)
    if offer and bytes_of_weights:
        fits, why = fit_of(bytes_of_weights, machine, here=offer.here)
        if fits is False:
            yield warning("url", "MayNotFit", f"{offer.url} may not fit on this machine now: {why}.", step=_SMALLER)
    else:
        yield from _named_size(spec.url, machine)


_SMALLER = "Make room, or take a smaller model or quantization."


def replicas_notices(replicas: int, machine: Machine, bytes_of_weights: int | None = None) -> Iterator[Notice]:
    """Whether so many engines of a Model fit on the machine; each replica is one."""
    if replicas <= 1:
        return
    each = memory_of(bytes_of_weights) if bytes_of_weights else LEAST_ENGINE_BYTES
    most = max(machine.memory_bytes // each, 1)
    engines = f"{replicas} replicas are {replicas} engines, and this machine has"
    memory = f"{engines} {size(machine.memory_bytes)} of memory"
    room = max(machine.memory_bytes // LEAST_ENGINE_BYTES, 1)
    taken = min(room, MOST_ENGINES_A_CORE * machine.cores) if machine.cores else room
    if replicas > taken:
        message = f"{memory}." if replicas > room else f"{engines} {machine.cores} processors."
        yield error("scaling.min_replicas", "TooManyReplicas", message, step=f"Ask for {taken} at most.")
    elif replicas > most and not machine.accelerator:
        message = f"{memory}: each takes about {size(each)}, as far as they do not share it."
        yield warning("scaling.min_replicas", "TooManyReplicas", message, step=f"Ask for {most} at most.")
    elif machine.cores and replicas > machine.cores:
        message = f"{replicas} replicas share the {machine.cores} processors of this machine, so none is faster for it."
        yield warning("scaling.min_replicas", "TooManyReplicas", message, step=f"Ask for {machine.cores} at most.")


def _replicas(spec: ModelSpec) -> int:
    scaling = spec.scaling
    return (scaling.replicas if scaling.autoscaling_disabled else scaling.min_replicas) or 0


def _profile(spec: ModelSpec, machine: Machine, profile: Profile | None) -> Iterator[Notice]:
    """A profile that asks for more than there is: an engine starts all the same, with what there is."""
    multiple = spec.resource_profile.multiple
    if profile is None or profile.gpus or not multiple or multiple == 1:
        return
    amounts = profile.amounts()
    cores, memory = amounts.get("cpu", 0) * multiple, amounts.get("memory", 0) * multiple
    if machine.cores and cores > machine.cores:
        asks, has = f"{float(cores):,g} processors", f"{machine.cores}"
    elif memory > machine.memory_bytes:
        asks, has = f"{size(float(memory))} of memory", size(machine.memory_bytes)
    else:
        return
    message = f"{spec.resource_profile} asks for {asks}, and this machine has {has}: the engine gets what there is."
    once = f"{profile.name}:1"
    yield warning(
        "resource_profile",
        "ProfileLargerThanMachine",
        message,
        SetField(name="resourceProfile", value=once),
        step=f"Write {once}.",
    )


def _named_size(url: Source, machine: Machine) -> Iterator[Notice]:
    """A model whose name says that it is too large, such as ``qwen2.5:72b``."""
    found = _PARAMETERS.search(url.reference)
    if found is None or machine.accelerator:
        return
    needed = memory_of(int(float(found["billions"]) * 1e9 * _BYTES_OF_A_PARAMETER))
    if needed <= machine.memory_bytes:
        return
    message = (
        f'"{found[0]}" in the url stands for {found["billions"]} billion parameters: about {size(needed)} of memory '
        f"with four bits for each, and this machine has {size(machine.memory_bytes)}."
    )
    yield warning("url", "MayNotFit", message, step=_SMALLER)
