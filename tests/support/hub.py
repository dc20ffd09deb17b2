"""A loopback hub that speaks as much of the hub's protocol as downloads, searches and verdicts need."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.http_server import Answer, Received, json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = "hf_secret"
_LARGE = (".gguf", ".safetensors")


class Hub:
    """Answers for ``repositories``: content by file by name; use it as ``HttpServer(Hub(...))``.

    Of a repository in ``gated`` nothing is sent without the token, and files in ``broken`` end half-way. ``sizes`` are
    what a file is said to hold, where a test wants none of that size; ``versions`` the ETag and commit of every file.
    """

    versions: tuple[str, str] | None = None

    def __init__(self, repositories: Mapping[str, Mapping[str, bytes]]) -> None:
        self.repositories = {name: dict(files) for name, files in repositories.items()}
        self.gated: set[str] = set()
        self.broken: set[str] = set()
        self.sizes: dict[str, int] = {}

    def __call__(self, request: Received) -> Answer:
        url = urlsplit(request.path)
        parts = unquote(url.path).strip("/").split("/")
        if parts == ["api", "models"]:
            return self._search(parse_qs(url.query))
        is_api = parts[:2] == ["api", "models"]
        name = "/".join(parts[2:4] if is_api else parts[:2])
        files = self.repositories.get(name)
        granted = request.headers.get("Authorization") == f"Bearer {SECRET}"
        if files is None or (name in self.gated and not granted):
            code = "RepoNotFound" if files is None else "GatedRepo"
            return json_answer({}, 404 if files is None else 401, X_Error_Code=code, X_Error_Message="no access")
        if is_api:
            return json_answer(self._facts(name, files))
        file = "/".join(parts[4:])
        if file not in files:
            return json_answer({}, 404, X_Error_Code="EntryNotFound", X_Error_Message="no such file")
        return self._file(name, files[file], request)

    def _facts(self, name: str, files: Mapping[str, bytes]) -> dict[str, Any]:
        siblings = [self._sibling(content, file) for file, content in files.items()]
        facts: dict[str, Any] = {"id": name, "modelId": name, "sha": "c" * 40, "siblings": siblings}
        with suppress(LookupError, ValueError):
            facts["config"] = {"model_type": json.loads(files["config.json"])["model_type"]}
        return facts

    def _sibling(self, content: bytes, file: str) -> dict[str, Any]:
        size = self.sizes.get(file, len(content))
        facts: dict[str, Any] = {"rfilename": file, "size": size, "blobId": "0"}
        large = {"sha256": hashlib.sha256(content).hexdigest(), "size": size, "pointerSize": 100}
        return facts | ({"lfs": large} if file.endswith(_LARGE) else {})

    def _file(self, name: str, content: bytes, request: Received) -> Answer:
        tag, commit = self.versions or (hashlib.sha256(content).hexdigest(), "c" * 40)
        headers = {"ETag": f'"{tag}"', "X-Repo-Commit": commit}
        half = len(content) // 2 if name in self.broken and request.method == "GET" else None
        if start := re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "")):
            where = {"Content-Range": f"bytes {start[1]}-{len(content) - 1}/{len(content)}"}
            return Answer(content[int(start[1]) :], 206, headers | where)
        return Answer(content, headers=headers, cut_after_bytes=half)

    def _search(self, query: Mapping[str, list[str]]) -> Answer:
        wanted = query.get("search", [""])[0].lower()
        named = [name for name in self.repositories if wanted in name.lower()]
        with_gguf = [name for name in named if any(file.endswith(".gguf") for file in self.repositories[name])]
        return json_answer([{"id": name} for name in (with_gguf if "gguf" in query.get("filter", ()) else named)])
