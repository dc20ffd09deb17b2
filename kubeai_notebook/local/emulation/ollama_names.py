"""What Ollama's names mean, and what a manifest of its registry says is behind one.

The registry speaks the protocol of container images: a name leads to a manifest, which lists layers by their sha256.
A store on disk has the same two things, so all that reads either stands here: the registry's client, the reader of an
``ollama`` that is on this machine, and llama.cpp's worker, which is given a manifest as its weights.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from kubeai_notebook.errors import LocalError

from .weight_files import size_of

DEFAULT_HOST = "registry.ollama.ai"
HUB_HOSTS = ("hf.co", "huggingface.co")
"""The hub answers for its GGUF repositories as a registry does; the tag is a quantization there."""
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_PREFIX = "application/vnd.ollama.image."
# No part begins with a full stop: the parts become folders.
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}(:[0-9]{1,5})?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class OllamaName:
    """``[host/][namespace/]model[:tag]``, completed with Ollama's defaults."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def folders(self) -> tuple[str, str, str, str]:
        """Where its manifest lies below a store's ``manifests``."""
        return self.host, self.namespace, self.model, self.tag

    def __str__(self) -> str:
        """The shortest spelling.

        >>> str(parse_name("registry.ollama.ai/library/llama3.2:latest"))
        'llama3.2'
        """
        host = "" if self.host == DEFAULT_HOST else f"{self.host}/"
        namespace = "" if not host and self.namespace == "library" else f"{self.namespace}/"
        return f"{host}{namespace}{self.model}" + ("" if self.tag == "latest" else f":{self.tag}")


def parse_name(reference: str) -> OllamaName:
    """Read a name as Ollama does.

    >>> parse_name("hf.co/org/repo-GGUF:Q4_K_M").namespace
    'org'

    Raises:
        LocalError: it is no name of Ollama's.
    """
    path, _, last = reference.rpartition("/")
    model, _, tag = last.partition(":")
    *before, namespace = path.split("/") if path else ["library"]
    host = "/".join(before) or DEFAULT_HOST
    name = OllamaName(host, namespace, model, tag or "latest")
    if not (_HOST.fullmatch(host) and all(_PART.fullmatch(part) for part in name.folders[1:])):
        raise LocalError(f'"{reference}" is no name of Ollama\'s.', "Write it as [host/][namespace/]model[:tag].")
    return name


@dataclass(frozen=True, slots=True)
class Layer:
    """One file behind a name: ``kind`` is what Ollama calls it, such as ``model`` or ``params``."""

    kind: str
    digest: str
    bytes: int

    @property
    def file(self) -> str:
        """Its name among a store's ``blobs``."""
        return self.digest.replace(":", "-")

    @property
    def sha256(self) -> str:
        """The checksum, in hexadecimal."""
        return self.digest.removeprefix("sha256:")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The layers behind a name."""

    layers: tuple[Layer, ...]

    def of(self, kind: str) -> tuple[Layer, ...]:
        """The layers of one kind."""
        return tuple(layer for layer in self.layers if layer.kind == kind)

    @property
    def used(self) -> tuple[Layer, ...]:
        """Those that llama.cpp takes: it has the chat template in the GGUF file itself."""
        return tuple(layer for kind in ("model", "params", "system") for layer in self.of(kind))

    @property
    def bytes(self) -> int:
        """What these take on disk."""
        return sum(layer.bytes for layer in self.used)

    @property
    def sums(self) -> dict[str, str]:
        """The checksums of these, by digest."""
        return {layer.digest: layer.sha256 for layer in self.used}

    def refusal(self, name: str) -> str | None:
        """Why llama.cpp cannot run what is behind this name, in one sentence; None where it can."""
        if len(self.of("model")) == 1 and not self.of("adapter"):
            return None
        if self.of("adapter"):
            return f'"{name}" is an adapter over other weights, which llama.cpp here does not put together.'
        if not self.of("model") and not self.of("tensor"):
            return f"\"{name}\" has no weights in Ollama's registry: it runs in Ollama's cloud only."
        return f'"{name}" is not one GGUF file, and llama.cpp, which runs models on this machine, loads nothing else.'


def manifest_of(text: bytes) -> Manifest:
    """Read a manifest. ValueError when it is none."""
    try:
        read = tuple(_layer(item) for item in json.loads(text)["layers"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("it is no manifest") from error
    if not all(_DIGEST.fullmatch(layer.digest) for layer in read):
        raise ValueError("a layer has no sha256")
    return Manifest(read)


def _layer(item: dict[str, object]) -> Layer:
    kind = str(item["mediaType"]).removeprefix(_PREFIX).partition(";")[0]
    return Layer(kind, str(item["digest"]), size_of(item["size"]))
