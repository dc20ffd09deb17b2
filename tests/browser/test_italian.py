"""JupyterLab in Italian: what this extension shows is Italian, too."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import kubeai_notebook
from tests.support.fake_api import FakeApi, kubeconfig
from tests.support.language_pack import language_pack

from .accessibility import serious_faults
from .test_sidebar_scripted import TAB, lab_with, put_models, row

if TYPE_CHECKING:
    from .installation import Installation

pytestmark = pytest.mark.browser

CATALOGUE = Path(kubeai_notebook.__file__).parent / "locale/it_IT/LC_MESSAGES/kubeai_notebook.json"
# Each text of a part of the page that is seen, or read out; a card's facts have Python's words.
TEXTS = """(part) => [part, ...part.querySelectorAll(':not(dt)')].flatMap((node) => !node.checkVisibility() ? [] : [
  ...['aria-label', 'placeholder', 'title'].map((name) => node.getAttribute(name) ?? ''),
  ...[...node.childNodes].filter((child) => child instanceof Text).map((child) => child.data.trim()),
]).filter(Boolean)"""


def speaks_italian(part: Any, *words: str) -> None:
    """It shows these words, and none of this extension's in English."""
    from playwright.sync_api import expect

    for word in words:
        expect(part).to_contain_text(word, use_inner_text=True)
    catalogue = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    english = {message for message, forms in catalogue.items() if message and message not in forms}
    assert english.intersection(part.evaluate(TEXTS)) == set()


@pytest.mark.usefixtures("axe")
def test_speaks_italian_where_the_user_chooses_it(page: Any, installation: Installation, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    packs = tmp_path / "packs"
    language_pack(packs)
    path = os.pathsep.join(filter(None, [str(packs), installation.environment.get("PYTHONPATH", "")]))
    with FakeApi().in_thread() as api:
        put_models(api, 2)
        options = (f"--KubeAI.kubeconfig={kubeconfig(api, tmp_path)}", "--KubeAI.context=x")
        with lab_with(installation, tmp_path / "lab", *options, PYTHONPATH=path) as lab:
            page.goto(f"{lab.url}lab?reset&token={lab.token}")
            expect(page.locator(".jp-LauncherCard", has_text="Serve a model")).to_be_visible()
            expect(page.locator("#jupyterlab-splash")).to_have_count(0)
            choose_italian(page)

            expect(page.locator(".jp-LauncherCard", has_text="Servi un modello")).to_be_visible()
            expect(page.locator("#jupyterlab-splash")).to_have_count(0)
            speaks_italian(page.locator(".jp-Launcher"), "Servi un modello", "Playground dei modelli")

            page.locator(TAB).click()
            sidebar = page.locator("#kubeai-sidebar")
            expect(row(sidebar, "m0001")).to_be_visible()
            expect(sidebar.get_by_label("Cerca tra i Model")).to_be_visible()
            sidebar.locator("summary").first.click()
            speaks_italian(sidebar, "Servi un modello …", "Contesto", "Cambia")
            page.screenshot(path=tmp_path / "sidebar.png")
            sidebar.get_by_label("Cerca tra i Model").fill("niente")
            speaks_italian(sidebar, "Nessun Model corrisponde.")
            sidebar.get_by_label("Cerca tra i Model").fill("")

            row(sidebar, "m0001").click()
            sidebar.get_by_text("Eventi e log").click()
            sidebar.get_by_label("Cerca nel log").fill("niente")
            sidebar.get_by_role("button", name="Elimina …").click()
            expect(sidebar.get_by_role("button", name="Lascia com'è")).to_be_focused()
            speaks_italian(
                sidebar, "Tutti i Model", "Eliminare davvero m0001?", "In tempo reale; ultima modifica", "0 trovate"
            )
            page.screenshot(path=tmp_path / "card.png")
            assert serious_faults(sidebar) == []

            # Keys in a card are the card's.
            page.evaluate("() => jupyterapp.commands.execute('apputils:activate-command-palette')")
            palette = page.locator(".lm-CommandPalette")
            palette.locator("input").fill("KubeAI")
            speaks_italian(palette, "Mostra i Model", "Servi un modello", "Playground dei modelli")
            page.screenshot(path=tmp_path / "palette.png")
            page.keyboard.press("Escape")

            # The command ends with the dialog, which waits for the reader.
            page.evaluate("() => void jupyterapp.commands.execute('kubeai:playground')")
            dialog = page.locator(".jp-Dialog")
            speaks_italian(dialog, "Playground dei modelli")
            page.screenshot(path=tmp_path / "dialog.png")


def choose_italian(page: Any) -> None:
    """Choose it in JupyterLab's own menu, which loads the page anew."""
    page.locator(".lm-MenuBar-item", has_text="Settings").click()
    page.locator(".lm-Menu-item", has_text="Language").hover()
    page.locator(".lm-Menu-item", has_text="Italian").click()
    with page.expect_navigation():
        page.locator(".jp-Dialog .jp-mod-accept").click()
