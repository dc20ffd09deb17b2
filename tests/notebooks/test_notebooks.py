"""Every notebook that needs no cluster runs as a user runs it: from top to bottom, in a fresh kernel."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from kubeai_notebook.session.session import Session

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SHOWN = {
    "00_tour": ["Paris", "tour (on this machine) Deleted"],
    "01_seed": [
        "Project('tour')",
        "Function('llm', kubeai-text, ollama://smollm2:135m)",
        "' Paris.",
        "' Rome.",
        "a kitten     0.7",
        'The project "tour" has no secret "API_KY". Did you mean "API_KEY"?',
        'There is no resource profile "1xa100"',
        "STOPPED",
    ],
    "02_dataframes": [
        "tour-text: 4 of 4 rows, 1 failed",
        "text is missing in this row; nothing was sent.",
        "about_food",
        "Friendly people, and the best bread in town.",
        "tour-vectors (on this machine) Deleted",
    ],
}
"""What a reader of each notebook sees."""


def check(name: str) -> None:
    """Run it as a user does, and see what its reader sees."""
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


def run_begin(name: str, cells: int) -> None:
    """Run the first code cells only, and end the kernel."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"][:cells]
    client = NotebookClient(notebook, timeout=200)
    client.extra_arguments = ["--log-level=ERROR"]
    client.execute()


@pytest.mark.parametrize("name", SHOWN)
def test_runs_from_top_to_bottom_and_again(name: str, daemon: str) -> None:
    check(name)
    check(name)


@pytest.mark.parametrize(("name", "cells"), [("00_tour", 12), ("01_seed", 5), ("02_dataframes", 5)])
def test_runs_after_a_kernel_that_ended_in_the_middle(name: str, cells: int, session: Session) -> None:
    run_begin(name, cells)
    assert session.publisher.names()
    check(name)


URL = "ollama://smollm2:135m"
STATES = {
    "paused": lambda tour, lost: (tour.pause(), lost.pause()),
    "scaled": lambda tour, lost: (tour.scale(3), lost.scale(0)),
    "failed": lambda tour, lost: (
        tour.session.serve(name="tour", url=URL, args=["--max-model-len=-5"], env={"A": "1"}),
        lost.session.serve(name="tour-lost", url=URL).wait(60),
    ),
}
"""What may have become of the Models of a tour that was not run to its end."""


@pytest.mark.parametrize("state", STATES)
def test_runs_whatever_became_of_its_models(state: str, session: Session) -> None:
    tour = session.serve(name="tour", url=URL)
    lost = session.serve(name="tour-lost", url=URL, resource_profile="cpus", force=True)
    STATES[state](tour, lost)
    check("00_tour")


@pytest.mark.parametrize("name", SHOWN)
def test_uses_names_that_are_its_own(name: str) -> None:
    """A notebook deletes its Models in the end: none that a reader of the README has made may be among them."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    ends = r'%kubeai_delete (.+)|get_or_create_project\("(.+?)"\)'
    matches = re.finditer(ends, "\n".join(cell.source for cell in cells))
    deleted = [word for match in matches for word in (match[1] or match[2]).split()]
    assert deleted
    assert [word for word in deleted if not word.startswith("tour")] == []


def test_tests_every_notebook_that_needs_no_cluster() -> None:
    assert [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))] == list(SHOWN)
