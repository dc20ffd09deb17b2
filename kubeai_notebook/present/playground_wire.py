"""What a playground and its page send each other; its TypeScript twin is made by ``make types``.

The state is small and comes as a whole at each change; it holds no text that grows. A prompt or an answer comes as a
`Text`, once whole and then piece by piece. Each piece has its number, and the state says how many there are: a page
that misses some, or was opened later, asks for the whole.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from kubeai_notebook.text import LONGEST, plain

from .wire import Words, _Wire

PROMPT = -1
"""Stands for the prompt where a column is named."""
_LONGEST_PROMPT = 8_000_000


def _plain(text: object) -> object:
    return plain(text[:LONGEST]) if isinstance(text, str) else text


LongWords = Annotated[str, BeforeValidator(_plain)]


class CallLine(_Wire):
    """A function that a model wants called."""

    name: Words
    arguments: Words


class AnswerLine(_Wire):
    """How the answer of a column stands, without its words."""

    column: int
    model: Words
    state: Literal["waiting", "streaming", "asking", "done", "stopped", "failed"]
    pieces: int
    """How many pieces of its text have been sent, or the number that the whole stands for."""
    note: Words = ""
    calls: tuple[CallLine, ...] = ()
    calls_not_shown: Words = ""
    """Of how many more calls nothing is shown, in a sentence: then none can be allowed."""
    calls_id: str = ""
    """Stands for these calls and no later ones: who allows them sends it back."""
    figures: Words = ""
    """Its times and counts, in words."""


class ExchangeLine(_Wire):
    """A prompt and its answers."""

    number: int
    siblings: tuple[int, ...]
    """The exchanges of this place, of which this one is shown."""
    vote: int | None
    answers: tuple[AnswerLine, ...]


class PlaygroundState(_Wire):
    """All that a page shows beside texts."""

    columns: tuple[Words, ...]
    choices: tuple[Words, ...]
    """Who could answer: Models and their adapters."""
    exchanges: tuple[ExchangeLine, ...] = ()
    busy: bool = False
    """Whether an answer is coming."""
    reads_pictures: bool = False
    """Whether all who answer are known to read pictures."""
    settings: dict[str, Words] = Field(default_factory=dict)
    """What the user has changed, by the names of `Setting`, as it was written."""
    context_of: Words = ""
    """Which of several columns has the least room left: of its context the next two tell."""
    context_tokens: int = 0
    """Of the last exchange; 0 where the engine counts none."""
    context_length: int = 0
    """The most that the column's Model reads at once; 0 where that is not known."""
    problem: Words = ""


Setting = Literal["system", "temperature", "max_tokens", "top_p", "seed", "stop", "schema"]


class Text(_Wire):
    """The whole text of a prompt or an answer (``whole``), or its next piece."""

    exchange: int
    column: int
    """`PROMPT`: the prompt."""
    seq: int = 0
    """The number of the next piece for a whole text, else of this one."""
    whole: bool = False
    text: LongWords = ""
    reasoning: LongWords = ""
    pictures: tuple[str, ...] = ()
    """Of a prompt, as data URLs; each was read and is a picture (`core.pictures`)."""
    figures: Words = ""


class PlaygroundRequest(_Wire):
    """What a page asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    verb: Literal[
        "ask",
        "edit",
        "regenerate",
        "choose",
        "vote",
        "stop",
        "columns",
        "settings",
        "allow",
        "refuse",
        "clear",
        "text",
        "formulas",
    ]
    exchange: int = PROMPT
    column: int | None = None
    calls_id: Annotated[str, Field(max_length=64)] = ""
    text: Annotated[str, Field(max_length=_LONGEST_PROMPT)] = ""
    pictures: Annotated[list[str], Field(default_factory=list)]
    """Data URLs."""
    sure: bool = False
    """Whether the user says that pictures are read."""
    columns: Annotated[list[str], Field(default_factory=list)]
    settings: Annotated[dict[str, str], Field(default_factory=dict)]


class PlaygroundMessage(_Wire):
    """What a playground tells its page beside its state."""

    texts: tuple[Text, ...] = ()
    taken: bool = False
    """A request was read; it may have failed."""
    problem: Words = ""
    """Why it failed."""
    formulas: str = ""
    """The module that draws formulas, for a page that has met one."""
