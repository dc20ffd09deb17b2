"""Many rows, one question each: in the background loop, in constant memory, none lost.

Workers take rows from one iterator, so there is never more in memory than what is in flight and the answers. A row
waits for a slot of the `Limiter`, and a try that fails gives it back and comes again between the others: retries at the
end would leave the server idle. What was answered before lies in the store; what another row asks at this moment is
asked once.

Whatever happens, each row ends with values or with a reason: that is what `Chunk.outcomes` holds when this is over.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from kubeai_notebook.core.batch_progress import FailedRow, Progress
from kubeai_notebook.core.chat_messages import Reply, Usage
from kubeai_notebook.store import Kept
from kubeai_notebook.text import one_line

from .poster import FailedTryError
from .question import Outcome
from .tries import Tries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kubeai_notebook.core.prompt_template import PromptTemplate
    from kubeai_notebook.store import Store

    from .endpoint import Endpoint
    from .question import Limits, Question

TRIAL_ROWS = 5
OPEN_CHUNKS = 4
"""Pieces of a file that are in memory at once."""
_SHOWN_FAILURES, _SHOWN_CHARACTERS = 5, 200
_BREATH = 64
"""After so many rows without a request the loop's other tasks have their turn."""


@dataclass(slots=True)
class Chunk:
    """Some rows of a table, one after the other, and what became of them."""

    first: int
    """The number of its first row in the whole table."""
    count: int
    cells: Iterator[Sequence[Any]]
    table: Any
    outcomes: list[Outcome | None] = field(init=False)
    left: int = field(init=False)

    def __post_init__(self) -> None:
        """No row has an outcome yet."""
        self.outcomes, self.left = [None] * self.count, self.count


class Table(Protocol):
    """Where rows come from and answers go to; called from any thread, by one at a time."""

    rows: int | None

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """The rows, with the cells of these columns."""

    def finish(self, chunk: Chunk) -> None:
        """Take a chunk whose rows have all an outcome; chunks come in their order."""

    def result(self) -> Any:
        """What the user gets, after all."""


class _Row(NamedTuple):
    chunk: Chunk
    offset: int
    cells: Sequence[Any]

    @property
    def place(self) -> str:
        return f"{self.chunk.first + self.offset:,}"


class _NotAskedError(Exception):
    """The batch ends, so nothing more is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a batch needs to know."""

    question: Question
    template: PromptTemplate
    limits: Limits
    raises: bool = False
    """The first row that fails ends it."""


