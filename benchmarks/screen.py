"""From a change of the API to the phase on the screen, in JupyterLab with a live table of fifty Models and a card.

``python benchmarks/screen.py``; the exit code is 1 when a bar is missed. No engine runs: the API is the tests' own, and
a change is a Pod that becomes ready or stops to be. Page and API share a machine and so a clock. Needs Chromium.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from serve import HERE, missed, p95, row

sys.path.insert(0, str(HERE.parent))

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM_FLAGS, started_lab
from tests.browser.notebook import Notebook
from tests.browser.test_models_table import COUNT, connected_to, put_models
from tests.support.fake_api import PODS, FakeApi, kubeconfig, pod

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGES, HANDLED = 60, 40
NAME = "m07"
# When each text of a part was first seen, on the page's clock.
WATCH = """node => {
  const seen = window.seen = [];
  new MutationObserver(() => seen.push([Date.now(), node.textContent]))
    .observe(node, { characterData: true, childList: true, subtree: true });
}"""
SINCE = "([begin, text]) => window.seen.find(([at, word]) => at >= begin && word === text)?.[0]"
HANDLER = f"""
import json, time
from kubeai_notebook.views.live import follow
card = follow(kubeai_notebook.attach({NAME!r}))
took = []
for number in range({HANDLED}):
    content = {{"verb": "idle", "id": f"b-{{number}}", "replicas": number}}
    began = time.perf_counter()
    card._handle_custom_msg(content, [])
    took.append(1_000 * (time.perf_counter() - began))
print(json.dumps(took))
"""


def main() -> int:
    """Print the two figures; 1 when one is over its bar."""
    with tempfile.TemporaryDirectory() as home, FakeApi().in_thread() as api:
        put_models(api, COUNT)
        cells = (connected_to(kubeconfig(api, Path(home))), f"import kubeai_notebook\n%kubeai_attach {NAME}", HANDLER)
        on_page(Path(home), cells, lambda notebook: measure(notebook, api))
    return int(bool(missed))


def on_page(
    home: Path, cells: tuple[str, ...], work: Callable[[Notebook], None], flags: list[str] = CHROMIUM_FLAGS
) -> None:
    """Do something in a notebook that a JupyterLab of our own has open."""
    root = home / "root"
    root.mkdir()
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=list(map(nbformat.v4.new_code_cell, cells)))
    nbformat.write(book, root / "screen.ipynb")
    folders = {f"JUPYTER_{what.upper()}_DIR": str(home / what) for what in ("config", "data", "runtime")}
    settings = {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(home / "spaces")}
    command = [str(Path(sys.executable).with_name("jupyter-lab")), "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={root}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    environment = {**os.environ, **folders, **settings, "HOME": str(home), "PYTHONPATH": str(HERE.parent)}
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, cwd=home, stdout=log, stderr=subprocess.STDOUT)
        try:
            lab = started_lab(server, home / "runtime", root)
            with sync_playwright() as playwright:
                program = os.environ.get("KUBEAI_TEST_BROWSER", "/usr/bin/chromium")
                browser = playwright.chromium.launch(executable_path=program, args=flags)
                page = browser.new_page(viewport={"width": 1200, "height": 2200})
                page.goto(f"{lab.url}lab/tree/screen.ipynb?reset&token={lab.token}")
                notebook = Notebook(page, home)
                notebook.wait()
                work(notebook)
                browser.close()
        finally:
            server.terminate()
            server.wait(timeout=30)


def measure(notebook: Notebook, api: FakeApi) -> None:
    """Both figures: on the screen, and how long the kernel's handler of a button has it."""
    table = notebook.run_cell(0)
    card = notebook.run_cell(1).locator(".kubeai-card")
    rows = table.locator("tbody tr").filter(has=notebook.page.get_by_role("rowheader", name=NAME, exact=True))
    for what, word in (("row", rows.locator("td span").nth(1)), ("card", card.locator(".kubeai-card-word"))):
        delays = on_screen(notebook.page, api, word)
        row(f"change → phase in the {what}, p95 of {CHANGES}", p95(delays), "ms", bar=250.0, beside="")
    handled = json.loads(notebook.run_cell(2).inner_text())
    row(f"a button's handler, p95 of {HANDLED}", p95(handled), "ms", bar=50.0, beside="")


def on_screen(page: Any, api: FakeApi, word: Any) -> list[float]:
    """Milliseconds from each change to the phase that it brings, one change after the other."""
    word.evaluate(WATCH)
    delays = []
    for number in range(CHANGES):
        ready = bool(number % 2)
        began = 1_000 * time.time()
        api.change(PODS, pod(f"model-{NAME}-1", NAME, ready=ready))
        seen = page.wait_for_function(SINCE, arg=[began, "Ready" if ready else "Loading"], polling=20)
        delays.append(seen.json_value() - began)
    return delays


if __name__ == "__main__":
    sys.exit(main())
