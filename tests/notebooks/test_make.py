"""What `make demo` and `make lab` say and start."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tests.support.waiting import until

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
DOWNLOADS = "Collecting a>=1 (from b)\n  Downloading a-1.0-cp311-cp311-manylinux1_x86_64.whl (2.1 MB)\n"


@pytest.fixture
def step() -> ModuleType:
    spec = importlib.util.spec_from_file_location("step", ROOT / "notebooks" / "step.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_says_what_is_installed_and_that_it_goes_on(
    step: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The program waits until somebody opens the pipe; meanwhile it is not silent."""
    os.mkfifo(tmp_path / "pipe")
    program = f"print({DOWNLOADS!r}, flush=True); open({str(tmp_path / 'pipe')!r}).read(); print('Successfully done')"
    codes: list[int] = []
    command = [sys.executable, "-c", program]
    thread = threading.Thread(target=lambda: codes.append(step.main("Installing", command, silent_seconds=0.02)))
    thread.start()
    seen: list[str] = []

    def shown() -> str:
        seen.append(capfd.readouterr().out)
        return "".join(seen)

    until(lambda: "still at it: Downloading a-1.0 (2.1 MB)" in shown(), 20)
    (tmp_path / "pipe").write_text("")
    thread.join(20)
    assert codes == [0]
    assert "Successfully done" in shown()
    assert shown().rstrip().endswith("Installing: done")
    assert "Collecting" not in shown()


def test_shows_all_that_was_written_where_it_fails(step: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    assert step.main("Installing", [sys.executable, "-c", "print('ERROR: no such package'); raise SystemExit(3)"]) == 3
    written = capfd.readouterr()
    assert "ERROR: no such package" in written.err
    assert "Installing: failed" in written.out


@pytest.mark.parametrize(("uid", "is_root"), [("0", True), ("1000", False)])
def test_starts_the_lab_with_its_flags_and_as_root_only_as_root(uid: str, is_root: bool, tmp_path: Path) -> None:
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {uid}\n")
    (tmp_path / "id").chmod(0o755)
    environment: dict[str, Any] = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["make", "-n", "lab", f"VENV={tmp_path}/venv", "ARGS=--port 9999 --no-browser"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    started = next(line for line in done.stdout.splitlines() if line.startswith(f"{tmp_path}/venv/bin/jupyter lab"))
    assert started.endswith("--port 9999 --no-browser")
    assert ("--allow-root" in started) == is_root
    assert ("You are root" in done.stdout) == is_root


def test_prints_each_cell_of_the_demo_and_its_answer(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in ("x = 6", "print(7 * x)\nx")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "demo.ipynb")
    command = [sys.executable, str(ROOT / "notebooks" / "run.py"), str(tmp_path / "demo.ipynb")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.startswith("\n>>> x = 6\n\n>>> print(7 * x)\n>>> x\n42\n6\n")
    assert "kubeai-local stop" in printed