class Batch:
    """One run over a table; `run` is for the background loop, all else for any thread."""

    def __init__(self, endpoint: Endpoint, plan: Plan, table: Table, *, store: Store) -> None:
        self._plan, self._question, self._limits = plan, plan.question, plan.limits
        self._table, self._store = table, store
        self._tries = Tries(endpoint, self._question.target, self._limits, path=self._question.path, check=self._check)
        rows = table.rows
        self._rows = rows if rows is None or plan.limits.rows is None else min(rows, plan.limits.rows)
        self._chunks = table.chunks(plan.template.columns)
        self._current: Iterator[_Row] = iter(())
        self._open: deque[Chunk] = deque()
        self._asking: dict[bytes, list[_Row]] = {}
        self._fresh: dict[bytes, Kept] = {}  # not committed so far
        self._loads = self._taken = self._done = self._failed = 0
        self._from_store = self._repeated = self._replies = self._unsent = 0
        self._prompt_tokens = self._completion_tokens = 0
        self._trial: list[tuple[str, str]] = []
        self._failures: deque[FailedRow] = deque(maxlen=_SHOWN_FAILURES)
        self._begun_seconds = time.monotonic()
        self._seconds = 0.0
        self._ending = ""
        self._over = False
        self._tasks: list[asyncio.Task[None]] = []
        self._finishing: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def progress(self) -> Progress:
        """How far it is."""
        limiter, problem = self._tries.limiter, self._store.problem
        return Progress(
            model=self._question.target.model,
            rows=self._rows,
            done=self._done,
            failed=self._failed,
            from_store=self._from_store,
            repeated=self._repeated,
            sent=self._tries.sent,
            in_flight=limiter.in_flight,
            at_once=limiter.limit,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            seconds=self._seconds or time.monotonic() - self._begun_seconds,
            trial=tuple(self._trial),
            failures=tuple(self._failures),
            notes=(problem,) if problem else (),
            ended=self._ending if self._over else "",
        )

    def stop(self, why: str = "Stopped.") -> None:
        """End it now: requests in flight are cancelled, and their rows count as not asked."""
        self._ending = self._ending or why
        if self._loop is not None and not self._over:
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def run(self) -> None:
        """Ask every row, and leave an outcome for each."""
        self._loop = asyncio.get_running_loop()
        self._loading, self._writing = asyncio.Lock(), asyncio.Lock()
        self._room = asyncio.Semaphore(OPEN_CHUNKS)
        try:
            if not self._ending:
                count = min(self._question.target.most_in_flight, self._rows or self._question.target.most_in_flight)
                self._tasks = [asyncio.create_task(self._work()) for _ in range(count)]
                await asyncio.gather(*self._tasks)
            self._ending = self._ending or self._end_of_rows()
        except asyncio.CancelledError:
            if not self._ending:
                self._ending = "The Session was closed."
                raise
        finally:
            await self._wind_up()

    def _end_of_rows(self) -> str:
        is_part = self._taken == self._limits.rows and self._taken != self._table.rows
        return f"limit={self._limits.rows} was reached." if is_part else "All rows are done."

    async def _wind_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._seconds = time.monotonic() - self._begun_seconds
        await self._tries.close()
        self._commit()
        self._store.close()
        self._over = True
        if self._finishing is not None:
            await self._finishing  # a thread writes on where its worker was cancelled
        for chunk in self._open:
            for index, outcome in enumerate(chunk.outcomes):
                if outcome is None:
                    chunk.outcomes[index] = Outcome(None, f"Not asked: {self._ending}")
            self._table.finish(chunk)
        self._open.clear()

    async def _work(self) -> None:
        """Take rows as long as there are some."""
        unsent = 0
        while (row := await self._take()) is not None:
            sent = await self._do(row)
            unsent = 0 if sent else unsent + 1
            if unsent >= _BREATH:
                unsent = 0
                await asyncio.sleep(0)

    async def _take(self) -> _Row | None:
        """The next row; ``None`` where there is none, or no more are to be asked."""
        while not self._ending and self._taken != self._limits.rows:
            row = next(self._current, None)
            if row is not None:
                self._taken += 1
                return row
            loads = self._loads
            async with self._loading:
                if loads == self._loads and not await self._load():
                    return None
        return None

    async def _load(self) -> bool:
        await self._room.acquire()
        chunk = await asyncio.to_thread(next, self._chunks, None)
        if chunk is None:
            self._room.release()
            return False
        self._loads += 1
        self._open.append(chunk)
        self._current = (_Row(chunk, index, cells) for index, cells in enumerate(chunk.cells))
        return True

    async def _do(self, row: _Row) -> bool:
        """Find an outcome for the row, or for it and those that ask the same; whether a request was sent for that."""
        template = self._plan.template
        if problem := template.problem_of(row.cells):
            self._unsent += 1
            await self._settle(row, Outcome(None, problem))
            return False
        digest = self._question.digest(self._body(row))
        if digest in self._asking:
            self._asking[digest].append(row)
            return False
        kept = self._fresh.get(digest) or self._store.get(digest)
        outcome = self._question.judged(Reply(kept.text)) if kept else None
        if outcome is not None and outcome.values is not None:
            self._from_store += 1
            await self._settle(row, outcome)
            return False
        self._asking[digest] = []
        try:
            outcome = await self._ask(row, digest)
        except _NotAskedError:
            return False
        finally:
            same = self._asking.pop(digest)
        await self._settle(row, outcome)
        for other in same:
            self._repeated += outcome.values is not None
            await self._settle(other, outcome)
        return True

    def _body(self, row: _Row) -> bytes:
        """The row's request; it is made anew for each try, since a prompt may be long and a thousand rows may wait."""
        return self._question.body(self._plan.template.fill(row.cells))

    async def _ask(self, row: _Row, digest: bytes) -> Outcome:
        try:
            reply = await self._tries.ask(lambda: self._body(row), self._question.reply_in)
        except FailedTryError as failure:
            return Outcome(None, one_line(failure.explain().message))
        usage = reply.usage or Usage(0, 0)
        self._replies += 1
        self._prompt_tokens += usage.prompt_tokens
        self._completion_tokens += usage.completion_tokens
        outcome = self._question.judged(reply)
        if outcome.values is not None:
            self._keep(digest, Kept(str(reply), usage.prompt_tokens, usage.completion_tokens))
            if len(self._trial) < TRIAL_ROWS:
                self._trial.append((row.place, one_line(reply, _SHOWN_CHARACTERS)))
        return outcome

    def _keep(self, digest: bytes, kept: Kept) -> None:
        """Have it committed with the other answers that are read in this moment, before the loop waits again."""
        if not self._fresh:
            asyncio.get_running_loop().call_soon(self._commit)
        self._fresh[digest] = kept

    def _commit(self) -> None:
        fresh, self._fresh = self._fresh, {}
        if fresh:
            self._store.put(fresh)

    def _check(self) -> None:
        """Refuse to send anything more."""
        if self._ending or self._tokens_are_spent():
            raise _NotAskedError

    def _tokens_are_spent(self) -> bool:
        """Whether what is spent, and what is in flight if it is like that, reaches the bound."""
        bound, spent = self._limits.tokens, self._prompt_tokens + self._completion_tokens
        if bound is None or spent + (self._tries.limiter.in_flight - 1) * spent / max(self._replies, 1) < bound:
            return False
        self._ending = self._ending or f"max_tokens_total={bound} is spent."
        return True

    async def _settle(self, row: _Row, outcome: Outcome) -> None:
        chunk = row.chunk
        chunk.outcomes[row.offset] = outcome
        chunk.left -= 1
        self._done += 1
        if outcome.values is None:
            self._failed += 1
            self._failures.append(FailedRow(row.place, outcome.error or ""))
            if self._plan.raises:
                self._ending = self._ending or f"Row {row.place} failed: {outcome.error}"
            elif self._limits.too_many(self._failed - self._unsent, self._done - self._unsent):
                self._ending = self._ending or f"max_errors={self._limits.errors} was reached."
        if chunk.left == 0:
            async with self._writing:
                while self._open and self._open[0].left == 0:
                    self._finishing = asyncio.create_task(asyncio.to_thread(self._table.finish, self._open.popleft()))
                    await asyncio.shield(self._finishing)
                    self._room.release()
