"""Traps: what admission lets through and the operator, the engine or the gateway then fails on without a word.

The rows come from the operator and the engines as they were measured; each knows one way to fall and one step out.
What a cluster's own configuration says is told by `operator_checks`, what admission refuses by `admission`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lint_engine import engine_traps
from .lint_parts import part_traps
from .lint_source import source_traps
from .lint_text import text_traps
from .subject import Subject

if TYPE_CHECKING:
    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.notice import Notice


def problems_of(spec: ModelSpec) -> list[Notice]:
    """Every trap that the spec stands in, errors first."""
    subject = Subject(spec)
    notices = [
        *source_traps(subject),
        *engine_traps(subject),
        *part_traps(subject),
        *text_traps(subject),
    ]
    return sorted(notices, key=lambda notice: notice.severity)
