"""What a batch asks of each row, how an answer is judged, and where its limits are: values, decided before it runs."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

from kubeai_notebook.core.answer_schema import AnswerSchema, NotTheSchemaError
from kubeai_notebook.core.chat_messages import Reply, Usage, answer_in, reason_of, usage_of, words_of
from kubeai_notebook.core.map_fields import MOST_AT_ONCE
from kubeai_notebook.core.objects import map_at, maps_at
from kubeai_notebook.errors import UsageError

from .errors import NO_CHOICE, unreadable
from .poster import FailedTryError, body_of

if TYPE_CHECKING:
    from collections.abc import Mapping


_CUT = "\x03"
"""The end of text, as ASCII has it: no answer begins so."""
MOST_FAILED_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Who is asked; ``revision`` is the digest of what it serves, ``""`` where that is not known."""

    name: str
    adapter: str = ""
    revision: str = ""
    most_in_flight: int = MOST_AT_ONCE

    @property
    def model(self) -> str:
        """The id that is asked for."""
        return f"{self.name}_{self.adapter}" if self.adapter else self.name


class RowOutcome(NamedTuple):
    """What became of a row: values, or the reason why there are none, with what the model said."""

    values: tuple[Any, ...] | None
    error: str | None = None
    """Beside values: that the text was cut."""
    raw: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What ends a batch early, and a try."""

    rows: int | None = None
    errors: float | None = MOST_FAILED_SHARE
    """Failed rows, those that ask nothing left out: a number, or a share of the rows so far between 0 and 1."""
    tokens: int | None = None
    timeout_seconds: float = 600.0
    """Of one try. The gateway holds a request for a Model that wakes."""
    attempts: int = 5
    """Tries that fail; those that a busy server refuses do not count. A row with all its tries ends in time, too."""

    busy_seconds: float = 600.0
    """How long a row waits for a server that goes on saying that it is busy."""

    def __post_init__(self) -> None:
        """Refuse what can't be.

        Raises:
            UsageError: a number is not positive.
        """
        named = {"limit": self.rows, "max_errors": self.errors, "max_tokens_total": self.tokens}
        for name, value in {**named, "timeout_seconds": self.timeout_seconds, "attempts": self.attempts}.items():
            number = isinstance(value, Real) and not isinstance(value, bool)
            least, phrase = (0.0, "from 0 up") if name == "max_errors" else (1e-3, "above 0")
            if value is not None and not (number and value >= least):
                raise UsageError(f"{name}= takes a number {phrase}, not {value!r}.")

    def too_many(self, failed: int, done: int) -> bool:
        """Whether so many failed rows end the batch."""
        if self.errors is None:
            return False
        if 0 < self.errors < 1:
            return done >= _SHARE_FROM and failed > self.errors * done
        return failed > self.errors


_SHARE_FROM = 50


@dataclass(frozen=True, kw_only=True)
class Question:
    """What every row of a batch is asked."""

    target: Target
    schema: AnswerSchema
    system: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the OpenAI API, as `checked_map_fields` lets them through."""
    remark: str = ""
    """What the report says of it: an option that nobody named."""

    path = "/chat/completions"

    def __post_init__(self) -> None:
        """Refuse what JSON cannot hold.

        Raises:
            UsageError: an option cannot be sent.
        """
        try:
            body_of(self.options)
        except (TypeError, ValueError, RecursionError):
            raise UsageError(f"An option of map() cannot be sent as JSON: {', '.join(self.options)}.") from None

    def body(self, prompt: str) -> bytes:
        """The request of one row."""
        before, after = self._around
        return before + json.dumps(prompt).encode("ascii") + after

    @cached_property
    def _around(self) -> tuple[bytes, bytes]:
        """What stands before and behind the prompt in every request. KubeAI's gateway takes ``stop`` as a list only."""
        options, place = dict(self.options), secrets.token_hex(16)
        if isinstance(options.get("stop"), str):
            options["stop"] = [options["stop"]]
        turns = [{"role": "system", "content": self.system}] if self.system else []
        form = self.schema.response_format
        request = {"model": self.target.model, "messages": [*turns, {"role": "user", "content": place}], **options}
        before, _, after = body_of({**request, "response_format": form} if form else request).partition(
            f'"{place}"'.encode()
        )
        return before, after

    def digest(self, body: bytes) -> bytes:
        """The digest of all that decides the answer."""
        return sha256(self._scope + body).digest()

    @cached_property
    def _scope(self) -> bytes:
        return f"{self.target.model}\n{self.target.revision}\n".encode()

    def reply_in(self, answer: Mapping[str, Any]) -> Reply:
        """What the model said.

        Raises:
            FailedTryError: the answer holds no choice.
        """
        choice = next(iter(maps_at(answer, "choices")), None)
        message = map_at(choice, "message")
        if choice is None or not message:
            raise FailedTryError(lambda: unreadable(self.target.model, NO_CHOICE))
        reasoning = words_of(message.get("reasoning_content")) or words_of(message.get("reasoning"))
        text, usage = words_of(message.get("content")), usage_of(answer)
        # A batch reads whole answers: one that tells no reason has ended all the same.
        return Reply(text, reasoning=reasoning, finish_reason=reason_of(choice) or "stop", usage=usage)

    def judged(self, reply: Reply) -> RowOutcome:
        """The row's values, or why this answer gives none; a text that was cut is one, with that said beside it."""
        text, note, cut = answer_in(reply), reply.note, reply.finish_reason == "length"
        if not text.strip() or (note and not cut):
            return RowOutcome(None, note, str(reply))
        try:
            values = self.schema.values_of(text)
        except NotTheSchemaError as error:
            return RowOutcome(None, note or str(error), str(reply))
        return RowOutcome(values, note or None if self.schema.response_format is None else None)

    @staticmethod
    def kept_text(reply: Reply) -> str:
        """The answer as the store keeps it: a text; before one that was cut stands after how many tokens."""
        if reply.finish_reason != "length":
            return str(reply)
        return f"{_CUT}{reply.usage.completion_tokens if reply.usage else 0}{_CUT}{reply}"

    @staticmethod
    def kept_reply(kept: str) -> Reply:
        """The answer that was kept so."""
        before, _, after = kept.removeprefix(_CUT).partition(_CUT)
        if not (kept.startswith(_CUT) and before.isdecimal()):
            return Reply(kept, finish_reason="stop")
        return Reply(after, finish_reason="length", usage=Usage(0, int(before)))
