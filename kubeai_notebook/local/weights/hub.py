"""Weights from the hub, into its own cache, which other tools share; what is whole there is not asked for again."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.weight_files import Choice, HubName, hub_name, size_of, usable_files
from kubeai_notebook.text import one_line

from .convert import converted
from .kept_files import below, place_of, whole
from .progress import no_larger, tell, watched
from .records import Record, key_of, record_of
from .seals import Seal, sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.source import Source

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class _Listing:
    """What a repository holds: bytes by file, sha256 by large file, and the model's type as the hub knows it."""

    sizes: Mapping[str, int]
    sums: Mapping[str, str]
    model_type: str | None = None


def from_hub(source: Source, kind: str, *, part: Path, doubted: bool, memory_bytes: float) -> Path:
    """The file or folder of a repository that llama.cpp can use; LocalError when it has none."""
    from huggingface_hub.constants import HF_HUB_CACHE

    cache = part.parent
    seal = Seal(cache, f"hub-{key_of(source, kind)}")
    kept = record_of(cache, source, kind)
    if kept and any(Path(kept.path).is_relative_to(folder) for folder in (cache, HF_HUB_CACHE)):
        files = {name: Path(path) for name, path in kept.files.items()}
        if whole(seal, files, _sums_of_cache(files), sizes={}, doubted=doubted):
            return Path(kept.path)
        for path in files.values():
            path.resolve().unlink(missing_ok=True)
            path.unlink(missing_ok=True)
    name = hub_name(source.reference)
    where = f"hf://{name.repository}"
    listing = _listing(name.repository)
    options: dict[str, Any] = {"wanted": name, "memory_bytes": memory_bytes, "model_type": listing.model_type}
    choice = usable_files(listing.sizes, kind, where=where, **options)
    if choice.note:
        tell(note=choice.note)
    files = _downloaded(name, choice, listing)
    path = files[choice.files[0]] if choice.form == "gguf" else place_of(list(files.values()))
    if choice.form == "safetensors":
        version = hashlib.sha256("".join(sorted(str(path) for path in files.values())).encode()).hexdigest()[:16]
        path = converted(files, cache / f"converted-{version}.gguf", where=where, part=part)
        files = {path.name: path}
    seal.write(files)
    title = choice.files[0] if choice.form == "gguf" else name.repository
    Record(source, kind, str(path), title, {file: str(place) for file, place in files.items()}).write(cache)
    return path


def _listing(repository: str) -> _Listing:
    """Ask the hub; where it cannot be reached, what its cache holds."""
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    token = os.environ.get("HF_TOKEN") or False
    try:
        info = huggingface_hub.HfApi(token=token).model_info(repository, files_metadata=True)
    except (HfHubHTTPError, HFValidationError):
        raise
    except Exception:  # (whatever the hub's library raises of the network)
        try:
            folder = Path(huggingface_hub.snapshot_download(repository, local_files_only=True))
        except LocalEntryNotFoundError:
            folder = None
        if folder is None:
            raise
        files = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
        return _Listing(files, {})
    siblings = {item.rfilename: item for item in info.siblings or ()}
    sums = {name: item.lfs.sha256 for name, item in siblings.items() if item.lfs}
    settings = info.config if isinstance(info.config, dict) else {}
    return _Listing(
        {name: size_of(item.size or 0) for name, item in siblings.items()}, sums, settings.get("model_type")
    )


def _downloaded(name: HubName, choice: Choice, listing: _Listing) -> dict[str, Path]:
    import huggingface_hub

    token = os.environ.get("HF_TOKEN") or False
    where = f"hf://{name.repository}"
    kept = Path(huggingface_hub.constants.HF_HUB_CACHE) / f"models--{name.repository.replace('/', '--')}"
    below(kept / "snapshots" / "any", choice.files, where=where)
    _check_names_of_hub()
    paths = {}
    with watched(kept / "blobs", name=name.repository, total=choice.bytes):
        for file in choice.files:
            refusal = LocalError(f"{where}/{file} is larger than the hub lists it. Try again.")
            with no_larger(listing.sizes.get(file, 0), refusal):
                path = Path(huggingface_hub.hf_hub_download(name.repository, file, token=token))
            below(kept, [str(path)], where=where)
            expected = listing.sums.get(file)
            if expected and sha256_of(path) != expected:
                path.resolve().unlink()
                raise LocalError(f"{where}/{file} did not arrive as it is on the hub: another sha256. Try again.")
            paths[file] = path
    return paths


def checked_name(text: str | None, *, what: str) -> None:
    """LocalError when what a hub calls a version cannot be a file's name: its library makes a path of it."""
    if text is not None and not _PLAIN_NAME.fullmatch(text):
        raise LocalError(f'The hub calls {what} "{one_line(text, 100)}", which is no name for a file. Use another hub.')


def _check_names_of_hub() -> None:
    """Look at every answer before the hub's library, in this process of our own, makes paths of it."""
    from huggingface_hub import file_download

    ask = file_download.get_hf_file_metadata

    def asked(*arguments: Any, **options: Any) -> Any:
        answer = ask(*arguments, **options)
        checked_name(answer.etag, what="a file's version")
        checked_name(answer.commit_hash, what="a commit")
        return answer

    file_download.get_hf_file_metadata = asked


def _sums_of_cache(files: Mapping[str, Path]) -> dict[str, str]:
    """The hub's cache calls a large file by its sha256."""
    blobs = {name: path.resolve().name for name, path in files.items()}
    return {name: blob for name, blob in blobs.items() if re.fullmatch(r"[0-9a-f]{64}", blob)}
