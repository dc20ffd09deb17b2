"""PlainFrame: a DataFrame of other people's words. pandas is imported with this module, and by nobody before."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kubeai_notebook.text import plain

from .html import made_by_pandas, page

_MOST_ROWS = 1000
"""Of a table that is not pandas', whose rows are copied to be shown."""


class PlainSeries(pd.Series):
    """A column or a row of other people's words: what it shows is plain."""

    @property
    def _constructor(self) -> type[PlainSeries]:
        return PlainSeries

    @property
    def _constructor_expanddim(self) -> type[PlainFrame]:
        return PlainFrame

    def __repr__(self) -> str:
        return plain(super().__repr__())


class PlainFrame(pd.DataFrame):
    """A DataFrame of other people's words: what it shows is plain, and its dollars are no formulas."""

    @property
    def _constructor(self) -> type[PlainFrame]:
        return type(self)

    @property
    def _constructor_sliced(self) -> type[PlainSeries]:
        return PlainSeries

    def __repr__(self) -> str:
        return plain(super().__repr__())

    def _repr_html_(self) -> str | None:
        html = super()._repr_html_()  # type: ignore[misc]  # pandas-stubs do not know it
        return None if html is None else page(made_by_pandas(html))


def plain_view(table: Any) -> Any:
    """A table of pandas, polars or pyarrow as it may be shown; of the last two, its beginning. Anything else stays."""
    if isinstance(table, pd.DataFrame):
        return PlainFrame(table)
    if hasattr(table, "to_pandas"):
        return PlainFrame(table[:_MOST_ROWS].to_pandas())
    return table
