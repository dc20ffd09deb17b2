"""Why a url surely cannot run on this machine, asked before anything is sent.

Only what is certain is said: a source that answers slowly, wants a login or cannot be reached may still do when the
Model is served, with its own credentials and its own time.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import threading
import urllib.error
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.memory import memory_of
from kubeai_notebook.core.messages import size
from kubeai_notebook.core.near_urls import near_url
from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.ollama_names import MANIFEST_TYPE, manifest_of, parse_name
from kubeai_notebook.local.emulation.weight_files import HubName, hub_name, size_of, usable_files

from . import convert
from .ollama_store import OllamaStore
from .registry import base_of, manifest_url, missing_bytes, refusal_of
from .web import UNKNOWN, read, without_login

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from kubeai_notebook.core.source import Source
    from kubeai_notebook.local.machine import Memory

SECONDS = 3.0
_PLACES = threading.BoundedSemaphore(16)
"""How many sources are asked at once; nothing is known of whatever comes after them."""
_HUB = "https://huggingface.co"
_REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Judge:
    """What a verdict rests on."""

    cache: Path
    environment: Mapping[str, str]
    memory: Memory
    installed: Callable[[str], bool]
    """Whether a module of this name can be imported."""
    known: Collection[str]
    """Urls that can be had here, for "did you mean"."""
    seconds: float = SECONDS
    free: Callable[[Path], int] = lambda place: shutil.disk_usage(place).free
    """Bytes that a disk has left."""

    async def verdict(self, source: Source, kind: str) -> str | None:
        """One sentence, or None where it may run; within ``seconds``."""
        asks = {"ollama": self._of_registry, "hf": self._of_hub}
        if (ask := asks.get(source.scheme)) is None:
            return None
        try:
            async with asyncio.timeout(self.seconds):
                return await _aside(ask, source, kind)
        except LocalError as error:
            return str(error)
        except UNKNOWN:
            return None

    def _of_registry(self, source: Source, kind: str) -> str | None:
        name = parse_name(source.reference)
        if kind == "adapter" or source.parameters.get("pull", "").lower() == "false":
            return None
        url = manifest_url(base_of(name, source.parameters, self.environment), name)
        try:
            text = read(url, seconds=self.seconds, redirects=False, headers={"Accept": MANIFEST_TYPE})
        except urllib.error.HTTPError as error:
            refusal = refusal_of(name, error.code)
            return {404: f"{refusal}{self._meant(source)}", 412: refusal}.get(error.code)
        manifest = manifest_of(text)
        needed = missing_bytes(OllamaStore(self.cache / "ollama"), manifest)
        why = manifest.refusal(str(name)) or self.too_large(str(name), manifest.bytes)
        return why or self.no_room(str(name), needed, self.cache)

    def _of_hub(self, source: Source, kind: str) -> str | None:
        name = hub_name(source.reference)
        where = f"hf://{name.repository}"
        try:
            facts = self._asked(f"/api/models/{name.repository}?blobs=true")
        except urllib.error.HTTPError as error:
            # To whoever has no token the hub says 401 of what is not there, as of what is private.
            missing = f'Repository Not Found: the hub has no model "{name.repository}".{self._meant(source)}'
            return missing if error.code == 404 else None
        if facts.get("gated"):
            return None
        sizes = {str(item["rfilename"]): size_of(item.get("size") or 0) for item in facts.get("siblings") or ()}
        settings = facts.get("config")
        model_type = settings.get("model_type") if isinstance(settings, dict) else None
        free = self.memory.free_bytes
        options: dict[str, Any] = {"wanted": name, "memory_bytes": free, "model_type": model_type}
        try:
            choice = usable_files(sizes, kind, where=where, **options)
        except LocalError as error:
            near = "" if name.file or name.quantization else self._nearest_gguf(name)
            return f"{error} Take {near}." if near else str(error)
        if choice.form == "safetensors" and not self.installed(convert.MODULE):
            return str(convert.lacking(where, self._nearest_gguf(name)))
        # Converted, they take a quarter at least: of a float32 a byte is left.
        loaded = choice.bytes // 4 if choice.form == "safetensors" else choice.bytes
        folder = hub_folder(self.environment)
        # What another tool has fetched takes no room any more.
        needed = 0 if (folder / f"models--{name.repository.replace('/', '--')}").exists() else choice.bytes
        return self.too_large(name.repository, loaded) or self.no_room(name.repository, needed, folder)

    def _nearest_gguf(self, name: HubName) -> str:
        """The repository of the same model in GGUF files that most people take; ``""`` where none is known."""
        wanted = f"{name.repository.rpartition('/')[2]}-GGUF".lower()
        try:
            listed = self._asked(f"/api/models?search={wanted}&filter=gguf&sort=downloads&limit=20")
            names = [str(item["id"]) for item in listed]
        except UNKNOWN:
            return ""
        named = [item for item in names if _REPOSITORY.fullmatch(item)]
        same = [item for item in named if item.rpartition("/")[2].lower() == wanted]
        own = [item for item in same if item.partition("/")[0] == name.repository.partition("/")[0]]
        return f"hf://{(own or same)[0]}" if same else ""

    def _asked(self, path: str) -> Any:
        """A document of the hub's API."""
        hub = without_login(self.environment.get("HF_ENDPOINT") or _HUB)
        return json.loads(read(hub + path, seconds=self.seconds, redirects=False))

    def _meant(self, source: Source) -> str:
        near = near_url(source, [url for url in self.known if url.startswith(f"{source.scheme}://")])
        return f" Did you mean {near}?" if near else ""

    def too_large(self, name: str, weight_bytes: int) -> str | None:
        """Why so many bytes of weights do not fit into memory, with both figures."""
        if self.memory.beside_gpu or memory_of(weight_bytes) <= self.memory.total_bytes:
            return None
        weights, memory = _figures(weight_bytes, self.memory.total_bytes)
        return (
            f"{name} has {weights} of weights, and this machine has {memory} of memory. "
            "Take a smaller model or quantization, or a cluster."
        )

    def no_room(self, name: str, needed: int, folder: Path) -> str | None:
        """Why so many bytes do not fit onto the disk of a folder, which may not be there yet, with both figures."""
        place = next(path for path in (folder, *folder.parents) if path.exists())
        if (free := self.free(place)) >= needed:
            return None
        wanted, left = _figures(needed, free)
        # The hub's library has a place of its own.
        start = "kubeai-local start --cache FOLDER" if folder == self.cache else "set HF_HOME, then kubeai-local start"
        return (
            f"{name} needs {wanted} on disk, and {left} are free in {place}. "
            f"Make room there, or keep weights elsewhere: kubeai-local stop, then {start}."
        )


