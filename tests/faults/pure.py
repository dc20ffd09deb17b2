"""A fault in pure form: an Observation, what is wrong with the Model, and the Remedy that is tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.core.diagnosis.scenes import container, pod
from tests.core.diagnosis.test_field import FIELD, observed
from tests.support.container import Container

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.core.observation import Observation

Spec = dict[str, Any]
READY = pod("model-m-abc-1", container(running=True), ready=True)


@dataclass(frozen=True, kw_only=True)
class Pure:
    """A fault that this machine cannot have: what a cluster shows for as long as ``cause`` holds of the spec."""

    code: str
    fix: str
    """The label of the remedy that is tried."""
    why_not_played: str
    observation: Observation
    cause: Callable[[Spec], bool]
    healed: Observation | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.code, self.fix


def in_the_field(line: str, **spec: object) -> Observation:
    """What somebody met, by the line that tests/golden/field.yaml names, in a Model with these fields."""
    (row,) = (row for row in FIELD if row["line"] == line)
    return observed({**row, "spec": row.get("spec", {}) | spec})


def engine_of(spec: Spec) -> Container:
    """The engine's container as it reads its arguments and variables."""
    return Container(spec.get("args") or (), spec.get("env") or {}, dict)


def units_of(spec: Spec) -> int:
    """How many of its resource profile the Model takes."""
    return int(spec["resourceProfile"].partition(":")[2])
