"""Resource profiles: named hardware of a cluster, and how many times."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubeai_notebook.core.notice import wrong
from kubeai_notebook.errors import SpecError

from .masking import quoted


@dataclass(frozen=True, slots=True)
class ResourceProfile:
    """A profile of the operator's configuration, taken ``multiple`` times for each replica."""

    name: str
    multiple: int = 1

    def __str__(self) -> str:
        return f"{self.name}:{self.multiple}"


def parse_profile(text: str) -> ResourceProfile:
    """Read a resource profile as KubeAI writes it, ``<name>:<multiple>``; a bare name counts once.

    ``multiple`` counts profiles, not GPUs: KubeAI multiplies every request and
    limit of the profile by it, for each replica.

    >>> parse_profile("nvidia-gpu-l4:2")
    ResourceProfile(name='nvidia-gpu-l4', multiple=2)

    Raises:
        SpecError: more than one colon, no name, or a multiple that is no whole number from 1 up.

    Source: KubeAI 0.22.1, ``getModelConfig`` in the model controller.
    """
    name, colon, multiple = text.partition(":")
    if not name or (colon and not re.fullmatch(r"[1-9][0-9]{0,8}", multiple)):
        message = (
            f"The resource profile {quoted(text)} is not <name>:<multiple>. Write it like cpu:1 or nvidia-gpu-l4:2."
        )
        raise SpecError([wrong("resource_profile", "InvalidResourceProfile", message)])
    return ResourceProfile(name, int(multiple or "1"))
