"""Accelerators by name: how much memory each has, and how fast that is read.

A resource profile does not say what its accelerator is; its name and its node selector usually do. The figures are
those of the vendors' data sheets. Where a name stands for several products, the memory is that of the smallest and the
bandwidth a range; a name that leaves the memory open (V100, B200) stands here with its size only, or not at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .kubeai.operator_config import Profile


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One product."""

    name: str
    memory_bytes: int
    least_bandwidth: float
    """Bytes a second, of the slowest product of this name."""
    most_bandwidth: float


def _product(name: str, gigabytes: int, *gigabytes_a_second: int) -> Accelerator:
    speeds = [speed * 1e9 for speed in gigabytes_a_second]
    return Accelerator(name, gigabytes * 10**9, min(speeds), max(speeds))


SOURCE = "the vendor's data sheet"
_PRODUCTS = (
    # What stands in names of profiles and nodes, without letter case and signs; the longer ones first.
    ("a100 80gb", _product("NVIDIA A100 80 GB", 80, 1935, 2039)),
    ("a100 40gb", _product("NVIDIA A100 40 GB", 40, 1555)),
    ("v100 16gb", _product("NVIDIA V100 16 GB", 16, 900)),
    ("v100 32gb", _product("NVIDIA V100 32 GB", 32, 900)),
    ("rtx4070 8gb", _product("NVIDIA RTX 4070 Laptop 8 GB", 8, 256)),
    ("rtx4090", _product("NVIDIA RTX 4090", 24, 1008)),
    ("l40s", _product("NVIDIA L40S", 48, 864)),
    ("l40", _product("NVIDIA L40", 48, 864)),
    ("l4", _product("NVIDIA L4", 24, 300)),
    ("t4", _product("NVIDIA T4", 16, 320)),
    ("a10g", _product("NVIDIA A10G", 24, 600)),
    ("a10", _product("NVIDIA A10", 24, 600)),
    ("a16", _product("NVIDIA A16 (one of its four)", 16, 200)),
    ("a30", _product("NVIDIA A30", 24, 933)),
    ("a40", _product("NVIDIA A40", 48, 696)),
    ("gh200", _product("NVIDIA GH200", 96, 4000, 4900)),
    ("h100", _product("NVIDIA H100", 80, 2000, 3350)),
    ("h200", _product("NVIDIA H200", 141, 4800)),
    ("mi300x", _product("AMD MI300X", 192, 5300)),
    ("mi325x", _product("AMD MI325X", 256, 6000)),
)


def accelerator_of(profile: Profile) -> Accelerator | None:
    """The accelerator that a profile's node selector names, else its own name; ``None`` where neither does.

    >>> from .kubeai.operator_config import operator_config_of
    >>> accelerator_of(operator_config_of(None).profiles["nvidia-gpu-l4"]).name
    'NVIDIA L4'
    """
    if not profile.gpus:
        return None
    for name in (*profile.node_selector.values(), profile.name):
        words = re.sub(r"[^a-z0-9]+", " ", name.lower()).replace("rtx ", "rtx")
        if re.search(r"\bmig\b", words):  # a part of one, whose memory the name says in its own way
            return None
        for known, product in _PRODUCTS:
            if all(re.search(rf"\b{word}\b", words) for word in known.split()):
                return product
    return None
