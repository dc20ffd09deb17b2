"""The table of a Session's Models."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from kubeai_notebook.core.rules.quantity import quantity_of
from kubeai_notebook.core.status import parse_time
from kubeai_notebook.core.wording import duration
from kubeai_notebook.errors import ClusterError
from kubeai_notebook.text import NO_FORMULAS, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .observer import View
    from .session import Session

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


def table_of(session: Session) -> ModelsTable:
    """All Models of the Session's namespace, one row each."""
    now, averages = datetime.now(UTC), _averages(session)
    window = duration(session.catalog.autoscaling_window_seconds)
    rows = [
        (*_row(view, now), _idle(averages.get(name), window))
        for name in session.observer.names()
        for view in [session.observer.view(name)]
    ]
    # pandas shows a column or a cell by itself, without asking the table: so the cells are plain.
    shown = [tuple(plain(cell) if isinstance(cell, str) else cell for cell in row) for row in rows]
    return ModelsTable(shown, columns=list(COLUMNS))


def _row(view: View, now: datetime) -> tuple[Any, ...]:
    model, status = view.model, view.status
    created = parse_time(model["metadata"].get("creationTimestamp")) or now
    return (
        model["metadata"]["name"],
        status.phase,
        f"{status.ready}/{status.desired}",
        model["spec"]["engine"],
        ", ".join(model["spec"].get("features") or []),
        model["spec"].get("resourceProfile", ""),
        duration((now - created).total_seconds()),
        view.findings[0].title if view.findings else "",
        _gpus(view.observation.pods),
    )


def _gpus(pods: Iterable[Mapping[str, Any]]) -> int:
    """Accelerators (resources that a vendor names) of the Pods that have a node."""
    placed = [pod for pod in pods if pod["spec"].get("nodeName")]
    containers = [container for pod in placed for container in pod["spec"].get("containers") or []]
    limits = [((container.get("resources") or {}).get("limits") or {}).items() for container in containers]
    return int(sum(quantity_of(amount) for items in limits for name, amount in items if "/" in name))


def _averages(session: Session) -> dict[str, float]:
    """Requests at work on each Model, averaged by KubeAI's autoscaler; nothing where that may not be read."""
    try:
        state = session.cluster.config_map(AUTOSCALER_STATE)
        models = json.loads(state["data"]["models"])["models"]
        return {name: float(one["averageActiveRequests"]) for name, one in models.items()}
    except (ClusterError, KeyError, TypeError, ValueError):
        return {}


def _idle(average: float | None, window: str) -> str:
    """KubeAI keeps an average over a window of time: 0 means that there was no request in it."""
    if average is None:
        return UNKNOWN
    return "in use" if average else f"{window} or more"
