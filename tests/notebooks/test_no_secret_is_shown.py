"""No secret's value stands in a saved notebook, a repr, YAML, an error, a log or the process list."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from pydantic import SecretStr

if TYPE_CHECKING:
    from kubeai_notebook.session.session import Session

VALUE = "hf_Zq7TestValueThatNobodyMaySee"
"""Made for this test; looked for everywhere afterwards."""

# Each cell shows something of a Model that was given the value, in a way that a user would.
CELLS = (
    "%load_ext kubeai_notebook\n%config KubeAI.context = 'local'",
    "import os\nfrom pydantic import SecretStr\nimport kubeai_notebook as kubeai\n"
    "token = SecretStr(os.environ['HUSH'])",
    "url = 'ollama://smollm2:135m'\nmodel = kubeai.serve(name='hush', url=url, secrets={'MY_TOKEN': token})\nmodel",
    "model.wait(90)",
    "print(repr(model), model.spec, model.yaml, model.report(), model.logs(), model.events().to_string())",
    "print(repr(model.session.plan(name='hush', url=url, secrets={'MY_TOKEN': token}, args=['--max-model-len=64'])))",
    "kubeai.serve(name='hush', url=url, secrets={'MY_TOKEN': os.environ['HUSH']})",
    "kubeai.serve(name='hush', url=url, secrets=[os.environ['HUSH'], token])",
    "kubeai.serve(name='hush', url=url, secrets={'MY_TOKEN': token}, max_replicas=os.environ['HUSH'])",
    "kubeai.serve(name='hush', url=url, api_key=os.environ['HUSH'])",
    "kubeai.serve(name='hush', url=url, args=['--api-key=' + os.environ['HUSH'], '--no-such-argument=1']).wait(30)",
    "kubeai.serve(name='hush', url=url, args=['--api-key', os.environ['HUSH'][::-1],"
    " '--again=' + os.environ['HUSH'][::-1]], env={'LEVEL': os.environ['HUSH'],"
    " 'DB_PASS': os.environ['HUSH'][::-1]}).wait(60).note",
    "print(model.report(), model.spec, model.logs(), *[line for line, _ in zip(model.follow_logs(), range(5))])",
    "%kubeai_logs hush",
    "model.why(), model.findings, model.view, model.status, model.spec, model.report()",
    "%kubeai_models",
    "model.delete()",
)


@pytest.fixture
def executed(daemon: str, tmp_path: Path) -> nbformat.NotebookNode:
    """The notebook after all cells ran, errors included."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    client = NotebookClient(notebook, timeout=200, allow_errors=True)
    client.extra_arguments = ["--log-level=ERROR"]
    client.execute(env={**os.environ, "HUSH": VALUE})
    nbformat.write(notebook, tmp_path / "saved.ipynb")
    return notebook


def test_shows_no_value_anywhere(executed: nbformat.NotebookNode, tmp_path: Path, daemon: str) -> None:
    shown = [str(cell.outputs) for cell in executed.cells]
    assert "Ready 1/1" in shown[4]
    assert ["SpecError" in text for text in shown[6:10]] == [True] * 4
    guilty = [CELLS[number] for number, text in enumerate(shown) if VALUE in text or VALUE[::-1] in text]
    assert guilty == []
    assert VALUE not in (tmp_path / "saved.ipynb").read_text()
    home = Path(os.environ["KUBEAI_LOCAL_HOME"])
    logs = [path for path in home.rglob("*") if path.is_file() and path.suffix in (".log", ".txt")]
    assert [path.name for path in logs if VALUE in path.read_text(errors="replace")] == []


def test_keeps_the_value_out_of_the_process_list(session: Session) -> None:
    session.serve(name="hush2", url="ollama://smollm2:135m", secrets={"MY_TOKEN": SecretStr(VALUE)}).wait(90)
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True).stdout
    assert VALUE not in listed
