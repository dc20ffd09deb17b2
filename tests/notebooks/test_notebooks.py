"""Every notebook that needs no cluster runs as a user runs it: from top to bottom, in a fresh kernel."""

import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SHOWN = {
    "00_tour": ["Paris", "smol (default on this machine) Deleted"],
    "01_seed": [
        "Project('guide')",
        "Function('llm', kubeai-text, ollama://smollm2:135m)",
        "' Paris.",
        "' Rome.",
        "a kitten     0.7",
        'SpecError: The project "guide" has no secret "API_KY". Did you mean "API_KEY"?',
        'There is no resource profile "1xa100"',
        "STOPPED",
    ],
}
"""What a reader of each notebook sees."""


@pytest.mark.parametrize("name", SHOWN)
def test_runs_from_top_to_bottom(name: str, daemon: str) -> None:
    done = subprocess.run(
        [sys.executable, NOTEBOOKS / "run.py", NOTEBOOKS / f"{name}.ipynb"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    for sentence in SHOWN[name]:
        assert sentence in done.stdout
    assert "make lab" in done.stdout
    assert done.stderr == ""


def test_tests_every_notebook_that_needs_no_cluster() -> None:
    assert [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))] == list(SHOWN)
