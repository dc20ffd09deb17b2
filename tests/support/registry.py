"""A loopback registry that speaks Ollama's protocol, and the host that it sends everybody to for the files.

The real one answers for a manifest itself and redirects each blob to another host, which knows ranges. Both are here,
so that a test sees what goes where. ``cut_after_bytes`` and ``wrong`` are faults, each of one answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from tests.support.http_server import Answer, HttpServer, Received, json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PREFIX = "application/vnd.ollama.image."
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_PATH = re.compile(r"/v2/(?P<name>[\w.-]+/[\w.-]+)/(?P<kind>manifests|blobs)/(?P<reference>[\w.:-]+)")


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def manifest_of(layers: Mapping[str, bytes]) -> dict[str, object]:
    """The manifest of files by Ollama's name for their kind."""
    config = b'{"model_format":"gguf"}'
    listed = [
        {"mediaType": PREFIX + kind, "digest": digest_of(content), "size": len(content)}
        for kind, content in layers.items()
    ]
    media = {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": digest_of(config)}
    return {"schemaVersion": 2, "mediaType": MANIFEST, "config": {**media, "size": len(config)}, "layers": listed}


class Registry:
    """Serves while it is entered; ``models`` are layers by ``namespace/name:tag``."""

    def __init__(self) -> None:
        self.models: dict[str, Mapping[str, bytes]] = {}
        self.statuses: dict[str, int] = {}
        """What a name is refused with."""
        self.cut_after_bytes: list[int] = []
        self.wrong = 0
        """How many files arrive with another first byte."""
        self.ranges = True
        self.refused_after: int | None = None
        """How many requests for files are answered, before all are refused."""
        self.registry = HttpServer(self._registered)
        self.files = HttpServer(self._sent)

    @property
    def address(self) -> str:
        return self.registry.address

    def add(self, name: str, **layers: bytes) -> None:
        self.models[name] = layers

    def __enter__(self) -> Registry:
        self.registry.start()
        self.files.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.registry.stop()
        self.files.stop()

    def _registered(self, request: Received) -> Answer:
        asked = _PATH.fullmatch(request.path)
        if asked is None:
            return Answer(status=404)
        name = f"{asked['name']}:{asked['reference']}"
        if asked["kind"] == "manifests":
            if status := self.statuses.get(name):
                return json_answer({"errors": [{"code": "DENIED"}]}, status)
            if name not in self.models:
                return json_answer({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, 404)
            if MANIFEST not in request.headers.get("Accept", ""):
                return Answer(status=406)
            return json_answer(manifest_of(self.models[name]))
        return Answer(status=307, headers={"Location": f"{self.files.address}/{asked['reference']}"})

    def _sent(self, request: Received) -> Answer:
        wanted = request.path.strip("/")
        contents = [content for layers in self.models.values() for content in layers.values()]
        content = next((content for content in contents if digest_of(content) == wanted), None)
        refused = self.refused_after is not None and len(self.files.received) > self.refused_after
        if content is None or refused:
            return Answer(status=404)
        if self.wrong:
            self.wrong -= 1
            content = b"X" + content[1:]
        start = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        cut = self.cut_after_bytes.pop(0) if self.cut_after_bytes else None
        if start and self.ranges:
            where = {"Content-Range": f"bytes {start[1]}-{len(content) - 1}/{len(content)}"}
            return Answer(content[int(start[1]) :], 206, where, cut_after_bytes=cut)
        return Answer(content, cut_after_bytes=cut)


def write_store(root: Path, name: str, layers: Mapping[str, bytes]) -> None:
    """A store as ``ollama`` keeps one, with one model ``host/namespace/model/tag``."""
    manifest = root / "manifests" / name
    manifest.parent.mkdir(parents=True)
    (root / "blobs").mkdir(exist_ok=True)
    manifest.write_text(json.dumps(manifest_of(layers)))
    for content in layers.values():
        (root / "blobs" / digest_of(content).replace(":", "-")).write_bytes(content)
