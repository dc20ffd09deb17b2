"""Many rows, one question each: in the background loop, in constant memory, none lost.

Workers take rows from one iterator, so there is never more in memory than what is in flight and the answers. A row
waits for a slot of the `Limiter`, and a try that fails gives it back and comes again between the others: retries at the
end would leave the server idle. What was answered before lies in the store; what another row asks at this moment is
asked once. Tables and the store are worked at in threads, which go on where a worker is cancelled: the end waits for
them.

Whatever happens, each row ends with values or with a reason: that is what `Chunk.outcomes` holds when this is over.
"""

from __future__ import annotations

import asyncio
import gc
import math
import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from kubeai_notebook.core.batch_progress import SHOWN_FAILURES, FailedRow, Progress, place_of
from kubeai_notebook.core.chat_messages import Usage
from kubeai_notebook.errors import KubeAIError
from kubeai_notebook.text import one_line

from .poster import FailedTryError
from .question import RowOutcome
from .tries import Tries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kubeai_notebook.core.prompt_template import PromptTemplate
    from kubeai_notebook.store import Store

    from .endpoint import Endpoint
    from .question import Limits, Question

_Result = TypeVar("_Result")
TRIAL_ROWS = 5
OPEN_CHUNKS = 4
"""Pieces of a file that are in memory at once."""
_SHOWN_CHARACTERS = 200
_SHORT = 1 << 16
"""Bytes of a request that is kept while its row waits."""
QUICK_SECONDS = 0.002
"""A commit that took no longer is made in the loop: rows that wait for a thread go on in bursts, and a server that gets
its requests in bursts answers a sixth fewer."""
GATHERED_SHARE, MOST_GATHERED_SECONDS = 1 / 20, 0.05
"""Of the time that an answer took: how long its commit waits for others where the disk is slow."""
COLLECTED_AFTER = 5_000
"""New objects between two looks of Python's collector. What a request makes dies by itself, but some dozen requests at
once make more than the 700 after which it looks: it looked after every twenty rows, for a tenth of a row's CPU, and
found nothing."""
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
    labels: Sequence[Any] | None = None
    """What the user calls the rows, where that is not their number."""
    outcomes: list[RowOutcome | None] = field(init=False)
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

    def drop(self) -> None:
        """Nobody gets it: leave nothing behind."""

    def result(self) -> Any:
        """What the user gets, after all."""


class _Row(NamedTuple):
    chunk: Chunk
    offset: int
    cells: Sequence[Any]

    @property
    def place(self) -> str:
        """What the user calls this row."""
        return place_of(self.chunk.labels, self.offset, first=self.chunk.first)


