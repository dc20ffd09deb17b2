"""Weights on this machine: which urls have them, and one download for all who wait."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import yaml

from kubeai_notebook.errors import LocalError

from .fetch_worker import Package
from .leash import leashed

Progress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all, if known."""
LOCK_SECONDS = 0.2
"""How often another process' download is looked at; a file lock cannot be awaited."""

_LIBRARIES = {"hf": ("huggingface_hub", "hub"), "s3": ("boto3", "s3")}


def shipped_packages() -> dict[str, Package]:
    """The packages with weights, by the urls that mean them."""
    listed = yaml.safe_load(files(__package__).joinpath("weights.yaml").read_text())
    return {url: Package(**fields) for fields in listed for url in fields.pop("urls")}


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
        packages: Mapping[str, Package] | None = None,
    ) -> None:
        self.cache = cache
        self._mapped = mapped
        self._environment = environment
        self._packages = shipped_packages() if packages is None else packages
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
        scheme = url.partition("://")[0]
        library, extra = _LIBRARIES.get(scheme, ("", ""))
        if url in self._packages or self._mapping(url) or (library and find_spec(library)):
            return None
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
        used = dict(self._environment) if package else {**self._environment, **(environment or {})}
        # Two Pods with different credentials are not served by one download.
        key = package.kept_as if package else (url, kind, tuple(sorted(used.items())))
        fetch = self._fetches.get(key)
        if fetch is None or fetch.task.done():
            listeners: list[Progress] = []
            work = self._worked({"url": url, "kind": kind, "package": package}, used, listeners)
            fetch = self._fetches[key] = _Fetch(asyncio.create_task(work), listeners)
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

    async def _worked(self, order: dict[str, Any], environment: Mapping[str, str], listeners: list[Progress]) -> Path:
        url, package = order["url"], order["package"]
        name = package.kept_as if package else hashlib.sha256(f"{order['kind']} {url}".encode()).hexdigest()[:12]
        said, told = "", {}
        try:
            async with _part(self.cache, name) as part:
                work = json.dumps({**order, "package": package and asdict(package), "part": str(part)})
                async for said in _lines(f"{__package__}.fetch_worker", work, environment=environment):
                    told = _told(said)
                    for listener in listeners if "done" in told else ():
                        listener(told["done"], told["total"])
        except OSError as error:
            raise LocalError(f'Could not keep the weights of "{url}" in {self.cache}: {error}') from error
        if "path" not in told:
            raise LocalError(str(told.get("error") or f'Fetching "{url}" ended without a result: {said}'))
        return Path(told["path"])

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


async def _lines(module: str, *arguments: str, environment: Mapping[str, str]) -> AsyncIterator[str]:
    """What a module says that runs as a child; it never outlives us, nor whoever listens."""
    process = await asyncio.create_subprocess_exec(
        *leashed(sys.executable, "-m", module, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(environment),
        limit=1 << 20,
    )
    try:
        assert process.stdout is not None  # noqa: S101  (it is a pipe: asked for above)
        async for line in process.stdout:
            yield line.decode(errors="replace").strip()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
        await process.wait()


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


@asynccontextmanager
async def _part(cache: Path, name: str) -> AsyncIterator[Path]:
    """An empty folder in the cache, ours alone among all processes, and gone afterwards."""
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{name}.part"
    with (cache / f"{name}.lock").open("a") as file:
        while not _try_lock(file):
            await asyncio.sleep(LOCK_SECONDS)
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(cache: Path) -> None:
    """Remove what a killed download left, unless another process is at it."""
    for folder in cache.glob("*.part"):
        with folder.with_suffix(".lock").open("a") as file:
            if _try_lock(file):
                shutil.rmtree(folder, ignore_errors=True)


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
