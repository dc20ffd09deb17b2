"""Mapper: `Model.map` as one callable that other machines run, where the data outgrows one.

It holds names and no login: a Session is pickled as its place, and whoever unpickles it connects there by its own
credentials. What decides an answer was read from the Model when this was made, so a worker asks the gateway only and
needs no right to read Models. Each worker's own limiter finds its share of the gateway's pace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeai_notebook.calls.job import Job
from kubeai_notebook.calls.map_frame import answers_of, planned_map
from kubeai_notebook.calls.tables import with_columns
from kubeai_notebook.core.messages import with_article
from kubeai_notebook.errors import UsageError

if TYPE_CHECKING:
    from kubeai_notebook.calls.question import Target
    from kubeai_notebook.core.map_fields import MapFields

    from .connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapper:
    """A callable, DataFrame → DataFrame, such as for ``ddf.map_partitions(mapper, meta=mapper.meta)``."""

    session: Connection
    target: Target
    prompt: str
    fields: MapFields
    empty: Any = None
    """A frame without rows, as the pieces are that this gets."""

    def __call__(self, frame: Any) -> Any:
        """The frame with the answers in new columns; errors as `Model.map`."""
        planned = planned_map(self.target, frame, prompt=self.prompt, fields=self.fields)
        return planned.start(self.session.endpoint, Job).result()

    @property
    def meta(self) -> Any:
        """A frame without rows, with the columns and types of what this gives.

        Raises:
            UsageError: nobody said what it gets.
        """
        if self.empty is None:
            raise UsageError("What this gives depends on what it gets.", "mapper(…, like=ddf) says that.")
        answers = answers_of(self.fields)
        return with_columns(self.empty, answers.cells([]), answers.columns)


def empty_like(frame: Any) -> Any:
    """A frame without rows of the same columns and types; of what is no frame in memory (Dask's) one of pandas."""
    import narwhals as nw

    try:
        return nw.from_native(frame, eager_only=True).head(0).to_native()
    except TypeError:
        pass
    try:
        import pandas as pd

        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in frame.dtypes.items()})
    except (AttributeError, TypeError):
        raise UsageError(
            f"like= takes a DataFrame, also one of Dask, not {with_article(type(frame).__name__)}."
        ) from None
