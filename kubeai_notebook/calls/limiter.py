"""How many requests are in flight: a limit that finds the server's pace by itself.

Nobody knows how much a server takes at once: a laptop four requests, a vLLM two hundred, and KubeAI adds replicas
meanwhile. Too few leave it idle; too many are refused, or wait in a queue. This is Gradient2 of Netflix's
concurrency-limits: as long as answers take no longer than in the long run, the limit grows where it was reached; as
they take longer, it shrinks in proportion. Four things differ, each for what was measured without it:

* It looks at windows of time, not at single answers: how long one takes depends first of all on how long it is.
* It begins by doubling, as long as that brings more answers a second: a batch may be over in seconds.
* The long run falls quickly and rises slowly: a queue at the server is long, too, and would become the measure.
* A busy server (429, 503) shrinks the limit at once, at most every `DEBOUNCE_SECONDS`, and nothing is cancelled. The
  limit becomes what the server holds, which is the requests that were sent before the refused one and are still in
  flight; it falls by a half at most, and by a tenth where few are refused, since requests over new connections come
  later than they were sent. What is answered in the time after that says what the server held indeed. Meanwhile no
  more is sent than it holds: what a quick server refuses is else sent again a hundred times before the limit moves.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

START = 64
DEBOUNCE_SECONDS = 0.2
TOLERANCE = 2.0
"""How many times as long as in the long run answers may take before the limit shrinks: engines batch."""
_SHRINK, _HALVE, _PAYS = 0.9, 0.5, 1.25
_RISES, _FALLS = 0.02, 0.3
_CAREFUL_WINDOWS = 10


class Gradient:
    """The limit, as windows of answers and refusals move it. Pure: time comes in as an argument."""

    def __init__(self, most: int, *, now: float = 0.0) -> None:
        self._most = max(most, 1)
        self._limit = float(min(START, self._most))
        self._doubles, self._rate_before = True, 0.0
        self._long_seconds = 0.0
        self._shrunk_at, self._quiet_windows = -math.inf, _CAREFUL_WINDOWS
        self._begin_window(now)

    @property
    def limit(self) -> int:
        """How many requests may be in flight."""
        return int(self._limit)

    def _begin_window(self, now: float) -> None:
        self._from, self._answers, self._seconds, self._refusals, self._reached = now, 0, 0.0, 0, False

    def reached(self) -> None:
        """Somebody had to wait: the limit is what holds this up."""
        self._reached = True

    def refused(self, now: float, older: int) -> None:
        """The server is busy; ``older`` requests were sent before this one and are still in flight."""
        self._refusals += 1
        if now - self._shrunk_at < DEBOUNCE_SECONDS:
            return
        limit = max(float(older), self._limit * (_HALVE if self._refusals > self._answers else _SHRINK))
        self._limit = max(min(self._limit, limit), 1.0)
        self._doubles, self._shrunk_at, self._quiet_windows = False, now, 0
        self._begin_window(now)

    def answered(self, now: float, seconds: float) -> None:
        """An answer came, after so many seconds."""
        self._answers += 1
        self._seconds += seconds
        mean = self._seconds / self._answers
        if now - self._from >= max(DEBOUNCE_SECONDS, mean):
            self._move(mean, self._answers / (now - self._from))
            self._begin_window(now)

    def _move(self, seconds: float, rate: float) -> None:
        long = self._long_seconds or seconds
        self._long_seconds = long + (_RISES if seconds > long else _FALLS) * (seconds - long)
        if not self._quiet_windows:  # the server has just shown what it holds, and it may be more than it seemed
            self._limit = min(max(self._limit, rate * seconds), self._most)
        self._quiet_windows += not self._refusals
        if self._doubles and rate < _PAYS * self._rate_before:
            self._doubles, self._limit = False, max(self._limit / 2, 1.0)  # the last doubling brought nothing
            return
        self._rate_before = rate if self._reached else 0.0
        if not self._reached:
            return
        gradient = max(0.5, min(1.0, TOLERANCE * long / seconds)) if seconds else 1.0
        careful = 1.0 if self._quiet_windows < _CAREFUL_WINDOWS else math.sqrt(self._limit)
        self._limit = min(self._limit * gradient + (self._limit if self._doubles else careful), self._most)


class Limiter:
    """Slots for requests, as many as the `Gradient` says; first come, first served, further tries before all."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gradient = Gradient(most, now=clock())
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._next_slot = 0
        self._holds, self._holds_until = 0, -math.inf
        self._in_flight: dict[int, None] = {}  # the oldest stands first

    @property
    def limit(self) -> int:
        """How many requests may be in flight at this moment."""
        limit = self._gradient.limit
        return min(limit, self._holds) if self._clock() < self._holds_until else limit

    @property
    def in_flight(self) -> int:
        """How many slots are taken."""
        return len(self._in_flight)

    async def acquire(self, *, first: bool = False) -> int:
        """Wait for a slot; ``first``: before all others, for a row that has begun already."""
        while self.in_flight >= self.limit or (self._waiting and not first):
            self._gradient.reached()
            turn = asyncio.get_running_loop().create_future()
            (self._waiting.appendleft if first else self._waiting.append)(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._call_next()  # this turn may have been given already
                raise
            first = True
        self._next_slot += 1
        self._in_flight[self._next_slot] = None
        return self._next_slot

    def release(self, slot: int) -> None:
        """Give a slot back."""
        del self._in_flight[slot]
        self._call_next()

    def _call_next(self) -> None:
        free = self.limit - self.in_flight
        while self._waiting and free > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1

    def answered(self, seconds: float) -> None:
        """The request of a slot was answered after so many seconds; the slot is still to be released."""
        self._gradient.answered(self._clock(), seconds)

    def refused(self, slot: int) -> None:
        """The request of this slot was refused by a busy server; the slot is still to be released."""
        older = next(number for number, other in enumerate(self._in_flight) if other == slot)
        now = self._clock()
        self._gradient.refused(now, older)
        # Of many that are refused together, those that were sent first see too few before them.
        self._holds = max(older, self._holds) if now < self._holds_until else older
        self._holds_until = now + DEBOUNCE_SECONDS
        asyncio.get_running_loop().call_later(DEBOUNCE_SECONDS, self._call_next)
