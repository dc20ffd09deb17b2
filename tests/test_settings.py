"""Settings that are no user's: how this machine's own KubeAI is started."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import kubeai_notebook
from kubeai_notebook import settings


def test_starts_this_very_package_from_a_folder_with_modules_of_others(tmp_path):
    for name in ("yaml", "kubeai_notebook", "argparse"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('planted')")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = settings.local_command("status", "--home", str(tmp_path / "home"))
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "kubeai-local is not running.\n"), done.stderr


def test_names_a_checkout_outright():
    root = Path(kubeai_notebook.__file__).parents[1]
    command = settings.local_command("start")
    assert "-P" in command
    assert root.name == "site-packages" or str(root) in command[3]
