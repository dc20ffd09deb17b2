"""All Models as rows for a live table, and the same without a kernel: what a saved notebook shows of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kubeai_notebook.core.messages import duration
from kubeai_notebook.core.objects import created_at, map_at, text_at, texts_at
from kubeai_notebook.text import plain

from .card import tone_of
from .html import NO_FORMULAS, element, table
from .wire import ModelRow

if TYPE_CHECKING:
    from kubeai_notebook.core.view import View

    from .wire import ModelsTable

HEADS = ("name", "phase", "ready", "engine", "features", "profile", "age", "problem")
LONGEST_CELL = 200
"""Characters of one cell: the card has the rest."""


def row_of(view: View) -> ModelRow:
    """One Model's row."""
    spec, created = map_at(view.model, "spec"), created_at(view.model)
    return ModelRow(
        name=view.name,
        uid=view.uid,
        phase=view.status.phase,
        tone=tone_of(view),
        ready=view.status.ready,
        desired=view.status.desired,
        engine=plain(text_at(spec, "engine"), LONGEST_CELL),
        features=plain(", ".join(texts_at(spec, "features")), LONGEST_CELL),
        profile=plain(text_at(spec, "resourceProfile"), LONGEST_CELL),
        created_seconds=created.timestamp() if created else 0.0,
        problem=next((plain(finding.message, LONGEST_CELL) for finding in view.settled_findings), ""),
    )


def table_text(shown: ModelsTable) -> str:
    """One line a Model."""
    lines = [f"{row.name}  {row.phase}  {row.ready}/{row.desired}  {row.problem}".rstrip() for row in shown.rows]
    return "\n".join([*(lines or ["There are no Models."]), f"Models {shown.where}."])


def table_snapshot(shown: ModelsTable, *, at: datetime | None = None) -> str:
    """The rows in HTML, with no script; ``at`` is the moment it speaks of, now by default."""
    moment = at or datetime.now(UTC)
    rows = (
        (
            row.name,
            row.phase,
            f"{row.ready}/{row.desired}",
            row.engine,
            row.features,
            row.profile,
            duration(moment.timestamp() - row.created_seconds) if row.created_seconds else "",
            row.problem,
        )
        for row in shown.rows
    )
    seen = f"Models {shown.where}, as seen on {moment.astimezone():%Y-%m-%d %H:%M:%S %Z}."
    return element("div", table(rows, head=HEADS), element("small", seen), class_=f"kubeai-snapshot {NO_FORMULAS}")
