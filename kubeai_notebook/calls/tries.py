"""One request and its further tries, each in a slot of the `Limiter`.

A try that fails gives its slot back while it waits, so others go on meanwhile, and comes before those that have not
begun. What a busy server refuses is no failed try: it is asked less, and asked again.

A gateway goes on holding a request where its Model is deleted meanwhile. So as long as something is asked, the watch is
looked at as well, and all that waits ends where it tells that the Model is gone.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import tenacity

from kubeai_notebook.errors import CallError

from .limiter import Limiter
from .poster import FailedTryError, Poster

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .endpoint import Endpoint
    from .question import Limits, Target

PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 30.0
LOOK_SECONDS = 1.0
"""Between two looks whether the Model is still there."""
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
        self.gone = ""
        """What tells that the Model is gone; then nothing more is sent."""
        self._look_for_gone = lambda: endpoint.gone(target.model)
        self._looking: asyncio.Task[None] | None = None
        self._held: set[asyncio.Timeout] = set()

    async def ask(self, body: Callable[[], bytes], read: Callable[[Mapping[str, Any]], _Read]) -> _Read:
        """What ``read`` makes of the answer to ``body()``, which is made anew for each try: it may be long.

        Raises:
            FailedTryError: the last try has failed, or the Model is gone.
        """
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        held = asyncio.timeout(None)
        try:
            async with held:
                self._held.add(held)
                self._refuse_gone()
                try:
                    return await self._try(body, read, first=False)
                except FailedTryError as failure:
                    return await self._try_again(body, read, failure)
        except TimeoutError:
            self._refuse_gone()
            raise
        finally:
            self._held.discard(held)

    async def close(self) -> None:
        """End all connections."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        await self._poster.close()

    async def _look(self) -> None:
        while not self.gone:
            await asyncio.sleep(LOOK_SECONDS)
            self.gone = await asyncio.to_thread(self._look_for_gone)
        for held in self._held:
            held.reschedule(asyncio.get_running_loop().time())

    def _refuse_gone(self) -> None:
        if self.gone:
            raise FailedTryError(lambda: CallError(self.gone, "models() lists what is there."), retryable=False)

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
