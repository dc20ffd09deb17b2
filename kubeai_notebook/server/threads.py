"""Threads of one server for what waits for a cluster, so that nothing waits in its event loop.

They are those of `session.live.pool`: a few of a kind at a time, and daemons, so that a server that ends waits for no
cluster.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from kubeai_notebook.session.live.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")


class Threads:
    """Does work for coroutines."""

    def __init__(self) -> None:
        self._pool, self._numbers = Pool(), count()
        self.waiting = 0
        """How much work waits or goes on."""

    async def run(self, work: Callable[[], _Result], *, queue: str = "") -> _Result:
        """What the work returns or raises; what has the same ``queue`` is done one after the other."""
        loop = asyncio.get_running_loop()
        come: asyncio.Future[_Result] = loop.create_future()

        def settle(result: _Result | None, error: Exception | None) -> None:
            if come.done():
                return  # nobody waits any more
            if error is not None:
                come.set_exception(error)
            else:
                come.set_result(result)  # type: ignore[arg-type]  # there is one where there is no error

        def run() -> None:
            try:
                result, error = work(), None
            except Exception as raised:  # noqa: BLE001 - the thread's outermost frame: whoever waits gets it
                result, error = None, raised
            loop.call_soon_threadsafe(settle, result, error)

        self.waiting += 1
        try:
            # Two kinds, each with threads of its own: changes that wait for minutes leave those for what is only read.
            self._pool.submit("write" if queue else "read", queue or f"#{next(self._numbers)}", run)
            return await come
        finally:
            self.waiting -= 1
