"""One download for all who wait for the same weights, in a process that can be ended at any moment.

The daemon's loop never downloads: a library that hangs, prints a login or takes all memory ends with its process
(`fetch_worker`), which writes a report a line. What a report says was written by whatever the url leads to, so each
word is checked for its type, and a path only counts below a folder that weights are kept in.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import AsyncFileLock, FileLock, Timeout

from kubeai_notebook.core.kubeai.this_machine import NO_LOGIN, without_steering
from kubeai_notebook.core.masking import masked
from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.weight_files import size_of
from kubeai_notebook.local.environment import FETCHING, import_path, inherited
from kubeai_notebook.local.leash import leashed
from kubeai_notebook.text import one_line

from .ollama_store import stores
from .records import key_of
from .registry import NotHereError
from .verdict import hub_folder
from .web import UNKNOWN

if TYPE_CHECKING:
    from .package_index import Package

Progress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all, if known."""

PARTIAL_SECONDS = 7 * 24 * 60 * 60.0
"""How long half a file waits to be gone on with."""
_NO_XET = {"HF_HUB_DISABLE_XET": "1"}
"""By that protocol an answer of the hub's names another host, and the library sends the token there."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to fetch."""

    url: str
    kind: str
    """``model`` or ``adapter``."""
    package: Package | None
    """Where a package of weights is what the url means."""
    doubted: bool
    """Whether an engine could not load what is there."""
    memory_bytes: int
    """What a model may take."""

    @property
    def name(self) -> str:
        """What its folder and its lock in the cache are called."""
        return self.package.kept_as if self.package else key_of(self.url, self.kind)


@dataclass(frozen=True, slots=True)
class Listener:
    """Who waits, and what it is told meanwhile."""

    progress: Progress
    say: Callable[[str], None]
    """Of weights that were damaged."""
    note: Callable[[str], None]
    """What is for the log only."""


@dataclass(slots=True)
class _Download:
    task: asyncio.Task[Path]
    listeners: list[Listener] = field(default_factory=list)


class Downloads:
    """Those of one daemon, into one cache."""

    def __init__(self, cache: Path, environment: Mapping[str, str]) -> None:
        self._cache = cache
        self._environment = inherited(environment, FETCHING)
        self._import_from = environment.get("PYTHONPATH", "")
        self._running: dict[object, _Download] = {}
        _sweep(cache)

    async def path(self, order: Order, environment: Mapping[str, str], listener: Listener) -> Path:
        """Where the weights lie once they are fetched; a download ends with the last who waits for it.

        ``environment`` is the Pod's, with its credentials: nothing of it steers where weights come from or are kept.

        Raises:
            NotHereError: the source has no such weights, or cannot be reached.
            LocalError: they cannot be had; the message is one line.
        """
        own = {} if order.package else {**without_steering(environment), **NO_LOGIN}
        used = {**self._environment, **own}
        # Two Pods with different credentials are not served by one download.
        key = order.name if order.package else (order.url, order.kind, tuple(sorted(used.items())))
        download = self._running.get(key)
        if download is None or download.task.done():
            listeners: list[Listener] = []
            download = self._running[key] = _Download(
                asyncio.create_task(self._fetched(order, used, listeners)), listeners
            )
        download.listeners.append(listener)
        try:
            return await asyncio.shield(download.task)
        finally:
            download.listeners.remove(listener)
            if not download.listeners and self._running.get(key) is download:
                # Whoever asks from here on begins anew, and waits for the lock.
                del self._running[key]
                if not download.task.done():
                    download.task.cancel()
                    with suppress(asyncio.CancelledError):
                        await download.task

    async def _fetched(self, order: Order, environment: Mapping[str, str], listeners: list[Listener]) -> Path:
        url = order.url
        given = import_path({**environment, **_NO_XET}, self._import_from)
        report: dict[str, Any] = {}
        try:
            async with _part(self._cache, order.name) as part:
                work = json.dumps({**asdict(order), "part": str(part)})
                async for report in _reports(f"{__package__}.fetch_worker", work, environment=given):
                    for listener in tuple(listeners):
                        _pass_on(report, listener, url)
        except OSError as error:
            message = f'Could not keep the weights of "{masked(url)}" in {self._cache}: {error}'
            raise LocalError(message) from error
        except Exception as error:  # whatever it is, a Pod has a reason
            message = f'Fetching "{url}" failed: {type(error).__name__}: {one_line(str(error), 500)}'
            raise LocalError(masked(message)) from error
        if "error" in report:
            raise (NotHereError if report.get("elsewhere") else LocalError)(masked(one_line(report["error"])))
        path = Path(os.path.abspath(report.get("path", "/")))  # noqa: PTH100  (a link in a cache leads where it likes)
        if report["ended"] or not any(path.is_relative_to(folder) for folder in self._caches(environment)):
            words = one_line(report["words"], 500) or "it said nothing"
            raise LocalError(masked(f'Fetching "{url}" ended without a result: {words}'))
        return path

    def _caches(self, environment: Mapping[str, str]) -> list[Path]:
        """The folders that weights are fetched into, or lie in already."""
        folders = [self._cache, hub_folder(environment), *(store.root for store in stores(self._cache, environment))]
        return [Path(os.path.abspath(folder)) for folder in folders]  # noqa: PTH100  (as above)


