"""How far a batch is, as a value: what its display, its job and its last sentence are made of."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

from kubeai_notebook.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN_FAILURES = 5
_SHOWN_LABEL = 60


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A row without an answer."""

    place: str
    """What the user calls the row, by `place_of`."""
    reason: str


def place_of(labels: Sequence[Any] | None, offset: int, *, first: int = 0) -> str:
    """What the user calls a row: its label in the table's index, or its number from 0 where the table has none.

    >>> place_of(None, 5, first=1000), place_of(["a", "b"], 1)
    ('1,005', 'b')
    """
    label = first + offset if labels is None else labels[offset]
    return f"{label:,}" if isinstance(label, Integral) else one_line(str(label), _SHOWN_LABEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A batch at one moment; ``rows`` is ``None`` where nobody knows how many there are."""

    model: str
    rows: int | None = None
    done: int = 0
    """Rows that have an answer or a reason why not."""
    failed: int = 0
    cut: int = 0
    """Rows whose answer is a text that ended at ``max_tokens``."""
    from_store: int = 0
    """Rows whose answer lay in the store, so that nothing was sent."""
    repeated: int = 0
    """Rows that ask the same as another row of this batch."""
    unsent: int = 0
    """Rows that ask nothing, since a cell is missing or empty."""
    sent: int = 0
    """Requests, further tries included."""
    in_flight: int = 0
    at_once: int = 0
    """How many requests may be in flight at this moment."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    asking_seconds: float = 0.0
    """For how long of these a request was under way: rows that are known from before say nothing of the server's pace.
    """
    trial: tuple[tuple[str, str], ...] = ()
    """The first answers that came: the row and its text."""
    failures: tuple[FailedRow, ...] = ()
    """The last rows that failed."""
    notes: tuple[str, ...] = ()
    """What else is to be known, such as a store that cannot be written."""
    ended: str = ""
    """Why it has ended, as a sentence; ``""`` as long as it goes on."""

    @property
    def tokens(self) -> int:
        """Of prompts and answers together, as far as the server tells them."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def unasked(self) -> int:
        """Rows that have neither an answer nor a reason, where it ended before them."""
        return self.rows - self.done if self.rows is not None and self.ended else 0

    @property
    def asked(self) -> int:
        """Rows that the server was asked for, and that are done."""
        return self.done - self.from_store - self.repeated - self.unsent

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; ``None`` as long as most of what was asked is still in flight, which tells no pace."""
        if self.rows is None or not self.asked or self.asked < self.in_flight or self.ended:
            return None
        return self.asking_seconds / self.asked * self._to_ask

    @property
    def tokens_in_all(self) -> int | None:
        """What the whole batch costs if the rows to come are like those that were asked."""
        if self.rows is None or not self.asked or not self.tokens:
            return None
        return round(self.tokens + self.tokens / self.asked * self._to_ask)

    @property
    def _to_ask(self) -> float:
        """How many of the rows to come will be asked for, where as many of them ask nothing as of those before."""
        return ((self.rows or 0) - self.done) * self.asked / (self.asked + self.unsent)
