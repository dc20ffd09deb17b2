"""What this machine has for a model, as far as that is known without loading anything, and for connections."""

from __future__ import annotations

import re
import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_GPUS = (Path("/dev/nvidia0"), Path("/dev/kfd"), Path("/dev/dri/renderD128"))
_DESCRIPTORS = (65_536, 10_240, 4_096)
"""macOS allows fewer than its hard limit says."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes in all and free now; a container's own limit counts as the machine's."""

    total_bytes: int
    free_bytes: int
    beside_gpu: bool = False
    """Whether a GPU may have memory of its own."""


def memory_here() -> Memory:
    """What the system says at this moment."""
    memory = psutil.virtual_memory()
    total = min([memory.total, *_container_limits()])
    return Memory(total, min(memory.available, total), any(path.exists() for path in _GPUS))


def _container_limits() -> list[int]:
    """What this process's control group and those around it may have, by version 2 or 1 of the kernel's interface.

    A container mostly sees its own as the outermost; a service of systemd, or a batch system's job, lies further in.
    """
    listed, limits = "", list[int]()
    with suppress(OSError):
        listed = _OWN_GROUPS.read_text()
    own = re.findall(r"^\d+:([^:]*):/(.*)$", listed, re.MULTILINE)
    for root, kind, name in ((_GROUPS, "", "memory.max"), (_GROUPS / "memory", "memory", "memory.limit_in_bytes")):
        group = root / next((path for kinds, path in own if kind in kinds.split(",")), "")
        for folder in (group, *group.parents):
            if folder.is_relative_to(root):
                # "max" where there is none.
                with suppress(OSError, ValueError):
                    limits.append(int((folder / name).read_text()))
    return limits


def raise_descriptors() -> int:
    """Allow as many descriptors as the system lets this process have; how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in _DESCRIPTORS:
        wanted = max(soft, most if hard == resource.RLIM_INFINITY else min(hard, most))
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft
