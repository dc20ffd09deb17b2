"""What users get: the wheel, installed into an environment of its own, far from the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.wheel import built_in

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Installation:
    """A virtual environment with the wheel, its ``[demo]`` extra and JupyterLab; ``home`` is its user's."""

    folder: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """Neither settings nor kernels nor the cluster of this machine's user take part."""
        folders = {
            "HOME": "",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "KUBEAI_LOCAL_HOME": "local",
        }
        own = {name: str(self.home / folder) for name, folder in folders.items()}
        foreign = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "JUPYTER_PATH")
        kept = {name: value for name, value in os.environ.items() if name not in foreign}
        path = os.pathsep.join([str(self.folder / "bin"), os.environ.get("PATH", os.defpath)])
        return {**kept, **own, "PATH": path}

    def run(self, program: str, *words: str, **variables: str) -> str:
        """What a program of this environment says, with these variables beside it; the test fails when it does."""
        command, given = [str(self.folder / "bin" / program), *words], {**self.environment, **variables}
        done = subprocess.run(command, env=given, cwd=self.home, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"{program} {' '.join(words)}: {done.stderr[-2000:]}")
        return done.stdout

    def processes(self) -> list[str]:
        """The command lines of its daemon and its engines."""
        listed = subprocess.run(["ps", "-A", "-ww", "-o", "stat=,args="], capture_output=True, text=True, check=True)
        own = [line for line in listed.stdout.splitlines() if str(self.folder) in line and "kubeai_notebook" in line]
        return [line for line in own if not line.startswith("Z")]


def install(folder: Path) -> Installation:
    """Build the wheel of the working tree and install it."""
    installation = Installation(folder / "venv", folder / "home")
    installation.home.mkdir()
    wheel = built_in(folder)
    subprocess.run([sys.executable, "-m", "venv", str(installation.folder)], check=True)
    # Compiling everything would take longer than compiling what is imported.
    pip = ("-m", "pip", "install", "--quiet", "--no-compile")
    installation.run("python", *pip, f"{wheel}[demo]", "jupyterlab")
    return installation
