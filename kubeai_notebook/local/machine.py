"""How much memory this machine has for a model, as far as that is known without loading anything."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_GPUS = (Path("/dev/nvidia0"), Path("/dev/kfd"), Path("/dev/dri/renderD128"))


@dataclass(frozen=True, slots=True)
class Machine:
    """Bytes of memory in all and free now; a container's own limit counts as the machine's."""

    total_bytes: int
    free_bytes: int
    has_gpu: bool = False
    """Whether there may be memory beside this."""


def this_machine() -> Machine:
    """What the system says at this moment."""
    memory = psutil.virtual_memory()
    total = min([memory.total, *_container_limits()])
    return Machine(total, min(memory.available, total), any(path.exists() for path in _GPUS))


def _container_limits() -> list[int]:
    limits = []
    for path in _LIMITS:
        # "max" where there is none.
        with suppress(OSError, ValueError):
            limits.append(int(path.read_text()))
    return limits
