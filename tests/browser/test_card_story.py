"""A Model's card in JupyterLab as its user handles it, with real engines on this machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Lab
    from .installation import Installation
    from .notebook import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_models")]

URL = "ollama://smollm2:135m"
LOAD = "%load_ext kubeai_notebook"
SERVE = f"{LOAD}\n%kubeai_serve smol --url {URL}"
SETTLES_MS = 90_000
WIDER_THAN_THE_CARD = """card => [...card.querySelectorAll("*")].filter(node => node.checkVisibility() &&
  node.getBoundingClientRect().right > card.getBoundingClientRect().right + 1 && !node.closest("pre"))
  .map(node => node.outerHTML.slice(0, 120))"""


def button(part: Any, title: str) -> Any:
    return part.get_by_role("button", name=title, exact=True)


def tells_phase(card: Any, phase: str) -> None:
    from playwright.sync_api import expect

    expect(card.locator(".kubeai-card-word")).to_have_text(phase, timeout=SETTLES_MS)


def test_explains_a_failing_model_and_cures_it_by_its_button(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    serve = f"%kubeai_serve bad --url {URL} --force --yes -- --max-model-len="
    notebook = open_notebook(f"{LOAD}\n{serve}999999", f"{serve}888888")
    notebook.page.set_viewport_size({"width": 1200, "height": 1300})
    notebook.theme("Light")
    card = notebook.run_cell(0).locator(".kubeai-card")
    tells_phase(card, "Failing")
    notebook.picture("card_failing", card)

    button(card, "Show the change of fix 1").click()
    question = card.locator(".kubeai-panel")
    expect(question).to_contain_text("999999")
    expect(question).to_contain_text("Its Pods are replaced.")
    expect(button(question, "Keep as it is")).to_be_focused()
    notebook.picture("card_diff", card)
    notebook.page.keyboard.press("Escape")
    expect(question).to_be_hidden()

    button(card, "Show the change of fix 1").click()
    # The text alone is there already, from before.
    expect(button(question, "Keep as it is")).to_be_focused()
    expect(question).to_contain_text("999999")
    notebook.run_cell(1)
    expect(card.locator(".kubeai-card-finding")).to_contain_text("888888", timeout=SETTLES_MS)
    button(question, "Apply").click()
    expect(question).to_contain_text("888888")
    expect(question).to_contain_text("changed")
    notebook.picture("card_other_diff", card)

    button(question, "Apply").click()
    tells_phase(card, "Ready")
    expect(card.locator(".kubeai-card-outcome")).to_contain_text("with --max-model-len=8192. Its Pods are replaced.")
    notebook.picture("card_cured", card)


def test_stays_live_while_a_cell_sleeps(open_notebook: Callable[..., Notebook], installation: Installation) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE, "import time\ntime.sleep(300)")
    notebook.theme("Light")
    card = notebook.run_cell(0).locator(".kubeai-card")
    tells_phase(card, "Ready")
    notebook.run_cell(1, wait=False)
    scale = "import kubeai_notebook; kubeai_notebook.attach('smol').scale(2)"
    installation.run("python", "-c", scale)
    expect(card).to_contain_text("2 of 2 ready", timeout=SETTLES_MS)
    expect(notebook.cell(1).locator(".jp-InputArea-prompt")).to_have_text("[*]:")
    button(card, "Restart").click()
    expect(card.locator(".kubeai-card-outcome")).to_have_text(re.compile("Queued|Working|replaced"))
    notebook.picture("card_busy", card)
    notebook.command("notebook:interrupt-kernel")


def test_shows_one_model_in_two_notebooks(open_notebook: Callable[..., Notebook], lab: Lab) -> None:
    from playwright.sync_api import expect

    first = open_notebook(SERVE)
    card = first.run_cell(0).locator(".kubeai-card")
    tells_phase(card, "Ready")
    path = first.page.evaluate("() => jupyterapp.shell.currentWidget.context.path")
    attach = nbformat.v4.new_code_cell(f"{LOAD}\n%kubeai_attach smol")
    book = nbformat.read(lab.root / path, as_version=4)
    book.cells = [attach]
    nbformat.write(book, lab.root / f"other-{path}")
    first.command("docmanager:open", path=f"other-{path}")
    first.wait()
    other = first.run_cell(0).locator(".kubeai-card")
    tells_phase(other, "Ready")
    button(other, "More replicas").click()
    expect(other).to_contain_text("2 of 2 ready", timeout=SETTLES_MS)
    expect(other.locator(".kubeai-card-count")).to_have_text("2")
    button(other, "Delete …").click()
    question = other.locator(".kubeai-panel")
    expect(question).to_contain_text("Really delete smol? With it go 2 Pods on cpu:1")
    first.picture("card_delete", other)
    button(question, "Delete smol").click()
    tells_phase(other, "Deleted")
    first.command("docmanager:open", path=path)
    expect(card).to_contain_text("was deleted later")


def test_follows_its_model_again_after_the_kernel_was_restarted(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE)
    notebook.theme("Light")
    card = notebook.run_cell(0).locator(".kubeai-card")
    tells_phase(card, "Ready")
    notebook.restart_kernel()
    expect(card).to_contain_text("No longer followed")
    notebook.picture("card_dead", card)
    button(card, "Reconnect to smol").click()
    expect(card.locator(".kubeai-card-fresh")).to_contain_text("Live", timeout=SETTLES_MS)
    expect(card).to_have_count(1)
    expect(notebook.cell(0).locator(".cm-content")).to_contain_text("%kubeai_serve smol")
    expect(notebook.output(0).locator(".kubeai-snapshot")).to_contain_text("Ready")


def test_follows_its_model_again_from_a_saved_notebook(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE)
    notebook.theme("Light")
    output = notebook.output(0)
    card = notebook.run_cell(0).locator(".kubeai-card")
    tells_phase(card, "Ready")
    expect(output.locator(".kubeai-snapshot")).to_contain_text("Ready")
    notebook.command("docmanager:save")
    notebook.shut_down_kernel()
    notebook.reload()
    snapshot = output.locator(".kubeai-snapshot")
    expect(snapshot).to_contain_text("%kubeai_attach smol -n default")
    notebook.picture("card_reopened", output)
    button(snapshot, "Reconnect").click()
    expect(card.locator(".kubeai-card-fresh")).to_contain_text("Live", timeout=SETTLES_MS)
    notebook.picture("card_reconnected", output)


def test_is_handled_by_keys_and_stays_whole_at_400_pixels_in_the_dark(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE)
    keys = notebook.page.keyboard
    card = notebook.run_cell(0).locator(".kubeai-card")
    tells_phase(card, "Ready")
    notebook.theme("Dark")
    card.evaluate("card => { card.parentElement.style.width = '400px' }")
    summary = card.get_by_text("Events and log")
    summary.focus()
    keys.press("Enter")
    expect(card.locator(".kubeai-card-log")).to_contain_text(re.compile(r"\w"))
    notebook.picture("card_narrow_dark", card)
    assert card.evaluate(WIDER_THAN_THE_CARD) == []

    button(card, "Pause").focus()
    keys.press("Enter")
    tells_phase(card, "Paused")
    button(card, "Resume").focus()
    keys.press("Space")
    tells_phase(card, "Ready")
    button(card, "Delete …").focus()
    keys.press("Enter")
    question = card.locator(".kubeai-panel")
    expect(button(question, "Keep as it is")).to_be_focused()
    notebook.picture("card_question_dark", card)
    keys.press("Shift+Tab")
    expect(button(question, "Delete smol")).to_be_focused()
    keys.press("Enter")
    tells_phase(card, "Deleted")
    notebook.theme("Light")
