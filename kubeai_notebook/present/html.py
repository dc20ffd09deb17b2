"""HTML: the one place that writes a tag.

Everything that is shown quotes somebody: a log, an API server, a Model's name. Pages that were put together from
strings had to remember ``escape`` at each of some fifty places. Here a page is put together from elements, and each
text that goes into an element is escaped by `markupsafe` on its way in: forgetting is not possible.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import Markup

from kubeai_notebook.text import ShownAsText, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

NO_FORMULAS = "mathjax_ignore tex2jax_ignore"
"""Classes of an element whose dollars are no formulas: JupyterLab and nbconvert draw those of HTML, too, and a formula
can set styles and make links."""

WRAPPED = "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
"""Style of words as they were written: JupyterLab breaks those of a ``pre`` at any letter, also where there is room."""
_TAGS = re.compile("(<[^<>]*>)")


def element(tag: str, *children: str, **attributes: str) -> Markup:
    """One element; children that are no Markup are text. ``class_`` stands for ``class``.

    >>> element("div", element("strong", "a<b"), " c", style="margin:0")
    Markup('<div style="margin:0"><strong>a&lt;b</strong> c</div>')
    """
    written = (Markup(' {}="{}"').format(name.rstrip("_"), plain(value)) for name, value in attributes.items())
    return Markup("<{0}{1}>{2}</{0}>").format(tag, joined(written), joined(children))


def joined(parts: Iterable[str]) -> Markup:
    """The parts one behind the other; those that are no Markup are text.

    A text is made plain before a tag stands behind it: what begins an escape code would take the tag for its end.
    """
    return Markup("").join(part if isinstance(part, Markup) else plain(part) for part in parts)


def line_break() -> Markup:
    """The one element without an end."""
    return Markup("<br>")


def table(rows: Iterable[Iterable[str]], *, head: Iterable[str] = ()) -> Markup:
    """A table whose cells begin at the left."""
    heads = [element("th", title, style="text-align:left") for title in head]
    body = (element("tr", *(element("td", cell, style="text-align:left") for cell in row)) for row in rows)
    first = element("thead", element("tr", *heads)) if heads else ""
    return element("table", first, element("tbody", *body))


def page(*children: str) -> str:
    """What one output shows: plain characters, and no formulas."""
    return str(plain(element("div", *children, class_=NO_FORMULAS)))


def made_by_pandas(html: str) -> Markup:
    """The HTML of a DataFrame: pandas escapes what its cells hold; they are made plain here, between the tags."""
    parts = (part if part.startswith("<") else plain(part) for part in _TAGS.split(html))
    return Markup("".join(parts))  # noqa: S704 - pandas wrote the tags, and the rest is escaped


class ShownAsHtml(ShownAsText):
    """Base of what shows itself as text and as HTML: a subclass has ``_text`` and ``_html``."""

    __slots__ = ()

    def _html(self) -> Markup:
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return page(self._html())
