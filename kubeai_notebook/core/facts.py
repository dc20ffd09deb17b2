"""What the core knows of one cluster: what a Model's author can choose from there, and what lies there already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .model_spec import ENGINES, FEATURES
from .source import SCHEMES

if TYPE_CHECKING:
    from .kubeai.operator_config import OperatorConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """One cluster at one moment; ``None``: it may not be read."""

    operator_config: OperatorConfig
    namespace: str = ""
    secret_names: tuple[str, ...] | None = None
    priority_classes: tuple[str, ...] | None = None
    models: tuple[dict[str, Any], ...] = ()
    """The namespace's Models: the profiles they run on exist, also where the configuration may not be read."""
    engines: tuple[str, ...] = ENGINES
    """Those that the cluster admits; one that is not known here is none the worse."""
    features: tuple[str, ...] = FEATURES
    schemes: tuple[str, ...] = SCHEMES
