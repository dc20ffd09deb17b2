"""Every notebook that needs no cluster runs as a user runs it: from top to bottom, in a fresh kernel."""

import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.mark.parametrize("name", ["00_tour"])
def test_runs_from_top_to_bottom(name: str, daemon: str) -> None:
    done = subprocess.run(
        [sys.executable, NOTEBOOKS / "run.py", NOTEBOOKS / f"{name}.ipynb"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Paris" in done.stdout
    assert "smol (default) Deleted" in done.stdout
    assert "make lab" in done.stdout
    assert done.stderr == ""


def test_tests_every_notebook_that_needs_no_cluster() -> None:
    assert [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))] == ["00_tour"]
