"""Resource profiles: named hardware of a cluster, and how many times; like a `Source`, a text that knows its parts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.errors import SpecError

from .notice import wrong

if TYPE_CHECKING:
    from typing import Self

# As KubeAI reads it, which takes any number; the client's own form below is narrower.
_FORM = re.compile(r"[^:]*:\+?(?P<multiple>[0-9]{1,9})")
_OWN_FORM = re.compile(r"[^:]+(:(0|[1-9][0-9]{0,8}))?")


class ResourceProfile(str):
    """A profile of the operator's configuration, taken ``multiple`` times for each replica.

    ``multiple`` counts profiles, not GPUs: KubeAI multiplies every request and limit of the profile by it.

    >>> profile = ResourceProfile("nvidia-gpu-l4:2")
    >>> profile.name, profile.multiple
    ('nvidia-gpu-l4', 2)

    Source: KubeAI 0.22.1, ``getModelConfig`` in the model controller.
    """

    __slots__ = ("multiple", "name")

    name: str
    """What stands before the colon."""
    multiple: int | None
    """None where KubeAI cannot read the text; it then starts nothing."""

    def __new__(cls, text: str = "") -> Self:  # noqa: D102 - the class's own
        profile = super().__new__(cls, text)
        match = _FORM.fullmatch(text)
        profile.name = text.partition(":")[0]
        profile.multiple = int(match["multiple"]) if match else None
        return profile


def parse_profile(text: str) -> ResourceProfile:
    """Read a resource profile as people write it, ``<name>:<multiple>``; a bare name counts once.

    >>> parse_profile("cpu")
    'cpu:1'

    Raises:
        SpecError: more than one colon, no name, or a multiple that is no whole number; 0 asks for nothing, which a trap
            says.
    """
    if not _OWN_FORM.fullmatch(text):
        # Only a text that is refused loads the masking.
        from .masking import quoted

        message = f"The resource profile {quoted(text)} is not <name>:<multiple>."
        raise SpecError([wrong("resource_profile", CODE, f"{message} Write it like cpu:1 or nvidia-gpu-l4:2.")])
    return ResourceProfile(text if ":" in text else f"{text}:1")


CODE = "InvalidResourceProfile"
