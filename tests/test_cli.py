"""The command line of ``kubeai-notebook``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat

from kubeai_notebook import cli

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

# Stands where JupyterLab stands, and says what it was started with.
JUPYTERLAB = "import sys\nprint(sys.argv[1:])\n"


def test_starts_jupyterlab_on_a_copy_of_the_tour_and_keeps_one_that_was_worked_in(tmp_path: Path) -> None:
    (tmp_path / "jupyterlab.py").write_text(JUPYTERLAB)
    folder = tmp_path / "my tour"
    command = [sys.executable, "-m", "kubeai_notebook.cli", "demo", str(folder), "--no-browser", "--port", "9999"]
    path = os.pathsep.join([str(tmp_path), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    copy = folder / cli.TOUR
    for word in (str(copy), f"--ServerApp.root_dir={folder}", "--no-browser", "--ServerApp.port=9999"):
        assert word in said
    # JupyterLab starts for root with it only.
    assert ("--allow-root" in said) == (os.geteuid() == 0)
    assert nbformat.read(copy, as_version=4).cells
    copy.write_text("mine")
    subprocess.run(command, env=environment, capture_output=True, check=True)
    assert copy.read_text() == "mine"


def test_says_in_a_sentence_what_the_demo_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setitem(cli.NEEDED, "no_such_module", "JupyterLab's friend")
    assert cli.main(["demo", str(tmp_path / "new")]) == 1
    said = capsys.readouterr().err
    assert said == "The demo needs JupyterLab's friend: pip install 'kubeai-notebook[demo]'\n"
    assert not (tmp_path / "new").exists()


def test_is_run_again_with_its_extra_by_the_uv_that_ran_it_without_and_only_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    uv = tmp_path / "uv"
    uv.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\nsys.exit(7)\n")
    uv.chmod(0o755)
    monkeypatch.setenv("UV", str(uv))
    monkeypatch.setitem(cli.NEEDED, "no_such_module", "JupyterLab's friend")
    assert cli.main(["demo", str(tmp_path / "new"), "--no-browser"]) == 7
    said = capfd.readouterr()
    tool, run, _, python, _, requirement, *command = json.loads(said.out)
    assert (tool, run, python) == ("tool", "run", sys.base_prefix)
    assert requirement.startswith(("kubeai-notebook[demo] @ file://", "kubeai-notebook[demo]=="))
    assert said.err == "The demo needs JupyterLab's friend, which uv fetches.\n"
    assert cli.main(command[1:]) == 1
    assert "pip install 'kubeai-notebook[demo]'" in capfd.readouterr().err
