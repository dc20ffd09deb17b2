"""Pulls a model from Ollama's registry, or from any that speaks the same: a manifest, and the files that it names.

No login is ever sent, so none can follow a redirect: the registry sends every file from another host. Whatever sends
it, a file counts only with its sha256. One that breaks off is kept and goes on where it ended, also after a restart.
"""

from __future__ import annotations

import errno
import http.client
import os
import time
import urllib.error
from contextlib import suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.ollama_names import (
    DEFAULT_HOST,
    HUB_HOSTS,
    MANIFEST_TYPE,
    Layer,
    Manifest,
    OllamaName,
    manifest_of,
    parse_name,
)
from kubeai_notebook.text import one_line

from .kept_files import whole
from .ollama_store import OllamaStore, stores
from .progress import check_room, full, reporting, tell
from .seals import sha256_of
from .web import opened, read, without_login

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kubeai_notebook.core.source import Source

SECONDS = 30.0
"""Without a byte, until a connection counts as broken."""
PAUSES_SECONDS = (0.0, 1.0, 2.0, 4.0)
"""Before each further try, as long as none brings a byte."""
PIECE_BYTES = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


class NotHereError(LocalError):
    """The source has no such model, or cannot be reached: other urls may do."""


def base_of(name: OllamaName, parameters: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """The address of the registry that a name means.

    ``OLLAMA_REGISTRY`` stands for Ollama's own and ``HF_ENDPOINT`` for the hub: mirrors, and servers of tests.
    """
    variable = "OLLAMA_REGISTRY" if name.host == DEFAULT_HOST else "HF_ENDPOINT" if name.host in HUB_HOSTS else ""
    if not (address := environment.get(variable, "")):
        insecure = parameters.get("insecure", "").lower() == "true"
        address = f"{'http' if insecure else 'https'}://{name.host}"
    return without_login(address)


def manifest_url(base: str, name: OllamaName) -> str:
    """Where a registry answers with what is behind a name."""
    return f"{base}/v2/{name.namespace}/{name.model}/manifests/{name.tag}"


def refusal_of(name: OllamaName, status: int) -> str:
    """What a registry's status means, in one sentence that begins as Ollama's own does."""
    registry = "Ollama's registry" if name.host == DEFAULT_HOST else name.host
    if status == 404:
        return f'pull model manifest: file does not exist. {registry} has no model "{name}".'
    if status == 412:
        return f'pull model manifest: 412. "{name}" needs an Ollama newer than what this machine can do.'
    if status in (401, 403):
        return f'pull model manifest: {status}. {registry} wants a login for "{name}", and none is sent from here.'
    return f'pull model manifest: {status}. {registry} did not answer for "{name}" as it should.'


def from_registry(source: Source, cache: Path, *, doubted: bool) -> Path:
    """The manifest of a model whose files lie beside it, in a store that has them or in ours, once they are pulled."""
    name = parse_name(source.reference)
    for store in stores(cache, os.environ):
        if manifest := store.manifest(name):
            sizes = {layer.digest: layer.bytes for layer in manifest.used}
            files = store.files(manifest)
            if whole(store.seal(cache, name), files, manifest.sums, sizes=sizes, doubted=doubted):
                return store.manifest_path(name)
            if store.ours:
                for layer in manifest.used:
                    _drop_damaged(layer, files[layer.digest])
    if source.parameters.get("pull", "").lower() == "false":
        raise NotHereError(f'"{name}" is not on this machine, and pull=false in its url keeps it from being fetched.')
    return _Registry(name, base_of(name, source.parameters, os.environ)).pull(OllamaStore(cache / "ollama"), cache)


class _Registry:
    """One name at one registry."""

    def __init__(self, name: OllamaName, base: str) -> None:
        self._name = name
        self._base = base

    def pull(self, store: OllamaStore, cache: Path) -> Path:
        """Everything behind the name into a store; the manifest last, so that what it names is there."""
        text, manifest = self._manifest()
        if why := manifest.refusal(str(self._name)):
            raise LocalError(why)
        files = store.files(manifest)
        missing = [layer for layer in manifest.used if not _is_whole(layer, files[layer.digest])]
        for layer in missing:
            _drop_damaged(layer, files[layer.digest])
        check_room(store.root / "blobs", name=str(self._name), needed=missing_bytes(store, manifest))
        total = sum(layer.bytes for layer in missing)
        with reporting(lambda: total - missing_bytes(store, manifest), total=total):
            for layer in missing:
                with FileLock(f"{files[layer.digest]}.lock"):
                    if not _is_whole(layer, files[layer.digest]):
                        self._fetch(layer, files[layer.digest])
        path = store.manifest_path(self._name)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(text)
        fresh.replace(path)
        store.seal(cache, self._name).write(files, manifest.sums)
        return path

    def _manifest(self) -> tuple[bytes, Manifest]:
        try:
            text = read(manifest_url(self._base, self._name), seconds=SECONDS, headers={"Accept": MANIFEST_TYPE})
            return text, manifest_of(text)
        except urllib.error.HTTPError as error:
            raise NotHereError(refusal_of(self._name, error.code)) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        except ValueError as error:
            raise LocalError(f'{self._base} answers for "{self._name}" with something that is no manifest.') from error

    def _fetch(self, layer: Layer, target: Path) -> None:
        """One file, with its sha256; one that arrives with another is fetched once more."""
        part = _partial(target)
        for last in (False, True):
            self._receive(layer, part)
            if (checksum := sha256_of(part)) == layer.sha256:
                part.replace(target)
                return
            part.unlink()
            why = f"sha256 {checksum[:12]} arrived instead of {layer.sha256[:12]}"
            if last:
                raise LocalError(f'"{self._name}" did not arrive as its registry lists it: {why}, twice. Try again.')
            tell(damaged=why)

    def _receive(self, layer: Layer, part: Path) -> None:
        """All bytes of a file, from where they broke off, in as many tries as bring some."""
        if before := _size(part):
            tell(note=f'"{self._name}" goes on after {before / 1e6:.0f} MB that were here.')
        tries = 0
        while (size := _size(part)) < layer.bytes:
            try:
                self._append(layer, part)
                why: Exception | None = None
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code not in (408, 429):
                    raise NotHereError(refusal_of(self._name, error.code)) from error
                why = error
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, OSError) and error.errno in _FULL:
                    raise full(part.parent, name=str(self._name), needed=layer.bytes - _size(part)) from error
                why = error
            if _size(part) > size:
                tries = 0
            elif tries == len(PAUSES_SECONDS):
                raise self._unreachable(why)
            if _size(part) < layer.bytes:
                tell(note=f'The download of "{self._name}" broke off after {_size(part) / 1e6:.0f} MB and goes on.')
                time.sleep(PAUSES_SECONDS[tries])
                tries += 1

    def _append(self, layer: Layer, part: Path) -> None:
        """What one connection brings."""
        size = _size(part)
        url = f"{self._base}/v2/{self._name.namespace}/{self._name.model}/blobs/{layer.digest}"
        headers = {"Range": f"bytes={size}-"} if size else {}
        with opened(url, seconds=SECONDS, headers=headers) as answer, part.open("ab") as file:
            if size and answer.status != http.client.PARTIAL_CONTENT:
                # A server that knows no ranges sends all of it again.
                file.truncate(0)
                file.seek(0)
            while piece := answer.read1(PIECE_BYTES):
                if file.tell() + len(piece) > layer.bytes:
                    raise LocalError(f'A file of "{self._name}" is larger than its registry lists it. Try again.')
                file.write(piece)

    def _unreachable(self, error: Exception | None) -> NotHereError:
        where = "Ollama's registry" if self._name.host == DEFAULT_HOST else self._base
        why = getattr(error, "reason", None) or error or "the connection breaks off again and again"
        return NotHereError(f'Could not reach {where} to fetch "{self._name}": {one_line(str(why), 200)}.')


def missing_bytes(store: OllamaStore, manifest: Manifest) -> int:
    """What has yet to arrive of a model."""
    files = {store.blob(layer.file): layer.bytes for layer in manifest.used}
    return sum(size - _size(_partial(path)) for path, size in files.items() if not path.is_file())


def _is_whole(layer: Layer, path: Path) -> bool:
    """Whether a file lies here with its sha256, whoever put it there."""
    return path.is_file() and sha256_of(path) == layer.sha256


def _drop_damaged(layer: Layer, path: Path) -> None:
    """Delete a file that has another sha256, so that its room counts as free.

    Another pull may put a whole one there between a look and the deletion, so both are done under the lock; one that
    holds it is left alone.
    """
    with suppress(Timeout):
        if path.is_file():
            with FileLock(f"{path}.lock", timeout=0):
                if not _is_whole(layer, path):
                    path.unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}-partial")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
