"""The resource profiles of a cluster as a picker shows them: what each means, what is free, and what would fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeai_notebook.core.accelerators import accelerator_of
from kubeai_notebook.core.estimate import estimate_of
from kubeai_notebook.core.profile import ResourceProfile
from kubeai_notebook.core.rules.quantity import to_quantity
from kubeai_notebook.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.estimate import Estimate, Figures
    from kubeai_notebook.core.kubeai.operator_config import OperatorConfig, Profile
    from kubeai_notebook.core.model_spec import ModelSpec

_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChoice:
    """One resource profile."""

    name: str
    """As it is chosen, such as ``nvidia-gpu-l4:1``."""
    meaning: str
    """What that many units hold, such as ``1 x NVIDIA L4 (24 GB), 6 CPU, 24Gi memory``."""
    free: int | None = None
    """How many units could start now; ``None``: not known."""
    estimate: Estimate | None = None
    """Whether the model fits; ``None``: too little is known."""

    @property
    def sentence(self) -> str:
        """All of it in a line."""
        free = "" if self.free is None else f"; {self.free} free now"
        return f"{self.name} = {self.meaning}{free}." + (f" {self.estimate.sentence}" if self.estimate else "")


def choices_of(
    config: OperatorConfig, spec: ModelSpec, *, figures: Figures | None, free: Mapping[str, int] | None
) -> list[ProfileChoice]:
    """The profiles by name, as many units of each as the spec asks for of its own."""
    multiple = spec.resource_profile.multiple or 1
    choices = []
    for name, profile in sorted(config.profiles.items()):
        chosen = ResourceProfile(f"{name}:{multiple}")
        asked = spec.model_copy(update={"resource_profile": chosen})
        choices.append(
            ProfileChoice(
                name=str(chosen),
                meaning=meaning_of(profile, multiple),
                free=None if free is None else free.get(name),
                estimate=estimate_of(figures, asked, config) if figures else None,
            )
        )
    return choices


def meaning_of(profile: Profile, multiple: int = 1) -> str:
    """What so many units of a profile hold, in words.

    >>> from kubeai_notebook.core.kubeai.operator_config import operator_config_of
    >>> meaning_of(operator_config_of(None).profiles["nvidia-gpu-l4"], 2)
    '2 x NVIDIA L4 (24 GB), 12 CPU, 48Gi memory'
    """
    product, amounts = accelerator_of(profile), profile.amounts()
    words = []
    for name, amount in sorted(amounts.items(), key=lambda item: "/" not in item[0]):
        total = to_quantity(amount * multiple)
        if "/" in name:
            what = f"{product.name} ({product.memory_bytes // 10**9} GB)" if product else one_line(name, _SHOWN)
            words.append(f"{total} x {what}")
        else:
            words.append(f"{total} {'CPU' if name == 'cpu' else one_line(name, _SHOWN)}")
    return ", ".join(words) or "whatever a node has left"