async def _aside(ask: Callable[[Source, str], str | None], source: Source, kind: str) -> str | None:
    """Ask in a thread that no exit waits for, and that takes none of those that the daemon works with."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str | None] = loop.create_future()

    def settle(verdict: str | None, error: Exception | None) -> None:
        if not answer.done():
            answer.set_exception(error) if error else answer.set_result(verdict)

    def work() -> None:
        verdict, why = None, None
        try:
            verdict = ask(source, kind)
        except Exception as error:  # noqa: BLE001  (whoever waits is given it)
            why = error
        finally:
            _PLACES.release()
        # Nobody may be there any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, verdict, why)

    if not _PLACES.acquire(blocking=False):
        return None
    threading.Thread(target=work, name="verdict", daemon=True).start()
    return await answer


def hub_folder(environment: Mapping[str, str]) -> Path:
    """Where the hub's library keeps what it fetches."""
    cache = Path(environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or Path.home()) / ".cache")
    home = Path(environment.get("HF_HOME") or cache / "huggingface")
    named = environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE")
    return Path(named or home / "hub").expanduser()


def _figures(needed: int, there: int) -> tuple[str, str]:
    """Both in words, fine enough to be told apart."""
    words = size(needed), size(there)
    return words if words[0] != words[1] else (f"{needed / 1e6:.0f} MB", f"{there / 1e6:.0f} MB")
