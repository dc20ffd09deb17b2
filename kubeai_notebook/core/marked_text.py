"""A text with marks where values go, so that it is split and read before the values are in it.

A value may be what a model said, a page that was pasted, or a line of somebody's table. Filled in first, its blanks
made options of a line, its line breaks made fields of YAML, and its braces named columns. So whoever reads a line, a
cell or YAML reads the text with its marks, and fills in the parts that come out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = re.compile("\ue000([0-9]{1,9})\ue001")
"""Two characters for private use, with a number between them."""


class Place(NamedTuple):
    """What stands for one mark: the words as they were typed, the value, and the value as text."""

    typed: str
    value: Any
    text: str


class MarkedText(str):
    """A text that holds marks, and what goes in their places; a part of it is a plain text with the same marks.

    >>> text = MarkedText("a \ue0000\ue001 b", [Place("$n", 5, "5")])
    >>> text.fill("[\ue0000\ue001]"), text.typed(), text.value("\ue0000\ue001")
    ('[5]', 'a $n b', 5)
    """

    places: tuple[Place, ...]

    def __new__(cls, text: str, places: list[Place] | tuple[Place, ...] = ()) -> MarkedText:
        """The text with its marks, which count the places."""
        self = super().__new__(cls, text)
        self.places = tuple(places)
        return self

    @classmethod
    def of(cls, text: str) -> MarkedText:
        """The text itself, or a plain text as one without marks."""
        return text if isinstance(text, cls) else cls(text)

    def part(self, text: str) -> MarkedText:
        """A part of this text, or it with more around, with the same places."""
        return MarkedText(text, self.places)

    def fill(self, part: str | None = None) -> str:
        """A part of the text, or all of it, with its values; what they hold is never looked at again."""
        return self._replaced(part, lambda place: place.text)

    def typed(self, part: str | None = None) -> str:
        """A part of the text, or all of it, as it was typed."""
        return self._replaced(part, lambda place: place.typed)

    def value(self, part: str) -> Any:
        """The value itself where the part is one mark and nothing else, else the part as text."""
        mark = MARK.fullmatch(part)
        return self.places[int(mark[1])].value if mark and int(mark[1]) < len(self.places) else self.fill(part)

    def has_mark(self, part: str) -> bool:
        """Whether a value goes into this part."""
        return self.fill(part) != part

    def _replaced(self, part: str | None, word: Callable[[Place], str]) -> str:
        def replace(mark: re.Match[str]) -> str:
            number = int(mark[1])
            return word(self.places[number]) if number < len(self.places) else mark[0]

        return MARK.sub(replace, str(self if part is None else part))
