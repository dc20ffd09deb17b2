"""The table of a Session's Models."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pandas as pd

from kubeai_notebook.core.messages import duration
from kubeai_notebook.core.objects import at, created_at, map_at, maps_at, name_of, text_at, texts_at
from kubeai_notebook.core.rules.quantity import quantity_of
from kubeai_notebook.errors import ClusterError, SpecError
from kubeai_notebook.text import NO_FORMULAS, plain

from .waiting import look_at_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubeai_notebook.core.view import View

    from .connection import Connection

AUTOSCALER_STATE = "kubeai-autoscaler-state"
UNKNOWN = "—"
COLUMNS = (
    "name", "phase", "ready", "engine", "features", "profile", "age", "what is wrong", "GPUs held", "idle for",
)  # fmt: skip


class PlainTable(pd.DataFrame):
    """A DataFrame of other people's words: what it shows is plain, and its dollars are no formulas."""

    @property
    def _constructor(self) -> type[PlainTable]:
        return type(self)

    def __repr__(self) -> str:
        return plain(super().__repr__())

    def _repr_html_(self) -> str | None:
        html = super()._repr_html_()  # type: ignore[misc]  # pandas-stubs do not know it
        return None if html is None else f'<div class="{NO_FORMULAS}">{plain(html)}</div>'


class ModelsTable(PlainTable):
    """The same without its index, which says nothing here.

    It is cut as pandas cuts what it shows, by ``display.max_rows`` and ``display.min_rows``.
    """

    def __repr__(self) -> str:
        if not len(self):
            return "There are no Models here."
        return plain(self.to_string(index=False, **self._cut()))

    def _repr_html_(self) -> str:
        if not len(self):
            return "<p>There are no Models here.</p>"
        html = plain(self.to_html(index=False, notebook=True, **self._cut()))
        return f'<div class="{NO_FORMULAS}">{html}</div>'

    def _cut(self) -> dict[str, Any]:
        """What pandas calls the rows that are shown; the number of all is told with them."""
        most, least = pd.get_option("display.max_rows"), pd.get_option("display.min_rows")
        if not most or len(self) <= most:
            return {}
        return {"max_rows": min(least or most, most), "show_dimensions": True}


def table_of(session: Connection) -> ModelsTable:
    """All Models of the Session's namespace, one row each."""
    now, averages = datetime.now(UTC), _averages(session)
    window = duration(session.catalog.autoscaling_window_seconds)
    rows = [(*_row(view, now), _idle(averages.get(view.name), window)) for view in look_at_all(session.observer)]
    # pandas shows a column or a cell by itself, without asking the table: so the cells are plain.
    shown = [tuple(plain(cell) if isinstance(cell, str) else cell for cell in row) for row in rows]
    return ModelsTable(shown, columns=list(COLUMNS))


def _row(view: View, now: datetime) -> tuple[Any, ...]:
    model, status = view.model, view.status
    created = created_at(model)
    return (
        name_of(model),
        status.phase,
        f"{status.ready}/{status.desired}",
        text_at(model, "spec", "engine"),
        ", ".join(texts_at(model, "spec", "features")),
        text_at(model, "spec", "resourceProfile"),
        duration((now - created).total_seconds()) if created else UNKNOWN,
        view.findings[0].message if view.findings else "",
        _gpus(view.observation.pods),
    )


def _gpus(pods: Iterable[Mapping[str, Any]]) -> int:
    """Accelerators (resources that a vendor names) of the Pods that have a node."""
    placed = [pod for pod in pods if text_at(pod, "spec", "nodeName")]
    containers = [container for pod in placed for container in maps_at(pod, "spec", "containers")]
    limits = [map_at(container, "resources", "limits").items() for container in containers]
    return int(sum(_amount(amount) for items in limits for name, amount in items if "/" in str(name)))


def _amount(quantity: Any) -> Fraction:
    """The amount; nothing where it is no quantity."""
    try:
        return quantity_of(quantity)
    except SpecError:
        return Fraction()


def _averages(session: Connection) -> dict[str, float]:
    """Requests at work on each Model, averaged by KubeAI's autoscaler; nothing where that may not be read."""
    try:
        models = json.loads(text_at(session.cluster.config_map(AUTOSCALER_STATE), "data", "models"))
    except (ClusterError, ValueError, RecursionError):
        return {}
    averages = {name: at(one, "averageActiveRequests") for name, one in map_at(models, "models").items()}
    return {name: average for name, average in averages.items() if isinstance(average, int | float)}


def _idle(average: float | None, window: str) -> str:
    """KubeAI keeps an average over a window of time: 0 means that there was no request in it."""
    if average is None:
        return UNKNOWN
    return "in use" if average else f"{window} or more"
