"""Vectors of many texts: some dozens a request, several requests at once, float32 from the first byte.

A vector of 1,024 numbers is 4 kB as base64 and 20 kB as decimal text, which Python then makes a float each of. Engines
that know no ``encoding_format`` answer with numbers all the same, which are taken too. How many texts go together is
decided by their tokens: what a server's usage says a character costs is known after the first answer.
"""

from __future__ import annotations

import asyncio
import base64
from concurrent.futures import CancelledError
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from kubeai_notebook.core.objects import maps_at, number_at
from kubeai_notebook.errors import CallError

from .errors import interrupted, session_closed, unreadable
from .poster import FailedTryError, body_of
from .question import Limits
from .tries import Tries

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from .endpoint import Endpoint
    from .question import Target

Array = np.ndarray[Any, np.dtype[np.float32]]
MOST_TEXTS, MOST_TOKENS = 64, 8192
"""Of one request."""
_TOKENS_A_CHARACTER = 0.3
_ONCE = Limits(attempts=1, busy_seconds=0)
_BROKEN = 500
_TOO_MUCH = frozenset({400, 413, 422, _BROKEN})
"""What engines answer where one text of several is too long; each is then sent by itself."""


class Vectors:
    """The vectors of some texts, one row each, and the reasons of those that have none."""

    def __init__(self, count: int) -> None:
        self.array = np.empty((count, 0), dtype=np.float32)
        """float32, n x d; NaN where a text has no vector."""
        self.errors: dict[int, CallError] = {}
        """By the number of the text."""

    def whole(self, *, without: Container[int] = ()) -> Array:
        """The array; the texts whose numbers are in ``without`` need no vector.

        Raises:
            CallError: a text has none, which the sentence names by its number.
        """
        for place, error in sorted(self.errors.items()):
            if place not in without:
                message = f"Text {place} was not embedded: {error.message}" if len(self.array) > 1 else error.message
                raise CallError(message, error.hint, status=error.status, kind=error.kind, retryable=error.retryable)
        return self.array

    def put(self, place: int, rows: Sequence[Any]) -> None:
        """Keep vectors from this place on.

        Raises:
            ValueError: they are not as long as those before, or no vectors of numbers.
        """
        block = np.stack([_vector(row) for row in rows])
        if not np.isfinite(block).all():
            raise ValueError
        if not self.array.shape[1]:
            self.array = np.full((len(self.array), block.shape[1]), np.nan, dtype=np.float32)
        self.array[place : place + len(block)] = block


class _Embedding:
    """One run; for the background loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        target: Target,
        texts: Sequence[str],
        *,
        limits: Limits | None,
        options: Mapping[str, Any],
    ) -> None:
        self._texts, self._model, self._options = texts, target.model, options
        self._tokens_a_character = _TOKENS_A_CHARACTER
        is_one_request = len(list(islice(self._cut(), 2))) < 2
        limits = limits or (_ONCE if is_one_request else Limits())
        self._tries = Tries(endpoint, target, limits, path="/embeddings", check=lambda: None)
        self._workers = min(target.most_in_flight, max(len(texts), 1))
        self._spans = self._cut()
        self.vectors = Vectors(len(texts))

    def _cut(self) -> Iterator[tuple[int, int]]:
        """The texts of each request, from and to."""
        begin, tokens = 0, 0.0
        for place, text in enumerate(self._texts):
            cost = len(text) * self._tokens_a_character
            if place > begin and (place - begin == MOST_TEXTS or tokens + cost > MOST_TOKENS):
                yield begin, place
                begin, tokens = place, 0.0
            tokens += cost
        if begin < len(self._texts):
            yield begin, len(self._texts)

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self._workers):
                    workers.create_task(self._work())
        finally:
            await self._tries.close()

    async def _work(self) -> None:
        for begin, end in self._spans:
            await self._ask(begin, end)

    async def _ask(self, begin: int, end: int, *, works: bool = False) -> bool:
        """Keep the vectors of these texts, or their reasons; whether all have one. ``works``: the engine answers some.

        Several engines answer a text that is too long as they answer everything once they are broken. The shortest
        text tells the one from the other.
        """
        texts = list(self._texts[begin:end])
        body = {"encoding_format": "base64", **self._options, "model": self._model, "input": texts}
        try:
            await self._tries.ask(lambda: body_of(body), lambda answer: self._read(answer, begin, end))
        except FailedTryError as failure:
            if end - begin > 1 and failure.status in _TOO_MUCH:
                shortest = min(range(begin, end), key=lambda place: len(self._texts[place]))
                if works or failure.status != _BROKEN or await self._ask(shortest, shortest + 1):
                    middle = (begin + end) // 2
                    await self._ask(begin, middle, works=True)
                    await self._ask(middle, end, works=True)
                    return False
            error = failure.explain()
            self.vectors.errors.update(dict.fromkeys(range(begin, end), error))
            return False
        return True

    def _read(self, answer: Mapping[str, Any], begin: int, end: int) -> None:
        items = maps_at(answer, "data")
        by_index = {number_at(item, "index"): item for item in items}
        ordered = items if None in by_index else [by_index.get(index, {}) for index in range(end - begin)]
        reason = f"it holds {len(items)} vectors for {end - begin} texts"
        try:
            if len(items) != end - begin:
                raise ValueError
            reason = "its vectors are not numbers, or not of one length"
            self.vectors.put(begin, [item["embedding"] for item in ordered])
        except (ValueError, TypeError, LookupError):
            raise FailedTryError(lambda: unreadable(self._model, reason)) from None
        characters = sum(map(len, self._texts[begin:end]))
        if characters and (tokens := number_at(answer, "usage", "prompt_tokens")):
            self._tokens_a_character = tokens / characters


def embed_many(
    endpoint: Endpoint,
    target: Target,
    texts: Sequence[str],
    *,
    limits: Limits | None = None,
    options: Mapping[str, Any] | None = None,
) -> Vectors:
    """The vectors of these texts, in their order; ``options`` are further fields of the OpenAI API.

    What fits into one request is sent once, as any call; of many requests, one that fails is tried again.

    Raises:
        WaitInterruptedError: interrupted; what was in flight is cancelled.
        SessionClosedError: the Session was closed meanwhile.
    """
    embedding = _Embedding(
        endpoint,
        target,
        texts,
        limits=limits,
        options=options or {},
    )
    running = endpoint.loop.submit(embedding.run())
    try:
        running.result()
    except KeyboardInterrupt:
        running.cancel()
        raise interrupted(target.model) from None
    except CancelledError:
        raise session_closed() from None
    return embedding.vectors


def _vector(row: Any) -> Array:
    given = np.frombuffer(base64.b64decode(row, validate=True), dtype="<f4") if isinstance(row, str) else row
    vector = np.asarray(given, dtype=np.float32)
    if vector.ndim != 1 or not vector.size:
        raise ValueError
    return vector
