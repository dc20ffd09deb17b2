"""PlainFrame: a DataFrame of other people's words. pandas is imported with this module, and by nobody before."""

from __future__ import annotations

import pandas as pd

from kubeai_notebook.text import plain

from .html import made_by_pandas, page


class PlainFrame(pd.DataFrame):
    """A DataFrame of other people's words: what it shows is plain, and its dollars are no formulas."""

    @property
    def _constructor(self) -> type[PlainFrame]:
        return type(self)

    def __repr__(self) -> str:
        return plain(super().__repr__())

    def _repr_html_(self) -> str | None:
        html = super()._repr_html_()  # type: ignore[misc]  # pandas-stubs do not know it
        return None if html is None else page(made_by_pandas(html))
