"""What crosses between the kernel and the two widgets of embeddings: texts beside each other, and a map.

A map's points and its selection are no part of it: they cross as bytes, four a number, beside this.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from kubeai_notebook.text import one_line

from .wire import Words  # noqa: TC001 - pydantic reads it

MOST_TEXTS = 12
"""Typed texts that are compared: a greater matrix cannot be read."""
LONGEST_CELL = 300
"""Characters of a row's text that a table or a hover shows."""


def _cell(text: object) -> object:
    return one_line(text, LONGEST_CELL) if isinstance(text, str) else text


Cell = Annotated[str, BeforeValidator(_cell)]
"""One cell of a frame: other people's words, in one line."""
Typed = Annotated[str, Field(max_length=100_000)]
"""How much of it a Model reads is the Model's to say."""
Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EmbeddingRequest(_Part):
    """What the playground asks: cosines of texts, the rows nearest to a question, or the map."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    verb: Literal["compare", "search", "map"]
    texts: Annotated[list[Typed], Field(max_length=MOST_TEXTS)] = []
    query: Typed = ""


class MapRequest(_Part):
    """What the map asks: to select the rows nearest to a question, or a point's text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    verb: Literal["search", "hover"]
    query: Typed = ""
    place: Annotated[int, Field(ge=0)] = 0
    """Of the row, from 0."""


class Row(_Part):
    """One row of the reader's frame."""

    place: int
    text: Cell
    score: float | None = None
    """Its cosine with the question."""


class EmbeddingState(_Part):
    """The playground at one moment."""

    model: Words
    column: Words = ""
    """Of the frame that can be searched; empty: there is none."""
    rows: int = 0
    """How many it has."""
    most_texts: int = MOST_TEXTS
    texts: tuple[Words, ...] = ()
    cosines: tuple[tuple[float, ...], ...] = ()
    """Of each text with each, in their order."""
    query: Words = ""
    nearest: tuple[Row, ...] = ()
    map_is_open: bool = False
    busy: Words = ""
    """What goes on."""
    problem: Words = ""
    """Why the last request failed, and what to do."""


class LegendLine(_Part):
    """One colour of the map."""

    label: Cell
    color: Colour
    count: int


class MapState(_Part):
    """The map at one moment, but for its points."""

    model: Words
    column: Words
    color: Words = ""
    """The column that colours it."""
    count: int
    """Points."""
    without_vector: int = 0
    """Rows that have none, and so no point."""
    colors: tuple[Colour, ...]
    """By the number of a point's group."""
    legend: tuple[LegendLine, ...] = ()
    selected_count: int = 0
    selected: tuple[Row, ...] = ()
    """The first selected rows."""
    busy: Words = ""
    problem: Words = ""


class Hover(_Part):
    """The text of the point that the pointer is on."""

    place: int
    text: Cell


class EmbeddingWidgets(BaseModel):
    """All of it, for `jlpm types`."""

    state: EmbeddingState
    request: EmbeddingRequest
    map_state: MapState
    map_request: MapRequest
    hover: Hover
