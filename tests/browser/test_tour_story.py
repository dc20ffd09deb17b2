from collections.abc import Callable
from typing import Any

import nbformat
import pytest

from tests.support.wheel import REPOSITORY

from .installation import Installation
from .notebook import Notebook

pytestmark = pytest.mark.browser

FIRST_RUN_MS = 180_000  # it fetches 93 MB of weights, unless they are in the cache
LOAD, SERVE, COMPLETE, CHAT, GREET, MODELS, STATUS, LOGS, SCALE, LOST, WHY, FIX, FORGET, DELETE = range(14)


@pytest.mark.usefixtures("daemon_ends")
def test_tells_the_tour_from_the_wheel(installation: Installation, open_notebook: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(book=nbformat.read(REPOSITORY / "notebooks" / "00_tour.ipynb", as_version=4))
    notebook.page.set_viewport_size({"width": 1200, "height": 1700})
    notebook.theme("Light")
    expect(notebook.page.locator('.jp-SideBar .lm-TabBar-tab[data-id="kubeai-sidebar"]')).to_be_visible()

    notebook.run_cell(LOAD)
    phases = notebook.record(SERVE, ".kubeai-card-word")
    card = notebook.run_cell(SERVE).locator(".kubeai-card")
    expect(card.locator(".kubeai-card-word")).to_have_text("Ready", timeout=FIRST_RUN_MS)
    assert phases()[-2:] == ["Loading", "Ready"]
    expect(card).to_contain_text("in place of Ollama")
    assert installation.processes() != []
    notebook.picture("story_ready")

    expect(notebook.run_cell(COMPLETE)).to_contain_text("Paris")
    pieces = notebook.record(CHAT, ".kubeai-answer")
    shown = notebook.run_cell(CHAT).locator(".jp-RenderedMarkdown")
    expect(shown).not_to_be_empty()
    answer = shown.inner_text()
    assert len(pieces()) > 2
    assert answer.startswith(pieces()[0][:5])
    assert len(notebook.text(GREET)) > 10
    expect(notebook.run_cell(MODELS).locator("tbody tr").filter(has_text="tour")).to_have_count(1)
    expect(notebook.run_cell(DELETE)).to_contain_text("Deleted")
    expect(card.locator(".kubeai-card-word")).to_have_text("Deleted")
    notebook.picture("story_end")
    reads_well_the_next_day(notebook)


def reads_well_the_next_day(notebook: Notebook) -> None:
    from playwright.sync_api import expect

    notebook.command("docmanager:save")
    notebook.shut_down_kernel()
    notebook.reload()
    served = notebook.output(SERVE)
    expect(served.locator(".kubeai-snapshot")).to_contain_text("was deleted later")
    expect(served.get_by_text("Error displaying widget")).to_be_hidden()
    expect(notebook.output(COMPLETE)).to_contain_text("Paris")
    expect(notebook.output(DELETE).locator(".kubeai-snapshot")).to_contain_text("Deleted")
    notebook.picture("story_reopened")
    notebook.theme("Dark")
    notebook.picture("story_reopened_dark")
