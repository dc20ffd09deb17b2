"""The Models of a namespace as data, and as the table that a reader wants.

A table whose cells are sentences ("3 min", "1/2") cannot be sorted, summed or filtered. So the frame holds numbers,
times and categories in snake_case columns, and only its display turns them into words. The display does so for the
whole frame; of a selection of columns pandas shows what was selected.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd

from kubeai_notebook.core.masking import masked, secret_values
from kubeai_notebook.core.messages import duration
from kubeai_notebook.core.objects import created_at, map_at, maps_at, name_of, text_at, texts_at
from kubeai_notebook.core.phase import Phase
from kubeai_notebook.core.rules.quantity import quantity_of
from kubeai_notebook.errors import SpecError
from kubeai_notebook.text import plain

from .html import element, made_by_pandas, page
from .plain_frame import PlainFrame
from .snapshot import not_connected
from .wording import in_magics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from markupsafe import Markup

    from kubeai_notebook.core.view import Link, View
    from kubeai_notebook.core.whereabouts import Whereabouts

HEADING = "kubeai_heading"
"""Where ``attrs`` of a frame keep the sentence above the table."""
_PHRASE = "kubeai_where"
_WINDOW = "kubeai_window_seconds"
UNKNOWN = "—"
COLUMNS = (
    "name", "phase", "ready", "desired", "engine", "features", "profile", "gpus", "created", "age", "problem",
    "problem_code", "idle_seconds", "url",
)  # fmt: skip


class ModelsFrame(PlainFrame):
    """Models, one row each; shows itself without its index, which says nothing here.

    It is cut as pandas cuts what it shows, by ``display.max_rows`` and ``display.min_rows``.
    """

    def __repr__(self) -> str:
        if not self._is_whole:
            return super().__repr__()
        rows = self._readable().to_string(index=False, **self._cut())
        return self._under_heading(plain("\n".join(filter(None, [rows, self._place]))))

    def _repr_html_(self) -> str | None:
        if not self._is_whole:
            return super()._repr_html_()
        rows = made_by_pandas(self._readable().to_html(index=False, notebook=True, **self._cut()))
        return page(self._heading_html(), rows, *([element("small", self._place)] if self._place else []))

    def _under_heading(self, text: str) -> str:
        return "\n".join(filter(None, [plain(self.attrs.get(HEADING, "")), text]))

    def _heading_html(self) -> Markup | str:
        return element("p", heading) if (heading := self.attrs.get(HEADING)) else ""

    @property
    def _place(self) -> str:
        """Where these Models are, as a line below them; a frame that was made of this one knows it as well."""
        phrase = self.attrs.get(_PHRASE)
        return f"Models {phrase}." if phrase else ""

    @property
    def _is_whole(self) -> bool:
        return tuple(self.columns) == COLUMNS

    def _readable(self) -> pd.DataFrame:
        """The same rows in words."""
        return pd.DataFrame(
            {
                "name": self["name"],
                "phase": self["phase"].astype(str),
                "ready": self["ready"].astype(str) + "/" + self["desired"].astype(str),
                **{column: self[column] for column in ("engine", "features", "profile")},
                "age": self["age"].map(_age),
                "problem": self["problem"],
                "gpus": self["gpus"],
                "idle for": self["idle_seconds"].map(self._idle),
            }
        )

    def _idle(self, seconds: float) -> str:
        if pd.isna(seconds):
            return UNKNOWN
        if seconds:
            return duration(seconds)
        window = self.attrs.get(_WINDOW)
        return f"{duration(window)} or less" if window else "in use"

    def _cut(self) -> dict[str, Any]:
        """What pandas calls the rows that are shown; the number of all is told with them."""
        most, least = pd.get_option("display.max_rows"), pd.get_option("display.min_rows")
        if not most or len(self) <= most:
            return {}
        return {"max_rows": min(least or most, most), "show_dimensions": True}


class NoModels(ModelsFrame):
    """The frame where there is no Model; what is selected from another one and holds none is no such frame."""

    @property
    def _constructor(self) -> type[ModelsFrame]:
        return ModelsFrame

    def __repr__(self) -> str:
        return self._under_heading(self._none)

    def _repr_html_(self) -> str:
        return page(self._heading_html(), element("p", self._none))

    @property
    def _none(self) -> str:
        return plain(f"There are no Models {self.attrs.get(_PHRASE) or 'here'}.")


def models_frame(
    views: Iterable[View],
    *,
    idle: Mapping[str, float],
    window_seconds: float | None = None,
    now: datetime,
    link: Link | None = None,
    where: Whereabouts | None = None,
) -> ModelsFrame:
    """One row for each View; ``where`` they are is told with them.

    ``name``, ``engine``, ``profile``, ``url`` and ``features`` (with commas between them) are text, ``phase`` is a
    category in the order of the phase table, ``ready``, ``desired`` and ``gpus`` (accelerators that Pods with a node
    hold) are whole numbers, ``created`` is UTC, ``age`` a timedelta. ``problem`` and ``problem_code`` are those of the
    first Finding, ``""`` without one.

    ``idle``: for how many seconds there was no request, by the Model's name; 0 where it is in use or, with a
    ``window_seconds``, was within that time. It is ``idle_seconds``, as far as the Model is that old; NaN where it is
    not known.

    ``link``: how fresh the Views are. That they are old stands above the table, and in ``attrs`` of the frame.
    """
    rows = [_row(view, idle.get(name_of(view.model)), now) for view in views]
    frame = ModelsFrame(rows, columns=list(COLUMNS))
    frame["phase"] = pd.Categorical(frame["phase"], categories=get_args(Phase), ordered=True)
    frame["created"] = pd.to_datetime(frame["created"], utc=True).astype("datetime64[ns, UTC]")
    frame["age"] = pd.to_timedelta(frame["age"], unit="s").astype("timedelta64[ns]")
    frame = frame.astype({"ready": "int64", "desired": "int64", "gpus": "int64", "idle_seconds": "float64"})
    shown = frame if rows else NoModels(frame)
    shown.attrs[_PHRASE] = where.phrase if where else ""
    shown.attrs[_WINDOW] = window_seconds
    if link is not None and link.lost:
        why = in_magics(str(link.error or ""))
        shown.attrs[HEADING] = " ".join(filter(None, [not_connected(link.since_seconds, now), why]))
    return shown


def _row(view: View, idle_seconds: float | None, now: datetime) -> tuple[Any, ...]:
    spec, status, created = map_at(view.model, "spec"), view.status, _created(view.model)
    age_seconds = (now - created).total_seconds() if created else None
    if idle_seconds is not None and age_seconds is not None:
        idle_seconds = max(min(idle_seconds, age_seconds), 0.0)
    problem = view.findings[0] if view.findings else None
    return (
        # pandas shows a column or a cell by itself, without asking the frame: so the cells are plain.
        plain(name_of(view.model)),
        status.phase,
        status.ready,
        status.desired,
        plain(text_at(spec, "engine")),
        plain(", ".join(texts_at(spec, "features"))),
        plain(text_at(spec, "resourceProfile")),
        _gpus(view.observation.pods),
        created,
        age_seconds,
        plain(problem.message) if problem else "",
        problem.code if problem else "",
        idle_seconds,
        plain(masked(text_at(spec, "url"), secret_values(spec))),
    )


def _created(model: Mapping[str, Any]) -> datetime | None:
    """When it was created, as far as nanoseconds since 1970 can say it."""
    created = created_at(model)
    return created if created and 1970 <= created.year <= 2261 else None


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


def _age(age: pd.Timedelta) -> str:
    return UNKNOWN if pd.isna(age) else duration(age.total_seconds())
