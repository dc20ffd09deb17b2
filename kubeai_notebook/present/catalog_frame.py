"""What can be served as data, and as the table that somebody chooses from.

Sizes are numbers and "does it fit" is yes, no or not known, so that the frame sorts and filters; its display words
them. There a figure that nobody measured here carries "about", for a publisher's figure is no promise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.messages import size
from kubeai_notebook.text import plain

from .html import element, made_by_pandas, page
from .plain_frame import PlainFrame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeai_notebook.core.catalog.offers import Offer

UNKNOWN = "—"
COLUMNS = ("url", "features", "engine", "size_bytes", "memory_bytes", "here", "fits", "why", "source", "model", "title")
NOTHING = "Nothing in the catalog is like that; any url of a model can be served all the same."
MOST_LINES = 20
"""Of the text, which does not scroll by itself as a page does."""
LEGEND = "“about”: a publisher's figure, or memory as estimated from the size; nothing of it was measured here."


class CatalogFrame(PlainFrame):
    """Models that can be served, one url a row."""

    def __repr__(self) -> str:
        if tuple(self.columns) != COLUMNS:
            return super().__repr__()
        if self.empty:
            return NOTHING
        more = len(self) - MOST_LINES
        shorter = [f"… and {more} more: name a word of those that you look for."] if more > 0 else []
        return plain("\n".join([self._readable().head(MOST_LINES).to_string(index=False), *shorter, LEGEND]))

    def _repr_html_(self) -> str | None:
        if tuple(self.columns) != COLUMNS:
            return super()._repr_html_()
        if self.empty:
            return page(element("p", NOTHING))
        return page(made_by_pandas(self._readable().to_html(index=False)), element("p", LEGEND))

    def _readable(self) -> pd.DataFrame:
        """The same rows in words, without the columns that have none: on most machines everything fits."""
        values = self.astype(object).where(self.notna(), None)
        words = pd.DataFrame([_worded(dict(zip(COLUMNS, row, strict=True))) for row in values.to_numpy()])
        return words.loc[:, (words != "").any()]


def catalog_frame(offers: Iterable[Offer]) -> CatalogFrame:
    """One row for each Offer.

    ``url``, ``features`` (with commas between them), ``engine``, ``why`` it does not fit or cannot run, ``source``
    (``this machine``, ``cluster`` or ``known``), the ``model`` that serves it already and a ``title`` are text;
    ``size_bytes`` (what is downloaded) and ``memory_bytes`` (about what serving takes) are whole numbers or NA;
    ``here`` says whether it lies on this machine; ``fits`` is True, False, or NA where that is
    not known, or is not what is missing.
    """
    frame = CatalogFrame([_row(offer) for offer in offers], columns=list(COLUMNS))
    types = {"size_bytes": "Int64", "memory_bytes": "Int64", "here": "bool", "fits": "boolean"}
    return frame.astype(types)


def _row(offer: Offer) -> tuple[Any, ...]:
    # pandas shows a column or a cell by itself, without asking the frame: so the cells are plain.
    return (
        plain(masked(offer.url)),
        plain(", ".join(offer.features)),
        plain(offer.engine),
        offer.size_bytes,
        offer.memory_bytes,
        offer.here,
        offer.fits,
        plain(masked(offer.why)),
        offer.source,
        plain(offer.model),
        plain(masked(offer.title)),
    )


def _worded(row: dict[str, Any]) -> dict[str, str]:
    about = "about " if row["source"] == "known" else ""
    size_bytes, memory_bytes = row["size_bytes"], row["memory_bytes"]
    return {
        "url": row["url"],
        "features": row["features"],
        "engine": row["engine"],
        "size": UNKNOWN if size_bytes is None else about + size(size_bytes),
        "memory": UNKNOWN if memory_bytes is None else f"about {size(memory_bytes)}",
        "here": "yes" if row["here"] else "",
        "fits": {True: "yes", False: "no"}.get(row["fits"], UNKNOWN),
        "why": row["why"],
        "source": row["source"],
        "Model": row["model"],
    }
