"""The limit finds the pace of servers that it is told nothing of; they are played, clock included."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import deque

import pytest

from kubeai_notebook.calls.limiter import DEBOUNCE_SECONDS, START, Gradient, Limiter

MOST = 1000


class Played:
    """A server of so many slots, and a batch without end that keeps as many requests in flight as it may.

    A request that needs a connection of its own comes up to ``connect_seconds`` later than it was sent, behind others.
    """

    def __init__(
        self, slots: int, *, refuses: bool, latency_seconds: float, fixed: int = 0, connect_seconds: float = 0.0
    ) -> None:
        self._slots, self._refuses, self._latency_seconds, self._fixed = slots, refuses, latency_seconds, fixed
        self._connect_seconds, self._connections = connect_seconds, 0
        self.gradient = Gradient(MOST)
        self.limits: list[int] = []
        self.answers = self._sent = self._busy = 0
        self._in_flight: dict[int, float] = {}
        self._queue: deque[int] = deque()
        self._events: list[tuple[float, int, str, int]] = []
        self._random = random.Random(7)

    def _at(self, now: float, seconds: float, kind: str, request: int) -> None:
        heapq.heappush(self._events, (now + seconds, self._random.getrandbits(60), kind, request))

    def _begin(self, now: float, request: int) -> None:
        self._at(now, self._latency_seconds * self._random.uniform(0.9, 1.1), "answer", request)

    def _send(self, now: float) -> None:
        self._sent += 1
        self._in_flight[self._sent] = now
        is_new = len(self._in_flight) > self._connections
        self._connections += is_new
        self._at(now, self._connect_seconds * self._random.random() if is_new else 0.0, "arrival", self._sent)

    def _arrive(self, now: float, request: int) -> None:
        if self._busy < self._slots:
            self._busy += 1
            self._begin(now, request)
        elif self._refuses:
            self._at(now, 0.002, "refusal", request)
        else:
            self._queue.append(request)

    def rate(self, seconds: float) -> float:
        """Answers a second."""
        now = 0.0
        while now < seconds:
            while len(self._in_flight) < (self._fixed or self.gradient.limit):
                self._send(now)
            self.gradient.reached()
            self.limits.append(self.gradient.limit)
            now, _, kind, request = heapq.heappop(self._events)
            if kind == "arrival":
                self._arrive(now, request)
                continue
            older = list(self._in_flight).index(request) if kind == "refusal" else 0
            sent = self._in_flight.pop(request)
            if kind == "refusal":
                self.gradient.refused(now, older)
                continue
            self.answers += 1
            self.gradient.answered(now, now - sent)
            self._busy -= 1
            if self._queue:
                self._busy += 1
                self._begin(now, self._queue.popleft())
        return self.answers / seconds


@pytest.mark.parametrize("latency_seconds", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("slots", [4, 32, 256])
@pytest.mark.parametrize("refuses", [False, True])
def test_reaches_nine_tenths_of_the_best_fixed_number(slots: int, refuses: bool, latency_seconds: float) -> None:
    best = Played(slots, refuses=refuses, latency_seconds=latency_seconds, fixed=slots).rate(20)
    assert Played(slots, refuses=refuses, latency_seconds=latency_seconds).rate(20) >= 0.9 * best


@pytest.mark.parametrize("latency_seconds", [0.1, 1.0])
@pytest.mark.parametrize("slots", [4, 32, 256])
def test_does_so_where_new_connections_come_late(slots: int, latency_seconds: float) -> None:
    best = Played(slots, refuses=True, latency_seconds=latency_seconds, fixed=slots).rate(20)
    played = Played(slots, refuses=True, latency_seconds=latency_seconds, connect_seconds=0.3)
    assert played.rate(20) >= 0.9 * best


def test_follows_a_server_that_gets_more_slots() -> None:
    played = Played(8, refuses=True, latency_seconds=0.1)
    played.rate(10)
    assert played.gradient.limit <= 10
    gradient, now = played.gradient, 10.0
    while now < 60:
        gradient.reached()
        now += 0.1 / gradient.limit
        gradient.answered(now, 0.1)
    assert gradient.limit > 64


def test_never_passes_the_most() -> None:
    gradient = Gradient(40)
    now = 0.0
    for _ in range(10_000):
        gradient.reached()
        now += 0.01
        gradient.answered(now, 0.1)
        assert gradient.limit <= 40
    assert gradient.limit == 40


def test_does_not_grow_where_it_was_not_reached() -> None:
    gradient = Gradient(MOST)
    for step in range(1000):
        gradient.answered(step * 0.01, 0.1)
    assert gradient.limit == START


def test_shrinks_once_for_refusals_that_come_together() -> None:
    gradient = Gradient(MOST)
    for _ in range(50):
        gradient.answered(0.1, 0.1)
    for _ in range(30):
        gradient.refused(0.1, 31)
    assert gradient.limit == int(START * 0.9)  # as most were answered
    gradient.refused(0.1 + DEBOUNCE_SECONDS, 40)
    assert gradient.limit == 40  # now refusals are all that came
    gradient.refused(0.1 + 3 * DEBOUNCE_SECONDS, 3)
    assert gradient.limit == 20  # others may have come before it that were sent later


def test_gives_slots_in_turn_and_to_further_tries_first() -> None:
    async def run() -> list[str]:
        limiter, order = Limiter(1), []

        async def wait(name: str, *, first: bool) -> None:
            slot = await limiter.acquire(first=first)
            order.append(name)
            limiter.release(slot)

        slot = await limiter.acquire()
        tasks = [asyncio.create_task(wait(name, first=name == "again")) for name in ("a", "b", "again")]
        await asyncio.sleep(0)
        limiter.release(slot)
        await asyncio.gather(*tasks)
        assert limiter.in_flight == 0
        return order

    assert asyncio.run(run()) == ["again", "a", "b"]


def test_loses_no_slot_to_those_that_wait_no_longer() -> None:
    async def run() -> None:
        limiter = Limiter(1)
        slot = await limiter.acquire()
        given_up, waiting = (asyncio.create_task(limiter.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        limiter.release(slot)  # its turn is given to the first
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        limiter.release(await waiting)
        assert limiter.in_flight == 0

    asyncio.run(run())


def test_sends_a_busy_server_no_more_than_it_holds_for_a_moment() -> None:
    """A quick server refuses in a millisecond: what it refuses would be sent again at once."""

    async def run() -> None:
        now = 0.0
        limiter = Limiter(8, clock=lambda: now)
        slots = [await limiter.acquire() for _ in range(5)]
        limiter.answered(0.05)
        limiter.refused(slots[4])
        limiter.release(slots[4])
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        assert (limiter.limit, waiting.done()) == (4, False)
        now += DEBOUNCE_SECONDS
        await asyncio.wait_for(waiting, 10)

    asyncio.run(run())


def test_asks_a_server_again_that_refused_the_only_request() -> None:
    async def run() -> None:
        limiter = Limiter(8)
        slot = await limiter.acquire()
        limiter.refused(slot)
        limiter.release(slot)
        assert limiter.limit == 0
        await asyncio.wait_for(limiter.acquire(), 10)

    asyncio.run(run())
