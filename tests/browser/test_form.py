"""The form in JupyterLab, as its user handles it: by mouse and keyboard, reading what can be seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .notebook import Notebook

pytestmark = pytest.mark.browser

SHOW = "%load_ext kubeai_notebook\n%kubeai_form"
URL = "ollama://smollm2:135m"
READY_MS = 90_000


def control(form: Any, name: str) -> Any:
    """The first control of a field."""
    return form.locator(f".kubeai-form-{name} input, .kubeai-form-{name} textarea").first


def messages(form: Any, name: str) -> Any:
    return form.locator(f".kubeai-form-{name} .kubeai-form-messages")


def button(form: Any, title: str) -> Any:
    return form.get_by_role("button", name=title, exact=True)


def shown_form(notebook: Notebook, cell: int = 0) -> Any:
    from playwright.sync_api import expect

    form = notebook.run_cell(cell).locator(".kubeai-form").first
    expect(button(form, "Deploy")).to_be_visible()
    return form


def fill(form: Any, **texts: str) -> None:
    for name, text in texts.items():
        control(form, name.replace("_", "-")).fill(text)


@pytest.mark.usefixtures("no_models")
def test_brings_a_model_to_ready_and_changes_it_with_its_diff(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    chat = "%%kubeai_chat smol --max-tokens 8 --temperature 0\nThe capital of France is"
    notebook = open_notebook(SHOW, chat, "%kubeai_form smol")
    form = shown_form(notebook)
    fill(form, url=URL)
    expect(control(form, "engine")).to_have_attribute("placeholder", re.compile("OLlama"))
    fill(form, name="smol")
    notebook.picture("form_filled", notebook.page)
    button(form, "Deploy").click()
    card = form.locator(".kubeai-card")
    expect(card.locator(".kubeai-card-word")).to_have_text("Ready", timeout=READY_MS)
    notebook.picture("form_ready", notebook.page)
    expect(notebook.run_cell(1)).to_contain_text("cut after 8 tokens")

    form.get_by_role("button", name=re.compile("More:")).click()
    fill(form, min_replicas="2")
    button(form, "Deploy").click()
    expect(button(form, "Apply this change")).to_be_visible()
    expect(form.locator(".kubeai-form-message").filter(has_text="eplicas")).to_be_visible()
    notebook.picture("form_diff", notebook.page)
    button(form, "Apply this change").click()
    expect(card).to_contain_text("of 2 ready")

    again = shown_form(notebook, 2)
    expect(control(again, "url")).to_have_value(URL)
    expect(control(again, "min-replicas")).to_have_value("2")
    expect(again).not_to_contain_text("Warning")


def test_says_what_is_wrong_and_mends_it_with_a_button(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW)
    form = shown_form(notebook)
    fill(form, url="hf://Qwen/Qwen3-0.6B", engine="VLLM", name="Not_A_Name")
    expect(messages(form, "name").first).to_contain_text("Error")
    expect(control(form, "name")).to_have_attribute("aria-invalid", "true")
    button(form, "Add a row to Engine arguments").click()
    control(form, "args").fill("--max-model-length=2048")
    expect(messages(form, "args").last).to_contain_text("--max-model-len")
    notebook.picture("form_wrong_light", notebook.page)
    notebook.theme("Dark")
    notebook.picture("form_wrong_dark", notebook.page)
    messages(form, "args").get_by_role("button").click()
    expect(control(form, "args")).to_have_value("--max-model-len=2048")

    button(form, "Deploy").click()
    expect(control(form, "name")).to_be_focused()
    notebook.theme("Light")


def test_is_filled_by_yaml_that_is_pasted(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW)
    form = shown_form(notebook)
    form.get_by_role("tab", name="YAML").click()
    editor = form.locator(".kubeai-form-code textarea")
    pasted = "name: pasted\nurl: hf://Qwen/Qwen3-0.6B\nenv:\n  A: '1'\nadapters:\n  colorist: hf://org/lora\n"
    notebook.page.evaluate("text => navigator.clipboard.writeText(text)", pasted)
    editor.focus()
    notebook.page.keyboard.press("Control+v")
    expect(control(form, "name")).to_have_value("pasted")
    expect(control(form, "env")).to_have_value("A")
    expect(control(form, "adapters")).to_have_value("colorist")
    expect(editor).to_have_value(re.compile("kind: Model"))
    form.get_by_role("tab", name="Magic").click()
    expect(editor).to_have_value(re.compile("^%+kubeai_serve"))
    notebook.picture("form_pasted", notebook.page)
    button(form, "Copy").click()
    expect(button(form, "Copied")).to_be_visible()
    assert notebook.page.evaluate("() => navigator.clipboard.readText()") == editor.input_value()
    button(form, "Undo").click()
    expect(control(form, "name")).to_have_value("")


def test_loses_no_row_asks_which_model_is_meant_and_goes_back_and_forward(
    open_notebook: Callable[..., Notebook],
) -> None:
    from playwright.sync_api import expect

    form = shown_form(notebook := open_notebook(SHOW))
    fill(form, url=URL)
    rows = form.locator(".kubeai-form-env")
    for number in range(2):
        rows.get_by_role("button", name="Add a row to Environment").click()
        cells = rows.locator(".kubeai-form-row").nth(number).locator("input")
        cells.first.fill("HF_HOME")
        cells.last.fill(f"/{number}")
    expect(messages(form, "env").first).to_contain_text('Two rows are called "HF_HOME"')
    expect(rows.locator(".kubeai-form-row")).to_have_count(2)
    notebook.picture("form_rows", form)
    rows.locator(".kubeai-form-row").last.locator("input").first.fill("HF_HUB_OFFLINE")
    expect(messages(form, "env").first).not_to_contain_text("Two rows")

    form.get_by_role("tab", name="YAML").click()
    editor = form.locator(".kubeai-form-code textarea")
    editor.fill(f"name: smol\nurl: {URL}\n---\nname: other\nurl: hf://org/model\n")
    button(form, "Fill the form with this").click()
    expect(form.get_by_role("alert").filter(has_text="The text holds 2 Models.")).to_be_visible()
    notebook.picture("form_choice", form.locator(".kubeai-form-code"))
    button(form, "other").click()
    expect(control(form, "url")).to_have_value("hf://org/model")
    button(form, "Undo").click()
    expect(control(form, "url")).to_have_value(URL)
    expect(rows.locator(".kubeai-form-row")).to_have_count(2)
    button(form, "Redo").click()
    expect(control(form, "name")).to_have_value("other")
    notebook.picture("form_redone", form)


def test_stays_whole_at_400_pixels(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW)
    form = shown_form(notebook)
    form.evaluate("form => { form.style.width = '400px' }")
    fill(form, url=URL)
    form.get_by_role("button", name=re.compile("More:")).click()
    expect(control(form, "min-replicas")).to_be_visible()
    assert form.evaluate("form => form.scrollWidth <= form.clientWidth")
    too_wide = """form => [...form.querySelectorAll("*")].filter(node =>
      node.checkVisibility() && node.getBoundingClientRect().right > form.getBoundingClientRect().right + 1 &&
      !node.closest("textarea, datalist")).map(node => node.outerHTML.slice(0, 120))"""
    assert form.evaluate(too_wide) == []
    fonts = """form => [...new Set([...form.querySelectorAll("input:not([type=checkbox]), select")].map(node =>
      getComputedStyle(node).fontFamily))]"""
    assert len(form.evaluate(fonts)) == 1
    notebook.picture("form_narrow", form)


def test_is_filled_by_the_keyboard_alone(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW)
    form = shown_form(notebook)
    keys = notebook.page.keyboard
    control(form, "url").focus()
    keys.type(URL)
    keys.press("Tab")
    keys.type("OLlama")
    keys.press("Tab")
    keys.type("typed")
    expect(control(form, "name")).to_have_value("typed")
    add = button(form, "Add a row to Environment")
    add.focus()
    keys.press("Enter")
    keys.type("A")
    keys.press("Tab")
    keys.type("1")
    keys.press("Enter")
    keys.type("B")
    expect(form.locator(".kubeai-form-env .kubeai-form-row")).to_have_count(2)
    keys.press("ArrowUp")
    expect(control(form, "env")).to_be_focused()
    form.get_by_role("tab", name="Summary").focus()
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    expect(form.locator(".kubeai-form-code textarea")).to_have_value(re.compile("--env A=1"))


def test_keeps_lines_that_are_typed_and_takes_them_back(open_notebook: Callable[..., Notebook]) -> None:
    """JupyterLab prevents Enter and Ctrl+Z in a cell's texts."""
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW)
    form = shown_form(notebook)
    button(form, "Add a row to Files").click()
    form.get_by_role("tab", name="YAML").click()
    for text in (control(form, "files"), control(form, "name"), *form.locator("textarea:visible").all()):
        many_lines = text.evaluate("text => text.tagName === 'TEXTAREA'")
        before = text.input_value()
        text.focus()
        notebook.page.keyboard.press("Control+End")
        notebook.page.keyboard.type("a\nb" if many_lines else "ab")
        expect(text).to_have_value(before + ("a\nb" if many_lines else "ab"))
        for _ in range(3):
            notebook.page.keyboard.press("Control+z")
        expect(text).to_have_value(before)


def test_says_that_a_busy_kernel_has_taken_a_click(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW, "input()")
    form = shown_form(notebook)
    notebook.run_cell(1, wait=False)
    button(form, "Deploy").click()
    expect(form).to_contain_text("Queued: the kernel is busy")
    answer = notebook.output(1).locator("input")
    answer.focus()
    answer.press("Enter")
    expect(control(form, "url")).to_be_focused()


def test_leaves_its_magic_in_a_saved_notebook(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW)
    form = shown_form(notebook)
    fill(form, url=URL)
    expect(control(form, "engine")).to_have_attribute("placeholder", re.compile("OLlama"))
    snapshot = notebook.output(0).locator(".kubeai-snapshot")
    expect(snapshot).to_contain_text(f"%kubeai_serve {URL}")
    expect(snapshot).to_be_hidden()
    notebook.command("docmanager:save")
    notebook.restart_kernel()
    notebook.reload()
    expect(notebook.output(0).locator(".kubeai-snapshot")).to_be_visible()
    expect(notebook.output(0)).to_contain_text(f"%kubeai_serve {URL}")
    notebook.picture("form_saved", notebook.page)
