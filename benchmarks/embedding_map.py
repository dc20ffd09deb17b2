"""A map of 50,000 texts in JupyterLab: from the cell to the picture, and from a lasso to the rows that it selects.

``python benchmarks/embedding_map.py``; the exit code is 1 when a bar is missed. Chromium draws without a graphics card,
by SwiftShader. The vectors are numpy's: what a Model takes to make them is measured by ``embed_texts.py``.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screen import on_page
from serve import HERE, missed, row

sys.path.insert(0, str(HERE.parent))

from tests.browser.test_embedding import FLAGS, lasso

if TYPE_CHECKING:
    from tests.browser.notebook import Notebook

ROUNDS, POINTS = 5, 50_000
MAKE = f"""
import numpy as np, pandas as pd
from kubeai_notebook.session.embedding_map import embedding_map
from kubeai_notebook.views import install
install()
numbers = np.random.default_rng(0)
group = numbers.integers(0, 6, {POINTS})
vectors = (numbers.normal(size=(6, 32))[group] + numbers.normal(size=({POINTS}, 32))).astype(np.float32)
frame = pd.DataFrame({{"text": [f"text {{n}}" for n in range({POINTS})], "group": group.astype(str)}})
def made():
    return embedding_map(
        frame, "text", model="mini", embedder=None, color="group", vectors=vectors, projection="pca"
    )
maps = [made() for _ in range({ROUNDS + 1})]
"""
SHOW = "shown = maps.pop()\nshown"
DRAWN = ".kubeai-map-plot[data-drawn]"
# The moment when something is there, on the page's clock; the count of the selection is written when the kernel has it.
WATCH = """([selector, unlike]) => {
  window.took = undefined;
  const began = performance.now();
  const watch = new MutationObserver(() => {
    const text = document.querySelector(selector)?.textContent;
    if (text === undefined || text === unlike) return;
    window.took = performance.now() - began;
    watch.disconnect();
  });
  watch.observe(document.body, { attributes: true, childList: true, characterData: true, subtree: true });
}"""


def main() -> int:
    """Print both medians; 1 when one is over its bar."""
    with tempfile.TemporaryDirectory() as home:
        on_page(Path(home), (MAKE, SHOW, "len(shown.selection())"), measure, flags=FLAGS)
    return int(bool(missed))


def measure(notebook: Notebook) -> None:
    """The first picture is a module's first, so it is drawn once before anything is measured."""
    notebook.run_cell(0)
    pictures, selections = [], []
    for number in range(ROUNDS + 1):
        notebook.command("notebook:clear-all-cell-outputs")
        watch(notebook.page, DRAWN, None)
        output = notebook.run_cell(1, wait=False)
        pictures.append(took(notebook.page))
        output.locator("button", has_text="Lasso").click()
        count = output.locator(".kubeai-map-count")
        lasso(notebook.page, output.locator("canvas"), [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)], steps=2)
        watch(notebook.page, ".kubeai-map-count", count.inner_text())
        notebook.page.mouse.up()
        selections.append(took(notebook.page))
        if number == ROUNDS:
            caught = notebook.run_cell(2).inner_text()
            sys.stdout.write(f"the last lasso caught {caught.splitlines()[-1]} of {POINTS} points\n")
    row(
        "cell → picture, median of 5",
        statistics.median(pictures[1:]),
        "ms",
        bar=1000.0,
        beside=f"first {pictures[0]:.0f}",
    )
    row("lasso's end → rows in the kernel, median of 5", statistics.median(selections[1:]), "ms", bar=300.0, beside="")


def watch(page: Any, selector: str, unlike: str | None) -> None:
    """Note from now on when an element of this selector has another text."""
    page.evaluate(WATCH, [selector, unlike])


def took(page: Any) -> float:
    """The milliseconds until then."""
    milliseconds: float = page.wait_for_function("() => window.took", polling=20, timeout=60_000).json_value()
    return milliseconds


if __name__ == "__main__":
    sys.exit(main())
