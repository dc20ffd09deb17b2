"""An event loop in a thread of its own, for what must be stoppable from any other thread.

A thread that waits in a socket cannot be stopped: closing the socket elsewhere does not wake it, and while the gateway
holds a request for a Model that wakes up, no HTTP library gives the socket away. A task of an event loop can be
cancelled wherever it stands: at connecting, at waiting for the first byte, between two pieces of a stream. So what
streams, or is asked in passing, runs here, and threads wait for it in a way that an interrupt can end.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kubeai_notebook.errors import CallError

from .errors import session_closed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

CLOSE_SECONDS = 3.0
_T = TypeVar("_T")
_END: Any = object()


class _DaemonExecutor(ThreadPoolExecutor):
    """Runs each job in a daemon thread of its own, also after the main thread's end.

    The threads of `concurrent.futures` take no work from then on, so a script whose last calls are made by another
    thread, or whose Model becomes ready while it ends, got a RuntimeError: the OpenAI client asks once in a thread what
    system it runs on, and names of hosts are looked up in one. asyncio takes a ThreadPoolExecutor only.
    """

    def submit(self, work: Callable[..., _T], /, *args: Any, **options: Any) -> Future[_T]:
        job: Future[_T] = Future()

        def run() -> None:
            if not job.set_running_or_notify_cancel():
                return
            try:
                job.set_result(work(*args, **options))
            except BaseException as error:  # noqa: BLE001 - whoever waits for the job gets it
                job.set_exception(error)

        threading.Thread(target=run, name="kubeai-job", daemon=True).start()
        return job


class BackgroundLoop:
    """One event loop and its thread, both made when they are first needed."""

    def __init__(self, name: str) -> None:
        self._name = name
        # The garbage collector may close a stream while its thread is in here.
        self._lock = threading.RLock()
        self._running: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None
        self._stopped = asyncio.Event()
        self._closed = False
        self._requests: weakref.WeakSet[Future[Any]] = weakref.WeakSet()
        self._pulled: weakref.WeakSet[Pulled[Any]] = weakref.WeakSet()
        self._last: Coroutine[Any, Any, None] | None = None

    def submit(self, coroutine: Coroutine[Any, Any, _T], *, to_its_end: bool = False) -> Future[_T]:
        """Run a coroutine in the loop; cancelling the Future cancels it, and so does `close` unless ``to_its_end``.

        Raises:
            CallError: the loop is closed.
        """
        with self._lock:
            if self._closed:
                coroutine.close()
                raise session_closed()
            if self._running is None:
                self._running = self._start()
            request = asyncio.run_coroutine_threadsafe(coroutine, self._running[0])
            if not to_its_end:
                self._requests.add(request)
            return request

    def begin(self, pulled: Pulled[Any]) -> None:
        """Remember to end this when the loop is closed."""
        with self._lock:
            self._pulled.add(pulled)

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Cancel all requests, await ``last``, and end the thread."""
        with self._lock:
            running, self._running, self._closed = self._running, None, True
            requests = tuple(self._requests)
        # By their Futures: a task that is cancelled twice leaves its connection open.
        for request in requests:
            request.cancel()
        if running is None:
            last.close()
            return
        self._last = last
        loop, thread = running
        loop.call_soon_threadsafe(self._stopped.set)
        if thread is not threading.current_thread():
            thread.join(CLOSE_SECONDS)

    def _start(self) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        # With a factory of its own it leaves the calling thread's event loop alone.
        runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        loop = runner.get_loop()
        loop.set_default_executor(_DaemonExecutor())
        thread = threading.Thread(target=self._run, args=(runner,), name=self._name, daemon=True)
        thread.start()
        return loop, thread

    def _run(self, runner: asyncio.Runner) -> None:
        with runner:
            runner.run(self._main())

    async def _main(self) -> None:
        await self._stopped.wait()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
        # Those that nobody waits for at this moment. asyncio's own way ends a generator and the one inside it at once.
        for pulled in tuple(self._pulled):
            await asyncio.gather(pulled.end(), return_exceptions=True)
        if self._last is not None:
            await self._last


class Pulled(Generic[_T]):
    """What an asynchronous generator yields, one item for each that a thread asks for; `close` ends it from any thread.

    Nothing is read ahead, so a reader that pauses makes the other side pause. The generator starts with the first item.
    """

    def __init__(self, loop: BackgroundLoop, items: AsyncGenerator[_T, None]) -> None:
        self._loop, self._items = loop, items
        self._lock = threading.RLock()
        self._turn = asyncio.Lock()
        self._pending: Future[_T] | None = None
        self.closed = False

    def __iter__(self) -> Pulled[_T]:
        return self

    def __next__(self) -> _T:
        """Wait for the next item.

        Raises:
            CancelledError: this was closed, or the loop was.
            CallError: the loop has been closed before.
        """
        with self._lock:
            if self.closed:
                raise CancelledError
            if self._pending is None:
                self._loop.begin(self)
            self._pending = pending = self._loop.submit(self._next())
        item = pending.result()
        if item is _END:
            raise StopIteration
        return item

    def close(self) -> None:
        """End the generator, wherever it is, without waiting for that."""
        with self._lock:
            begun = self._pending is not None and not self.closed
            self.closed = True
            if self._pending is not None:
                self._pending.cancel()
        if begun:
            with suppress(CallError):
                self._loop.submit(self.end(), to_its_end=True)

    async def _next(self) -> _T:
        async with self._turn:
            return await anext(self._items, _END)

    async def end(self) -> None:
        """End the generator, in the loop."""
        async with self._turn:
            await self._items.aclose()
