"""Fetches weights from the Hugging Face Hub or an S3 store, in a process of its own: it can be ended at any moment.

Run as ``… fetch_worker URL model|adapter PART``; writes JSON lines: ``{"done", "total"}`` as it goes, and at its
end ``{"path"}`` or ``{"error"}``. Credentials and endpoints come by the environment, as in a Pod.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kubeai_notebook.core.source import parse_source
from kubeai_notebook.errors import KubeAIError, LocalError

from .download import room_sentence
from .engines import bert_gguf, lora_gguf

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

POOLING = "1_Pooling/config.json"
LOOK_SECONDS = 0.3


def main() -> int:
    """Fetch, and say how it ended."""
    url, kind, part = sys.argv[1:]
    source = parse_source(url)
    try:
        if source.scheme == "hf":
            path = _from_hub(source.reference, kind)
        else:
            path = _from_s3(source.reference, kind, part=Path(part))
    except KubeAIError as error:
        _tell(error=str(error))
    except Exception as error:  # noqa: BLE001  (outermost frame of this process: the Pod's log shows it)
        text = " ".join(str(error).split())
        _tell(error=f'Could not fetch "{url}": {type(error).__name__}: {text}')
        return 1
    else:
        _tell(path=str(path))
        return 0
    return 1


def wanted(names: Collection[str], kind: str, *, where: str) -> list[str]:
    """Which files of a repository or folder llama.cpp can use: one GGUF file, or all of a convertible model's.

    Raises:
        LocalError: none, or several to choose from.
    """
    files = sorted(name for name in names if name.endswith(".gguf"))
    if len(files) == 1:
        return files
    whole = lora_gguf.FILES if kind == "adapter" else bert_gguf.FILES
    if all(name in names for name in whole):
        return [*whole, *([POOLING] if kind == "model" and POOLING in names else [])]
    if files:
        raise LocalError(f"{where} holds {len(files)} .gguf files.", f"Name one: {where}/{files[0]}.")
    needs = "the files of a LoRA adapter" if kind == "adapter" else ".gguf file"
    raise LocalError(f"{where} holds no {needs}, and llama.cpp, which stands in here, loads nothing else.")


def _from_hub(reference: str, kind: str) -> Path:
    """Into the hub's own cache, which other tools share; what is there already is not asked for again."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository, where = "/".join(reference.split("/")[:2]), f"hf://{'/'.join(reference.split('/')[:2])}"
    file = reference.removeprefix(repository).strip("/")
    token = os.environ.get("HF_TOKEN") or False
    try:
        folder = Path(huggingface_hub.snapshot_download(repository, local_files_only=True))
        present = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
        return _one([folder / name for name in ([file] if file in present else wanted(present, kind, where=where))])
    except (LocalEntryNotFoundError, LocalError):
        pass
    info = huggingface_hub.HfApi(token=token).model_info(repository, files_metadata=True)
    found = {item.rfilename: item for item in info.siblings or ()}
    names = [file] if file else wanted(found, kind, where=where)
    store = Path(huggingface_hub.constants.HF_HUB_CACHE)
    sizes = {name: found[name].size or 0 for name in names if name in found}
    blobs = store / f"models--{repository.replace('/', '--')}" / "blobs"
    paths = []
    with _watched(blobs, name=repository, total=sum(sizes.values()), store=store):
        for name in names:
            path = Path(huggingface_hub.hf_hub_download(repository, name, token=token))
            large = getattr(found.get(name), "lfs", None)
            if large and _sha256(path) != large.sha256:
                path.resolve().unlink()
                raise LocalError(f"{where}/{name} did not arrive as it is on the hub: another sha256. Try again.")
            paths.append(path)
    return _one(paths)


def _from_s3(reference: str, kind: str, *, part: Path) -> Path:
    """Into a folder beside ``part``, moved there when it is whole."""
    import boto3

    bucket, _, prefix = reference.partition("/")
    client = boto3.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    listed = {item["Key"]: item for page in pages for item in page.get("Contents", ())}
    inside = prefix.rstrip("/") + "/" if prefix else ""
    found = {key.removeprefix(inside): item for key, item in listed.items() if key.startswith(inside)}
    if prefix in listed:
        found = {prefix.rpartition("/")[2]: listed[prefix]}
    names = wanted(found, kind, where=f"s3://{reference}")
    # Another version of an object has another ETag, and so another place here.
    version = hashlib.sha256("".join(found[name]["Key"] + found[name]["ETag"] for name in names).encode())
    target = part.parent / f"s3-{version.hexdigest()[:16]}"
    if not target.exists():
        fresh = part / target.name
        total = sum(found[name]["Size"] for name in names)
        with _watched(part, name=f"s3://{reference}", total=total, store=part.parent):
            for name in names:
                path = fresh / name
                path.parent.mkdir(parents=True, exist_ok=True)
                client.download_file(bucket, found[name]["Key"], str(path))
        fresh.replace(target)
    return _one([target / name for name in names])


def _one(paths: list[Path]) -> Path:
    """The one file, or the folder that the first of several lies in."""
    return paths[0] if len(paths) == 1 else paths[0].parent


@contextmanager
def _watched(folder: Path, *, name: str, total: int, store: Path) -> Iterator[None]:
    """Check for room, tell how much has arrived below a folder, and explain a disk that fills up."""
    store.mkdir(parents=True, exist_ok=True)
    before, left = _bytes_below(folder), threading.Event()

    def check(needed: int) -> None:
        free = shutil.disk_usage(store).free
        if free < needed:
            raise LocalError(room_sentence(name, total, store, free=free))

    def look() -> None:
        while not left.wait(LOOK_SECONDS):
            _tell(done=max(0, min(_bytes_below(folder) - before, total)), total=total)

    check(total)
    threading.Thread(target=look, name="progress", daemon=True).start()
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            check(sys.maxsize)
        raise
    finally:
        left.set()
    _tell(done=total, total=total)


def _bytes_below(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        # A library renames its half files while we look.
        with suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tell(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