async def _reports(module: str, order: str, *, environment: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
    """What a module reports that runs as a child with an order on its stdin; it never outlives us, nor who listens.

    The last report is the one before, with ``ended``, the exit code, and ``words``, the last line on stderr.
    """
    process = await asyncio.create_subprocess_exec(
        *leashed(sys.executable, "-P", "-m", module),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),
        limit=1 << 20,
    )
    try:
        assert process.stdin is not None  # noqa: S101  (it is a pipe: asked for above)
        process.stdin.write(order.encode() + b"\n")
        process.stdin.close()
        assert process.stdout is not None  # noqa: S101  (so is this)
        assert process.stderr is not None  # noqa: S101  (and this)
        words, report = asyncio.create_task(_last_line(process.stderr)), {}
        async for line in process.stdout:
            report = _report(line)
            yield report
        yield {**report, "ended": await process.wait(), "words": await words}
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
        await process.wait()


async def _last_line(stream: asyncio.StreamReader) -> str:
    """What a stream ends with; all before it is forgotten, however much it is."""
    last = b""
    while piece := await stream.read(1 << 16):
        last = (last + piece)[-4096:]
    return (last.decode(errors="replace").strip().splitlines() or [""])[-1]


def _report(line: bytes) -> dict[str, Any]:
    """What the worker reports in a line, where each word is of its own type; else {}."""
    try:
        report = dict(json.loads(line))
        sizes = [size_of(report[name]) for name in ("done", "total") if name in report]
    except UNKNOWN:
        return {}
    sound = len(sizes) != 1 and isinstance(report.get("elsewhere", False), bool)
    texts = [report[name] for name in ("damaged", "note", "path", "error") if name in report]
    return report if sound and all(isinstance(text, str) for text in texts) else {}


def _pass_on(report: dict[str, Any], listener: Listener, url: str) -> None:
    if "done" in report:
        listener.progress(report["done"], report["total"])
    if "damaged" in report:
        listener.say(f'Weights "{masked(url)}" are damaged ({report["damaged"]}) and are fetched again')
    if "note" in report:
        listener.note(masked(one_line(report["note"])))


@asynccontextmanager
async def _part(cache: Path, name: str) -> AsyncIterator[Path]:
    """An empty folder in the cache, ours alone among all processes, and gone afterwards."""
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{name}.part"
    async with AsyncFileLock(cache / f"{name}.lock", run_in_executor=False):
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(cache: Path) -> None:
    """Remove what a killed download left, unless another process is at it; a cache that cannot be written stays."""
    with suppress(OSError):
        for folder in cache.glob("*.part"):
            with suppress(Timeout), FileLock(folder.with_suffix(".lock"), timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        for part in cache.glob("ollama/blobs/*-partial"):
            if time.time() - part.stat().st_mtime > PARTIAL_SECONDS:
                part.unlink()
