"""One request and its further tries, each in a slot of the `Limiter`.

A try that fails gives its slot back while it waits, so others go on meanwhile, and comes before those that have not
begun. What a busy server refuses is no failed try: it is asked less, and asked again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import tenacity

from .limiter import Limiter
from .poster import FailedTryError, Poster

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .endpoint import Endpoint
    from .question import Limits, Target

PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 30.0
_Read = TypeVar("_Read")


class Tries:
    """Sends what a batch asks to one route; for one event loop.

    ``check`` is called before each request is sent, and raises where nothing more is to be sent.
    """

    def __init__(
        self, endpoint: Endpoint, target: Target, limits: Limits, *, path: str, check: Callable[[], None]
    ) -> None:
        self.limiter = Limiter(target.most_in_flight)
        self.sent = 0
        """Requests, further tries included."""
        self._poster = Poster(endpoint, target.model, timeout_seconds=limits.timeout_seconds)
        self._limits, self._path, self._check = limits, path, check

    async def ask(self, body: Callable[[], bytes], read: Callable[[Mapping[str, Any]], _Read]) -> _Read:
        """What ``read`` makes of the answer to ``body()``, which is made anew for each try: it may be long.

        Raises:
            FailedTryError: the last try has failed.
        """
        try:
            return await self._try(body, read, first=False)
        except FailedTryError as failure:
            return await self._try_again(body, read, failure)

    async def close(self) -> None:
        """End all connections."""
        await self._poster.close()

    async def _try_again(
        self, body: Callable[[], bytes], read: Callable[[Mapping[str, Any]], _Read], failure: FailedTryError
    ) -> _Read:
        failed, busy_until = 0, time.monotonic() + self._limits.busy_seconds

        def pause(state: tenacity.RetryCallState) -> float:
            """What the server asks for, or longer each time; a busy one is asked once more as its time ends."""
            error = state.outcome.exception() if state.outcome else None
            asked_for = error.after_seconds if isinstance(error, FailedTryError) else None
            seconds = _back_off(state) if asked_for is None else asked_for
            if isinstance(error, FailedTryError) and error.busy:
                return min(seconds, max(busy_until - time.monotonic(), 0.0))
            return seconds

        def goes_on(error: BaseException) -> bool:
            nonlocal failed
            if not isinstance(error, FailedTryError) or not error.retryable:
                return False
            failed += not error.busy
            return failed < self._limits.attempts and not (error.busy and time.monotonic() >= busy_until)

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(goes_on),
            stop=tenacity.stop_before_delay(self._limits.timeout_seconds * self._limits.attempts),
            wait=pause,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                if attempt.retry_state.attempt_number == 1:
                    raise failure
                return await self._try(body, read, first=True)
        raise failure

    async def _try(
        self, body: Callable[[], bytes], read: Callable[[Mapping[str, Any]], _Read], *, first: bool
    ) -> _Read:
        slot = await self.limiter.acquire(first=first)
        try:
            self._check()
            self.sent += 1
            begun = time.monotonic()
            answer = read(await self._poster.post(self._path, body()))
            self.limiter.answered(time.monotonic() - begun)
            return answer
        except FailedTryError as failure:
            if failure.busy:
                self.limiter.refused(slot)
            raise
        finally:
            self.limiter.release(slot)


_back_off = tenacity.wait_random_exponential(multiplier=PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS)
