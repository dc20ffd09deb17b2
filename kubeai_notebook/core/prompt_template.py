"""A prompt with the names of columns in braces, filled in row by row.

``str.format`` is the wrong tool for prompts: JSON, Jinja, LaTeX, code and regular expressions are full of braces, and
it either raises at them or reads ``{text.__class__}``. Here a name in single braces is filled in where a column has
this name, once, and nothing that a cell holds is read again. All else stays as it is written.

What is left to decide is a name that no column has. It is a slip of the pen, except behind what only formulas write
(a TeX command, ``^``, ``_``, a closing brace), where it is text.
"""

from __future__ import annotations

import math
import re
from numbers import Real
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import UsageError
from kubeai_notebook.text import encodable

from .marked_text import MarkedText
from .messages import nearest, with_article

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_BRACES = re.compile(r"\{\{[^{}\n]*\}\}|\{([^{}\n]{1,200})\}")
"""Doubled ones are Jinja's, and stay."""
_NAME = re.compile(r"[^\W\d]\w*")
_FORMULA_BEFORE = re.compile(r"(?:\\[A-Za-z]+\*?(?:\[[^\]\n]*\])?|[\^_}\]$])\Z")
_LOOKED_BACK = 80
_SHOWN_COLUMNS = 10


class PromptTemplate:
    """A prompt that is filled in from the cells of ``columns``, those of the frame's columns that it names.

    ``text`` may be a MarkedText, whose values name no column. ``chosen``: the only columns that are filled in; other
    names in braces then stay as they are.

    >>> template = PromptTemplate('Is {text} like {"a": 1}?', ["text", "id"])
    >>> template.columns, template.fill(["{id}"])
    (('text',), 'Is {id} like {"a": 1}?')

    Raises:
        UsageError: it names a column that the frame does not have, or none at all.
    """

    def __init__(self, text: str, frame_columns: Sequence[str], *, chosen: Collection[str] | None = None) -> None:
        if not isinstance(text, str):
            raise UsageError(f"The prompt is a text with columns in braces, not {with_article(type(text).__name__)}.")
        for name in chosen or ():
            if name not in frame_columns:
                raise _no_column(name, frame_columns)
        known = frame_columns if chosen is None else [name for name in frame_columns if name in chosen]
        self._pieces: list[str] = []
        names: list[str] = []
        end = 0
        for match in _BRACES.finditer(text):
            if match[1] not in known:
                if match[1] and chosen is None and _is_slip(text, match):
                    raise _no_column(match[1], frame_columns)
                continue
            self._pieces.append(text[end : match.start()])
            names.append(match[1])
            end = match.end()
        self._pieces.append(text[end:])
        if not names:
            raise _names_none(text, frame_columns)
        # Last, so that no value of a variable names a column.
        self._pieces = [MarkedText.of(text).fill(piece) for piece in self._pieces]
        self.columns = tuple(dict.fromkeys(names))
        self._order = [self.columns.index(name) for name in names]

    def problem_of(self, cells: Sequence[Any]) -> str:
        """Why these cells, in the order of ``columns``, make no prompt; ``""`` where they do."""
        if all(isinstance(cell, str) for cell in cells):
            return "" if any(map(str.strip, cells)) else f"{self.columns[0]} is empty in this row; nothing was sent."
        missing = next((name for name, cell in zip(self.columns, cells, strict=True) if is_missing(cell)), "")
        return f"{missing} is missing in this row; nothing was sent." if missing else ""

    def fill(self, cells: Sequence[Any]) -> str:
        """The prompt of one row; halves of characters, which no encoding has, become ``?``."""
        texts = [cell if isinstance(cell, str) else str(cell) for cell in cells]
        parts = [self._pieces[0]]
        for place, piece in zip(self._order, self._pieces[1:], strict=True):
            parts += (texts[place], piece)
        return encodable("".join(parts))


def is_missing(cell: Any) -> bool:
    """Whether a table holds nothing here: None, NaN, NaT or pandas' NA.

    >>> [is_missing(cell) for cell in (None, float("nan"), "", 0)]
    [True, True, False, False]
    """
    kind = type(cell)
    if kind is str or kind is int:  # for speed: isinstance against an abstract class costs ten times as much
        return False
    if cell is None or kind.__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(cell, Real) and math.isnan(cell)


def _is_slip(text: str, match: re.Match[str]) -> bool:
    before = text[max(match.start() - _LOOKED_BACK, 0) : match.start()]
    return bool(_NAME.fullmatch(match[1])) and not _FORMULA_BEFORE.search(before)


def _no_column(name: str, frame_columns: Sequence[str]) -> UsageError:
    near = nearest(name, frame_columns)
    where = f'Did you mean "{near}"?' if near else _listed(frame_columns)
    kept = 'columns=["…"] names those that are filled in; all other braces then stay as they are.'
    return UsageError(f'The frame has no column "{name}". {where}', kept)


def _names_none(text: str, frame_columns: Sequence[str]) -> UsageError:
    doubled = next((name for name in frame_columns if re.search(rf"\{{\{{\s*{re.escape(name)}\s*\}}\}}", text)), "")
    if doubled:
        message = f"A column takes single braces: {{{doubled}}}. As {{{{{doubled}}}}} it stays as it is."
        return UsageError(message, "In a cell, double braces are for an expression of your variables.")
    message = "The prompt names no column of the frame, so every row would ask the same."
    example = f" {{{frame_columns[0]}}} stands for a row's cell." if frame_columns else ""
    return UsageError(message, _listed(frame_columns) + example)


def names_in(text: str) -> list[str]:
    """The names that stand in single braces, each once; what a formula writes is none.

    >>> names_in('{text}: {text} {"a": 1} {{b}} x^{c}')
    ['text']
    """
    single = (match for match in _BRACES.finditer(text) if match[1])
    return list(dict.fromkeys(match[1] for match in single if _is_slip(text, match)))


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "It has none at all."
    shown = ", ".join(names[:_SHOWN_COLUMNS])
    return f"Its columns are: {shown}{' …' if len(names) > _SHOWN_COLUMNS else ''}."
