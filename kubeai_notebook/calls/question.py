"""What a batch asks of each row, how an answer is judged, and where its limits are: values, decided before it runs."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from kubeai_notebook.core.answer_schema import AnswerSchema, NotTheSchemaError
from kubeai_notebook.core.chat_messages import Reply, Usage, reason_of, usage_of, words_of
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.objects import map_at, maps_at
from kubeai_notebook.errors import UsageError

from .errors import NO_CHOICE, unreadable
from .poster import FailedTryError, body_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_IN_FLIGHT = 1000
MOST_FAILED_SHARE = 0.5
_OURS = {
    "messages": "the prompt and system= make them",
    "model": "adapter= names an adapter",
    "n": "a row has one answer; make more rows of it",
    "stream": "a batch reads whole answers",
    "stream_options": "a batch reads whole answers",
    "response_format": "schema= makes it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Who is asked; ``revision`` is the digest of what it serves, ``""`` where that is not known."""

    name: str
    adapter: str = ""
    revision: str = ""
    most_in_flight: int = MOST_IN_FLIGHT

    @property
    def model(self) -> str:
        """The id that is asked for."""
        return f"{self.name}_{self.adapter}" if self.adapter else self.name


class Outcome(NamedTuple):
    """What became of a row: values, or the reason why there are none, with what the model said."""

    values: tuple[Any, ...] | None
    error: str | None = None
    raw: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What ends a batch early, and a try."""

    rows: int | None = None
    errors: float | None = MOST_FAILED_SHARE
    """Failed rows, those that ask nothing left out: a number from 1 up, or a share of the rows so far below 1."""
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
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and value >= (0 if name == "max_errors" else 1e-3)):
                raise UsageError(f"{name}= takes a number above 0, not {value!r}.")

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
    """Fields of the OpenAI API."""

    path = "/chat/completions"

    def __post_init__(self) -> None:
        """Refuse fields that this sets itself.

        Raises:
            UsageError: one of them is among ``options``, or an option cannot be sent.
        """
        for name in self.options:
            if name in _OURS:
                raise UsageError(f"map() takes no {name}=: {_OURS[name]}.{did_you_mean(name, ('schema',))}")
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
        return Reply(text, reasoning=reasoning, finish_reason=reason_of(choice), usage=usage)

    def judged(self, reply: Reply) -> Outcome:
        """The row's values, or why this answer gives none."""
        usage = reply.usage or Usage(0, 0)
        if reply.finish_reason == "length":
            tokens = f"{usage.completion_tokens} tokens" if usage.completion_tokens else "all its tokens"
            if reply.reasoning and not reply.strip():
                error = f"Its reasoning took {tokens}, so no answer came; a higher max_tokens= leaves room for both."
            else:
                error = f"The answer was cut after {tokens}; a higher max_tokens= lets it end."
            return Outcome(None, error, str(reply))
        if not reply.strip():
            why = "it only reasoned; max_tokens= may be too low" if reply.reasoning else "the model ended at once"
            return Outcome(None, f"The answer is empty: {why}.", str(reply))
        if reply.finish_reason == "content_filter":
            return Outcome(None, "The server withheld the answer (content_filter).", str(reply))
        try:
            return Outcome(self.schema.values_of(reply))
        except NotTheSchemaError as error:
            return Outcome(None, str(error), str(reply))
