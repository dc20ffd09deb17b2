"""Stores as ``ollama`` keeps them: its own, which is read and never written, and ours, of the same shape."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.ollama_names import Manifest, OllamaName, manifest_of, parse_name

from .records import key_of
from .seals import Seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_BYTES = 1 << 20
"""Of a manifest."""
_SERVICE = Path("/usr/share/ollama/.ollama/models")


@dataclass(frozen=True, slots=True)
class OllamaStore:
    """A folder with ``manifests/<host>/<namespace>/<model>/<tag>`` and ``blobs/sha256-<hex>``."""

    root: Path
    ours: bool = False
    """Whether it may be written."""

    def manifest_path(self, name: OllamaName) -> Path:
        """Where the manifest behind a name lies, or would lie."""
        return self.root.joinpath("manifests", *name.folders)

    def blob(self, file: str) -> Path:
        """Where a layer lies, or would lie."""
        return self.root / "blobs" / file

    def manifest(self, name: OllamaName) -> Manifest | None:
        """What a name means here; None where it means nothing that llama.cpp can load, or a layer is missing."""
        with suppress(OSError, ValueError):
            manifest = manifest_of(_regular(self.manifest_path(name)))
            if not manifest.refusal("") and all(self.blob(layer.file).is_file() for layer in manifest.used):
                return manifest
        return None

    def files(self, manifest: Manifest) -> dict[str, Path]:
        """The files of a manifest, by digest."""
        return {layer.digest: self.blob(layer.file) for layer in manifest.used}

    def names(self) -> Iterator[OllamaName]:
        """Every name that means something here."""
        root = self.root / "manifests"
        with suppress(OSError):
            for path in sorted(root.glob("*/*/*/*")):
                with suppress(LocalError):
                    host, namespace, model, tag = path.relative_to(root).parts
                    yield parse_name(f"{host}/{namespace}/{model}:{tag}")

    def seal(self, cache: Path, name: OllamaName) -> Seal:
        """What is known of the files behind a name; kept in the cache, whosever the store is."""
        return Seal(cache, f"ollama-{key_of(str(name), str(self.root))}")


def _regular(path: Path) -> bytes:
    """A manifest; in another's store a pipe or a device may lie in its place. OSError, ValueError where it is none."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise ValueError("it is no file")
        text = opened.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise ValueError("it is too long for a manifest")
    return text


def stores(cache: Path, environment: Mapping[str, str]) -> tuple[OllamaStore, ...]:
    """Ours, the user's and the service's, in the order in which they are asked."""
    home = Path(environment.get("HOME") or Path.home())
    users = Path(environment.get("OLLAMA_MODELS") or home / ".ollama" / "models")
    return OllamaStore(cache / "ollama", ours=True), OllamaStore(users), OllamaStore(_SERVICE)


def stored(cache: Path, name: OllamaName, environment: Mapping[str, str]) -> Path | None:
    """The manifest behind a name, where a store has it and its files have not changed since they were checked."""
    for store in stores(cache, environment):
        manifest = store.manifest(name)
        if manifest and store.seal(cache, name).is_fresh(store.files(manifest)):
            return store.manifest_path(name)
    return None
