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
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from kubeai_notebook.errors import SessionClosedError

from .errors import session_closed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

CLOSE_SECONDS = 3.0
IDLE_SECONDS = 2.0
"""How long a thread waits for the next job before it ends."""
_T = TypeVar("_T")
_END: Any = object()


class _DaemonExecutor(ThreadPoolExecutor):
    """Runs jobs in daemon threads, also after the main thread's end; no job waits for another.

    The threads of `concurrent.futures` take no work from then on, so a script whose last calls are made by another
    thread, or whose Model becomes ready while it ends, got a RuntimeError: the OpenAI client asks once in a thread what
    system it runs on, and names of hosts are looked up in one. asyncio takes a ThreadPoolExecutor only. A thread takes
    the next job when it is through, since a batch commits some hundred times a second and to start one costs more.
    """

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        super().__init__()
        self._idle_seconds = idle_seconds
        self._resting_lock = threading.Lock()
        self._resting: dict[threading.Thread, SimpleQueue[Callable[[], None] | None]] = {}
        self._is_over = False

    def submit(self, work: Callable[..., _T], /, *args: Any, **options: Any) -> Future[_T]:
        job: Future[_T] = Future()

        def run() -> None:
            if not job.set_running_or_notify_cancel():
                return
            try:
                job.set_result(work(*args, **options))
            except BaseException as error:  # noqa: BLE001 - whoever waits for the job gets it
                job.set_exception(error)

        with self._resting_lock:
            jobs = self._resting.popitem()[1] if self._resting else None
        if jobs is not None:
            jobs.put(run)
        else:
            threading.Thread(target=self._run_jobs, args=(run,), name="kubeai-job", daemon=True).start()
        return job

    def _run_jobs(self, job: Callable[[], None] | None) -> None:
        jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        while job is not None:
            job()
            job = None  # while the thread rests it holds nothing of what it did
            with self._resting_lock:
                if self._is_over:
                    return
                self._resting[threading.current_thread()] = jobs
            try:
                job = jobs.get(timeout=self._idle_seconds)
            except Empty:
                with self._resting_lock:
                    if self._resting.pop(threading.current_thread(), None) is not None:
                        return
                job = jobs.get()  # it was chosen for a job at this moment

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads that rest; one that works ends with its job, for which nobody waits."""
        del wait, cancel_futures
        with self._resting_lock:
            resting, self._resting, self._is_over = self._resting, {}, True
        for thread, jobs in resting.items():
            jobs.put(None)
            thread.join()


class HasEnd(Protocol):
    """What is not to be cut off where the loop is closed, but has an end of its own."""

    async def end(self) -> None:
        """Begin that end; whatever of it is to be awaited is a task of the loop."""


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
        self._endings: weakref.WeakSet[HasEnd] = weakref.WeakSet()
        self._last: Coroutine[Any, Any, None] | None = None

    def submit(self, coroutine: Coroutine[Any, Any, _T], *, to_its_end: bool = False) -> Future[_T]:
        """Run a coroutine in the loop; cancelling the Future cancels it, and so does `close` unless ``to_its_end``.

        Raises:
            SessionClosedError: the loop is closed.
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

    def begin(self, work: HasEnd) -> None:
        """Remember to end this when the loop is closed."""
        with self._lock:
            self._endings.add(work)

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
        # Also those that nobody waits for now. asyncio's own way ends a generator and the one inside it at once.
        for work in tuple(self._endings):
            await asyncio.gather(work.end(), return_exceptions=True)
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
        if self._last is not None:
            await self._last


class Pulled(Generic[_T]):
    """What an asynchronous generator yields, one item for each that a thread asks for; `close` ends it from any thread.

    The generator starts with the first item, and goes on with each that is asked for.
    """

    def __init__(self, loop: BackgroundLoop, items: AsyncGenerator[_T, None]) -> None:
        self._loop, self._items = loop, items
        self._lock = threading.RLock()
        self._turn = asyncio.Lock()
        self._begun = False
        self._waiting: asyncio.Task[Any] | None = None
        self.closed = False

    def __iter__(self) -> Pulled[_T]:
        return self

    def __next__(self) -> _T:
        """Wait for the next item.

        Raises:
            CancelledError: this was closed, or the loop was.
            SessionClosedError: the loop has been closed before.
        """
        item = self._ask().result()
        if item is _END:
            raise StopIteration
        return item

    def __aiter__(self) -> Pulled[_T]:
        return self

    async def __anext__(self) -> _T:
        """The same for ``await``, in any other loop: there CancelledError of asyncio is the user's own task's."""
        try:
            item = await asyncio.wrap_future(self._ask())
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise CancelledError from None
        if item is _END:
            raise StopAsyncIteration
        return item

    def _ask(self) -> Future[_T]:
        with self._lock:
            if self.closed:
                raise CancelledError
            if not self._begun:
                # First: an interrupt may hit behind any of these lines, and `close` ends what was begun.
                self._begun = True
                self._loop.begin(self)
            return self._loop.submit(self._next())

    def close(self) -> None:
        """End the generator, wherever it is, without waiting for that."""
        with self._lock:
            begun, self.closed = self._begun and not self.closed, True
        if begun:
            with suppress(SessionClosedError):
                self._loop.submit(self.end(), to_its_end=True)

    async def _next(self) -> _T:
        async with self._turn:
            self._waiting = asyncio.current_task()
            try:
                return await anext(self._items, _END)
            finally:
                self._waiting = None

    async def end(self) -> None:
        """End the generator, in the loop; whoever waits for an item gets a CancelledError."""
        # Once: a task that is cancelled twice leaves its connection open.
        if self._waiting is not None and not self._waiting.cancelling():
            self._waiting.cancel()
        async with self._turn:
            await self._items.aclose()
