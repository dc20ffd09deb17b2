"""Which urls have weights here, and what can be had; a url means the same to every caller, be it asked or served."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING

import yaml

from kubeai_notebook.core.catalog.known import KNOWN
from kubeai_notebook.core.masking import masked, secret_values
from kubeai_notebook.core.source import Source
from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.ollama_names import parse_name
from kubeai_notebook.local.engines.recipes import program_of
from kubeai_notebook.local.environment import FETCHING, inherited
from kubeai_notebook.local.machine import Memory, memory_here
from kubeai_notebook.local.mappings import mapped_path, mapping_of
from kubeai_notebook.text import one_line

from .digest import digest_of
from .downloads import Downloads, Listener, Order, Progress
from .ollama_store import stored, stores
from .package_index import Package
from .records import record_of, records
from .seals import Seal
from .verdict import Judge
from .web import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

VERDICT_SECONDS = 60.0
"""How long it is believed that a url may run."""
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


class Weights:
    """Finds or fetches the file (or folder of files) behind a model's or an adapter's url."""

    def __init__(
        self,
        cache: Path,
        *,
        mapped: Mapping[str, Path],
        environment: Mapping[str, str],
        packages: Mapping[str, Package] | None = None,
        memory: Callable[[], Memory] = memory_here,
        installed: Callable[[str], bool] = _installed,
    ) -> None:
        self.cache = cache
        self._mapped = mapped
        self._environment = inherited(environment, FETCHING)
        self._packages = shipped_packages() if packages is None else packages
        self._doubted: set[str] = set()
        self._memory = memory
        self._installed = installed
        self._may_run: dict[tuple[str, str, str], float] = {}
        self._downloads = Downloads(cache, environment)

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

        A source that cannot be reached says nothing about a url. It takes three seconds at most. That a url may run is
        believed for a minute; a refusal is not, since its reader mends what it names and tries again.
        """
        key = (url, engine, kind)
        if time.monotonic() - self._may_run.get(key, float("-inf")) < VERDICT_SECONDS:
            return None
        try:
            verdict = await self._judged(url, engine, kind)
        except UNKNOWN:
            # An odd url, or what another program keeps here: the Model's Pod says what is wrong with it.
            return None
        if verdict is None:
            self._may_run = {**dict(list(self._may_run.items())[-99:]), key: time.monotonic()}
            return None
        # A hub's words are in it, and a url's, which may hold a login.
        return masked(one_line(verdict), secret_values({"url": url}))

    async def _judged(self, url: str, engine: str, kind: str) -> str | None:
        if program_of(engine, self._environment):
            # A real engine fetches and refuses by itself.
            return None
        source = Source(url)
        judge = Judge(self.cache, self._environment, self._memory(), self._installed, {*KNOWN, *self.known()})
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
        return mapping_of(self._mapped, url) is not None

    def missing_claim(self, url: str) -> str | None:
        """The claim's name behind a ``pvc://`` url that no folder stands for."""
        if not url.startswith("pvc://") or mapping_of(self._mapped, url):
            return None
        return Source(url).claim

    def lacking(self, url: str) -> str | None:
        """What would help to fetch this url; None when it is known or can be fetched."""
        scheme = Source(url).scheme
        library, extra = _LIBRARIES.get(scheme, ("", ""))
        fetched = scheme == "ollama" or (library and self._installed(library))
        if url in self._packages or mapping_of(self._mapped, url) or fetched:
            return None
        install = f'Other {scheme}:// urls need {library}: pip install "kubeai-notebook[{extra}]".'
        return install if library else ""

    def present(self, url: str) -> Path | None:
        """The weights, if they are here already and whole, as far as their sizes and times tell.

        Raises:
            LocalError: what is mapped to the url is not usable.
        """
        if mapped := mapped_path(self._mapped, url):
            return mapped
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

    async def digest(self, weights: Path | None) -> str:
        """What tells these weights from others, as `digest_of`; ``""`` for those that an engine fetches itself."""
        return await digest_of(weights, self.cache) if weights else ""

    def doubt(self, url: str) -> None:
        """An engine ended before it answered: compare the checksums at its next start, at most once an hour."""
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

        ``kind`` is ``model`` or ``adapter``; ``environment`` is the Pod's. `Downloads.path` says the rest, errors too.
        """
        if (path := self.present(url)) is not None:
            return path
        package, doubted = self._packages.get(url), url in self._doubted
        order = Order(url, kind, package, doubted=doubted, memory_bytes=self._memory().free_bytes)
        path = await self._downloads.path(order, environment or {}, Listener(progress, say, note))
        self._doubted.discard(url)
        return path


def _size(path: Path) -> int | None:
    """Bytes of a file, or of the files in a folder; None where it cannot be read."""
    try:
        files = path.rglob("*") if path.is_dir() else (path,)
        return sum(file.stat().st_size for file in files if file.is_file())
    except OSError:
        return None
