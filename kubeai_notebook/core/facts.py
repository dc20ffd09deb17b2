"""What the core knows of one cluster: what a Model's author can choose from there, and what lies there already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .kubeai.model_schema import KNOWN, ModelSchema

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
    schema: ModelSchema = KNOWN
    """What the cluster admits in a Model; a value that is not known here is none the worse."""
