"""Form and card in Notebook 7, which shares JupyterLab's parts but has a shell of its own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from .conftest import Lab, started_lab
from .notebook import Notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .installation import Installation

pytestmark = pytest.mark.browser

SERVE = "%load_ext kubeai_notebook\n%kubeai_serve smol --url ollama://smollm2:135m"
OPTIONS = ("--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0")
# Notebook 7.6 lets it fall with none of our extensions too.
ITS_OWN_ERROR = "Cannot read properties of undefined (reading 'schema')"


@pytest.fixture
def notebook7(installation: Installation, daemon_ends: None, tmp_path: Path) -> Iterator[Lab]:
    """Notebook 7 beside the JupyterLab of that environment, whose packages it shares."""
    folder = tmp_path / "notebook7"
    pip = [str(installation.folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"]
    got = subprocess.run(
        [*pip, "--target", str(folder), "notebook>=7.2,<8", "notebook_shim"],
        env=installation.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if got.returncode:
        pytest.skip(f"Notebook 7 cannot be installed: {got.stderr.strip()[-300:]}")
    own = {"PYTHONPATH": folder, "JUPYTER_PATH": folder / "share" / "jupyter", "JUPYTER_RUNTIME_DIR": tmp_path / "run"}
    environment = {**installation.environment, **{name: str(value) for name, value in own.items()}}
    command = [str(installation.folder / "bin" / "python"), "-m", "notebook", *OPTIONS]
    command += [f"--ServerApp.root_dir={tmp_path}", "--JupyterNotebookApp.expose_app_in_browser=True"]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield started_lab(server, tmp_path / "run", tmp_path)
        finally:
            server.terminate()
            server.wait(timeout=30)
            installation.run("python", "-c", "import kubeai_notebook as k; k.delete('smol', missing_ok=True)")


def test_shows_form_and_card_and_reconnects_in_notebook_7(notebook7: Lab, browser: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    cells = [nbformat.v4.new_code_cell(source) for source in (SERVE, "%kubeai_form")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=cells), tmp_path / "a.ipynb")
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{notebook7.url}notebooks/a.ipynb?token={notebook7.token}")
    notebook = Notebook(page, tmp_path)
    notebook.wait()

    card = notebook.run_cell(0).locator(".kubeai-card")
    expect(card.locator(".kubeai-card-word")).to_have_text("Ready", timeout=90_000)
    expect(notebook.output(0).locator(".kubeai-snapshot")).to_be_hidden()
    form = notebook.run_cell(1).locator(".kubeai-form")
    expect(form).to_contain_text("A Model needs a url.")
    form.get_by_label("Model url").fill("ollama://smollm2:135m")
    expect(form).not_to_contain_text("A Model needs a url.")
    notebook.picture("notebook7")

    notebook.restart_kernel()
    expect(card).to_contain_text("No longer followed")
    card.get_by_role("button", name="Reconnect to smol").click()
    expect(card.locator(".kubeai-card-fresh")).to_contain_text("Live", timeout=60_000)
    expect(card).to_have_count(1)
    notebook.picture("notebook7_reconnected")
    page.close()
    assert [error for error in errors if ITS_OWN_ERROR not in error] == []
