"""Form, card, live table and playground in both themes, as axe-core reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fake_api import MODELS, PODS, FakeApi, kubeconfig, model, pod

from .accessibility import serious_faults
from .test_card_story import LOAD, SERVE, WIDER_THAN_THE_CARD, tells_phase
from .test_form import SHOW, URL, button, control, fill, messages, shown_form
from .test_models_table import connected_to, put_models
from .test_playground import PLAY, SAID, ask, has_ended, set_field
from .test_playground import SERVE as SERVE_TO_PLAY
from .test_sidebar import heads, shown
from .test_sidebar_scripted import row
from .test_status_card import SHOW as PULLING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from .notebook import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("axe")]


THEMES = ("Dark", "Light")


def opened_form(open_notebook: Callable[..., Notebook]) -> tuple[Notebook, Any]:
    """A form in a window that holds all of it: what is scrolled away has no contrast."""
    notebook = open_notebook(SHOW)
    notebook.page.set_viewport_size({"width": 1200, "height": 1800})
    return notebook, shown_form(notebook)


def passes(notebook: Notebook, part: Any, name: str, themes: Iterable[str] = THEMES) -> None:
    """It has no serious fault in these themes, and a picture is kept of each."""
    for theme in themes:
        notebook.theme(theme)
        notebook.picture(f"{name}_{theme.lower()}", part)
        assert serious_faults(part) == [], f"{name} in the {theme.lower()} theme"


def test_finds_what_cannot_be_read(open_notebook: Callable[..., Notebook]) -> None:
    _, form = opened_form(open_notebook)
    form.evaluate(
        "form => form.insertAdjacentHTML('beforeend', '<p style=\"color: #ccc; background: #fff\">faint</p>')"
    )
    form.evaluate("form => form.insertAdjacentHTML('beforeend', '<button></button>')")
    assert {fault.partition(":")[0] for fault in serious_faults(form)} == {"color-contrast", "button-name"}


def test_has_a_form_for_everybody(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook, form = opened_form(open_notebook)
    passes(notebook, form, "form_empty")

    fill(form, url=URL)
    expect(control(form, "engine")).to_have_attribute("placeholder", re.compile("OLlama"))
    for title in ("Engine arguments", "Environment", "Secrets", "Files", "LoRA adapters"):
        button(form, f"Add a row to {title}").click()
    form.get_by_role("button", name=re.compile("More:")).click()
    expect(control(form, "min-replicas")).to_be_visible()
    passes(notebook, form, "form_unfolded")


def test_has_errors_and_texts_for_everybody(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook, form = opened_form(open_notebook)
    fill(form, url="hf://Qwen/Qwen3-0.6B", engine="VLLM", name="Not_A_Name")
    button(form, "Add a row to Engine arguments").click()
    control(form, "args").fill("--max-model-length=2048")
    expect(messages(form, "args").last).to_contain_text("--max-model-len")
    passes(notebook, form, "form_wrong")

    fill(form, name="right")
    code = form.locator(".kubeai-form-code")
    for theme in THEMES:
        for title in ("YAML", "Magic", "Python"):
            form.get_by_role("tab", name=title).click()
            passes(notebook, code, f"form_{title.lower()}", [theme])
    code.locator("textarea").press_sequentially("x")
    expect(button(form, "Undo my edit")).to_be_visible()
    passes(notebook, form, "form_edited")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FakeApi]:
    with FakeApi().in_thread() as api:
        put_models(api, 3)
        yield api


def test_has_a_live_table_for_everybody(open_notebook: Callable[..., Notebook], api: FakeApi, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(connected_to(kubeconfig(api, tmp_path)))
    notebook.page.set_viewport_size({"width": 1200, "height": 1800})
    output = notebook.run_cell(0)
    table = output.locator(".kubeai-models")
    expect(table.locator("tbody tr")).to_have_count(3)
    api.change(MODELS, model("m01", replicas=0, minReplicas=0))
    api.change(PODS, pod("model-m01-1", "m01"), gone=True)
    waiting = {"name": "server", "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    api.change(PODS, pod("model-m02-1", "m02", ready=False, containerStatuses=[waiting]))
    expect(table).to_contain_text("Failing")
    output.get_by_role("button", name="Card of m02").click()
    card = output.locator(".kubeai-card")
    card.locator("summary").click()
    output.get_by_role("button", name="Delete m01").click()
    expect(table.locator(".kubeai-panel")).to_contain_text("Really delete m01?")
    passes(notebook, output, "models_table")


def test_has_a_waiting_card_for_everybody(open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(PULLING)
    passes(notebook, notebook.run_cell(0).locator(".kubeai-card"), "card_pulling")


@pytest.mark.usefixtures("no_models")
def test_has_a_failing_card_and_its_cure_for_everybody(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(f"{LOAD}\n%kubeai_serve bad --url {URL} --force -- --max-model-len=999999")
    notebook.page.set_viewport_size({"width": 1200, "height": 1800})
    card = notebook.run_cell(0).locator(".kubeai-card")
    tells_phase(card, "Failing")
    card.get_by_text("Events and log").click()
    expect(card.locator(".kubeai-card-log")).to_contain_text(re.compile(r"\w"))
    button(card, "Show the change of fix 1").click()
    expect(card.locator(".kubeai-panel")).to_contain_text("999999")
    passes(notebook, card, "card_failing")


@pytest.mark.usefixtures("no_models")
def test_has_a_sidebar_for_everybody(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(f"{LOAD}\n%kubeai_serve bad --url {URL} --force -- --max-model-len=999999")
    notebook.page.set_viewport_size({"width": 1200, "height": 1800})
    sidebar = shown(notebook.page)
    notebook.run_cell(0)
    heads(sidebar, "Failing (1)")
    sidebar.locator(".kubeai-sidebar-place summary").click()
    expect(sidebar.get_by_label("Context")).to_have_value("local")
    passes(notebook, sidebar, "sidebar")
    sidebar.get_by_label("Search Models").fill("nothing of the kind")
    expect(sidebar).to_contain_text("No Model here matches.", use_inner_text=True)
    passes(notebook, sidebar, "sidebar_search", ["Light"])
    sidebar.get_by_label("Search Models").fill("bad")
    row(sidebar, "bad").click()
    sidebar.get_by_text("Events and log").click()
    expect(sidebar.locator(".kubeai-card-log")).to_contain_text(re.compile(r"\w"))
    button(sidebar, "Show the change of fix 1").click()
    expect(sidebar.locator(".kubeai-panel")).to_contain_text("999999")
    passes(notebook, sidebar, "sidebar_failing")


@pytest.mark.usefixtures("no_models")
def test_has_a_ready_card_for_everybody(open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(SERVE)
    card = notebook.run_cell(0).locator(".kubeai-card")
    tells_phase(card, "Ready")
    passes(notebook, card, "card_ready")


CUT_PLACEHOLDERS = """play => [...play.querySelectorAll(".kubeai-playground-fields textarea")].filter((field) => {
  const before = field.value;
  field.value = field.placeholder;
  const cut = field.scrollHeight > field.clientHeight;
  field.value = before;
  return cut;
}).map((field) => field.placeholder)"""
"""What stands in an empty field and takes more lines than the field has."""


@pytest.mark.usefixtures("no_models")
def test_has_a_playground_for_everybody(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE_TO_PLAY, PLAY, SAID)
    notebook.page.set_viewport_size({"width": 1200, "height": 2200})
    notebook.run_cell(0)
    play = notebook.run_cell(1).locator(".kubeai-playground")
    passes(notebook, play, "playground_empty")
    notebook.run_cell(2)
    set_field(play, "Most tokens", "10")
    button(play, "Compare with another Model or adapter").click()
    expect(play.get_by_label("Column 2", exact=True)).to_be_visible()
    ask(play, "Is Brie a cheese?")
    expect(play.locator(".kubeai-playground-answer")).to_have_count(3)
    has_ended(play)
    play.get_by_role("button", name="This answer is the better one").last.click()
    passes(notebook, play, "playground")
    assert play.evaluate(CUT_PLACEHOLDERS) == []
    play.evaluate("play => { play.parentElement.style.width = '400px' }")
    assert play.evaluate(CUT_PLACEHOLDERS) == []
    assert play.evaluate("play => play.scrollWidth <= play.clientWidth")
    assert play.evaluate(WIDER_THAN_THE_CARD) == []
    passes(notebook, play, "playground_narrow")