class _NotAskedError(Exception):
    """The batch ends, so nothing more is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """Everything that a batch needs to know."""

    question: Question
    template: PromptTemplate
    limits: Limits
    raises: bool = False
    """The first row that fails ends it."""


class Batch:
    """One run over a table; `run` is for the background loop, all else for any thread."""

    def __init__(self, endpoint: Endpoint, plan: BatchPlan, table: Table, *, store: Store) -> None:
        self._plan, self._question, self._limits = plan, plan.question, plan.limits
        self._table, self._store = table, store
        self._tries = Tries(endpoint, self._question.target, self._limits, path=self._question.path, check=self._check)
        rows = table.rows
        self._rows = rows if rows is None or plan.limits.rows is None else min(rows, plan.limits.rows)
        self._chunks = table.chunks(plan.template.columns)
        self._current: Iterator[_Row] = iter(())
        self._open: deque[Chunk] = deque()
        self._asking: dict[bytes, list[_Row]] = {}
        self._uncommitted: dict[bytes, str] = {}
        self._loads = self._taken = self._done = self._failed = self._cut = 0
        self._from_store = self._repeated = self._replies = self._unsent = 0
        self._prompt_tokens = self._completion_tokens = 0
        self._trial: list[tuple[str, str]] = []
        self._failures: deque[FailedRow] = deque(maxlen=SHOWN_FAILURES)
        self.raised: FailedRow | None = None
        """The row whose failure ended it."""
        self._begun_seconds = time.monotonic()
        self._seconds = 0.0
        self._under_way, self._asking_seconds, self._asking_since = 0, 0.0, 0.0
        self._ending = ""
        self._over = False
        self._tasks: list[asyncio.Task[None]] = []
        self._committing: asyncio.Task[None] | None = None
        self._commit_seconds = math.inf
        self._in_threads: set[asyncio.Future[Any]] = set()
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
            cut=self._cut,
            from_store=self._from_store,
            repeated=self._repeated,
            unsent=self._unsent,
            sent=self._tries.sent,
            in_flight=limiter.in_flight,
            at_once=limiter.limit,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            seconds=self._seconds or time.monotonic() - self._begun_seconds,
            asking_seconds=self._asking_seconds + (time.monotonic() - self._asking_since) * bool(self._under_way),
            trial=tuple(self._trial),
            failures=tuple(self._failures),
            notes=tuple(filter(None, (self._question.remark, problem))),
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

    async def end(self) -> None:
        """Stop it, since its loop is closed, which awaits `run`."""
        self.stop("The Session was closed.")

    async def run(self) -> None:
        """Ask every row, and leave an outcome for each."""
        self._loop = asyncio.get_running_loop()
        self._loading, self._writing = asyncio.Lock(), asyncio.Lock()
        self._room = asyncio.Semaphore(OPEN_CHUNKS)
        try:
            try:
                with suppress(asyncio.CancelledError), _collecting_less():  # cancelled by `stop`
                    await self._ask_rows()
            finally:
                await self._wind_up()
            self._ending = self._ending or self._end_of_rows()
            await asyncio.to_thread(self._finish)
        except BaseException as error:
            why = error.message if isinstance(error, KubeAIError) else f"It broke off ({type(error).__name__})."
            self._ending = self._ending or why
            self._table.drop()
            raise
        finally:
            self._over = True

    async def _ask_rows(self) -> None:
        if not self._ending:
            most = self._question.target.most_in_flight
            self._tasks = [asyncio.create_task(self._work()) for _ in range(min(most, self._rows or most))]
            await asyncio.gather(*self._tasks)

    def _end_of_rows(self) -> str:
        is_part = self._taken == self._limits.rows and self._taken != self._table.rows
        return f"limit={self._limits.rows} was reached." if is_part else "All rows are done."

    async def _wind_up(self) -> None:
        """End the workers and all that they have begun."""
        tasks = [*self._tasks, self._committing] if self._committing else self._tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._seconds = time.monotonic() - self._begun_seconds
        await self._tries.close()
        failures = await asyncio.gather(*self._in_threads, return_exceptions=True)
        await asyncio.to_thread(self._store.put, self._uncommitted)
        await asyncio.to_thread(self._store.close)
        for failure in failures:
            if isinstance(failure, BaseException):
                raise failure

    def _finish(self) -> None:
        """Give every row that was not asked its reason, also those that were not even read."""
        if self.raised:
            self._table.drop()
            return
        for chunk in chain(self._open, self._chunks):
            for index, outcome in enumerate(chunk.outcomes):
                if outcome is None:
                    chunk.outcomes[index] = RowOutcome(None, f"Not asked: {self._ending}")
            self._table.finish(chunk)

    async def _in_thread(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        """What this gives; it goes on where the worker that waits for it is cancelled."""
        job = asyncio.get_running_loop().run_in_executor(None, work, *arguments)
        self._in_threads.add(job)
        result = await asyncio.shield(job)
        self._in_threads.discard(job)
        return result

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
        if not await self._in_thread(self._open_next):
            self._room.release()
            return False
        self._loads += 1
        chunk = self._open[-1]
        self._current = (_Row(chunk, index, cells) for index, cells in enumerate(chunk.cells))
        return True

    def _open_next(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is not None:
            self._open.append(chunk)
        return chunk is not None

    async def _do(self, row: _Row) -> bool:
        """Find an outcome for the row, or for it and those that ask the same; whether a request was sent for that."""
        template = self._plan.template
        if problem := template.problem_of(row.cells):
            self._unsent += 1
            await self._settle(row, RowOutcome(None, problem))
            return False
        body = self._body(row)
        digest = self._question.digest(body)
        if digest in self._asking:
            self._asking[digest].append(row)
            return False
        self._asking[digest] = []
        begun_seconds = time.monotonic()
        try:
            known = await self._known(digest)
            outcome = known or await self._ask(row, digest, body if len(body) <= _SHORT else None)
        except _NotAskedError:
            return False
        finally:
            same = self._asking.pop(digest)
        self._from_store += known is not None
        await self._settle(row, outcome)
        for other in same:
            self._repeated += 1
            await self._settle(other, outcome)
        await self._commit(digest, min((time.monotonic() - begun_seconds) * GATHERED_SHARE, MOST_GATHERED_SECONDS))
        return known is None

    async def _known(self, digest: bytes) -> RowOutcome | None:
        """The values that an answer of before gives."""
        text = self._uncommitted.get(digest)
        if text is None:
            try:
                text = self._store.get(digest)
            except BlockingIOError:
                text = await self._in_thread(partial(self._store.get, waits=True), digest)
        outcome = self._question.judged(self._question.kept_reply(text)) if text is not None else None
        return outcome if outcome and outcome.values is not None else None

    def _body(self, row: _Row) -> bytes:
        """The row's request."""
        return self._question.body(self._plan.template.fill(row.cells))

    async def _ask(self, row: _Row, digest: bytes, body: bytes | None) -> RowOutcome:
        """Send it; a ``body`` that is too long to be kept is made anew for each try, since a thousand rows may wait."""
        try:
            with self._timed():
                reply = await self._tries.ask(lambda: body or self._body(row), self._question.reply_in)
        except FailedTryError as failure:
            self._ending = self._ending or self._tries.gone
            return RowOutcome(None, one_line(failure.explain().message))
        usage = reply.usage or Usage(0, 0)
        self._replies += 1
        self._prompt_tokens += usage.prompt_tokens
        self._completion_tokens += usage.completion_tokens
        outcome = self._question.judged(reply)
        if outcome.values is not None:
            self._uncommitted[digest] = self._question.kept_text(reply)
            if len(self._trial) < TRIAL_ROWS:
                self._trial.append((row.place, one_line(reply, _SHOWN_CHARACTERS)))
        return outcome

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Count the time in which a request is under way, of several at once only one's."""
        if not self._under_way:
            self._asking_since = time.monotonic()
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._asking_seconds += time.monotonic() - self._asking_since

    async def _commit(self, digest: bytes, gathered_seconds: float) -> None:
        """Wait until this answer is committed, and with it all that came meanwhile."""
        while digest in self._uncommitted:
            if self._committing is None:
                self._committing = asyncio.create_task(self._commit_all(gathered_seconds))
            await asyncio.shield(self._committing)

    async def _commit_all(self, gathered_seconds: float) -> None:
        try:
            is_quick = self._commit_seconds < QUICK_SECONDS
            await asyncio.sleep(0 if is_quick else gathered_seconds)
            answers = dict(self._uncommitted)
            try:
                self._put(answers, waits=False) if is_quick else await self._in_thread(self._put, answers)
            except BlockingIOError:
                await self._in_thread(self._put, answers)
            for committed in answers:
                del self._uncommitted[committed]
        finally:
            self._committing = None

    def _put(self, answers: Mapping[bytes, str], *, waits: bool = True) -> None:
        begun_seconds = time.monotonic()
        self._store.put(answers, waits=waits)
        self._commit_seconds = time.monotonic() - begun_seconds

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

    async def _settle(self, row: _Row, outcome: RowOutcome) -> None:
        chunk = row.chunk
        chunk.outcomes[row.offset] = outcome
        chunk.left -= 1
        self._done += 1
        self._cut += outcome.values is not None and outcome.error is not None
        if outcome.values is None:
            self._failed += 1
            self._failures.append(FailedRow(row.place, outcome.error or ""))
            if self._plan.raises and not self._ending:
                self.raised = self._failures[-1]
                self._ending = f"Row {row.place} failed: {outcome.error}"
            elif self._limits.too_many(self._failed - self._unsent, self._done - self._unsent):
                self._ending = self._ending or f"max_errors={self._limits.errors} was reached."
        if chunk.left == 0:
            async with self._writing:
                while self._open and self._open[0].left == 0:
                    await self._in_thread(self._table.finish, self._open.popleft())
                    self._room.release()


@contextmanager
def _collecting_less() -> Iterator[None]:
    """Have the collector look after `COLLECTED_AFTER` objects, unless it looks less often or never."""
    before, *older = gc.get_threshold()
    is_changed = 0 < before < COLLECTED_AFTER
    if is_changed:
        gc.set_threshold(COLLECTED_AFTER, *older)
    try:
        yield
    finally:
        if is_changed and gc.get_threshold() == (COLLECTED_AFTER, *older):
            gc.set_threshold(before, *older)
