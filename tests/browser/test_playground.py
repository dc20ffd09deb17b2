"""The chat playground in JupyterLab as its user handles it, with a real small model on this machine."""

from __future__ import annotations

import json
import re
import struct
import zlib
from typing import TYPE_CHECKING, Any

import nbformat
import psutil
import pytest

from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Lab
    from .installation import Installation
    from .notebook import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_models")]

LOAD = "%load_ext kubeai_notebook"
URL = "ollama://smollm2:135m"
SERVE = f"{LOAD}\n%kubeai_serve smol --url {URL} --wait"
PLAY = "play = %kubeai_playground smol\nplay"
VOTES = "print(play.votes()[['model', 'preferred']].to_csv(index=False))\nprint(len(play.messages))"
SECONDS, LONG_MS = 30, 120_000
WORDS = {"type": "array", "items": {"type": "string"}, "minItems": 300}
MANY_WORDS = json.dumps({"type": "object", "properties": {"words": WORDS}, "required": ["words"]})
"""A small model ends a list where it likes; an answer of this schema is long enough to be interrupted."""


def engines(installation: Installation) -> list[psutil.Process]:
    """The processes of llama.cpp that the daemon of this installation has started."""
    home = str(installation.home / "local")
    daemons = [process for process in psutil.process_iter(["cmdline"]) if home in (process.info["cmdline"] or [])]
    children = [child for daemon in daemons for child in daemon.children(recursive=True)]
    return [child for child in children if any("llamacpp_worker" in word for word in child.cmdline())]


def button(part: Any, title: str) -> Any:
    return part.get_by_role("button", name=title, exact=True)


def set_field(play: Any, label: str, value: str) -> None:
    field = play.get_by_label(label)
    if not field.is_visible():
        play.get_by_text("Settings").click()
    field.fill(value)
    field.press("Tab")


def ask(play: Any, prompt: str) -> None:
    text = play.get_by_label("Prompt", exact=True)
    text.fill(prompt)
    text.press("Enter")


def has_ended(play: Any) -> None:
    from playwright.sync_api import expect

    expect(button(play, "Send")).to_be_visible(timeout=LONG_MS)


def test_chats_stops_asks_again_edits_compares_and_votes(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE, PLAY, VOTES)
    notebook.theme("Light")
    notebook.run_cell(0)
    play = notebook.run_cell(1).locator(".kubeai-playground")
    expect(play).to_be_visible()
    set_field(play, "Answer as", MANY_WORDS)
    ask(play, "Count from one to two hundred in words.")
    answer = play.locator(".kubeai-playground-answer")
    expect(answer.locator(".kubeai-markdown")).not_to_be_empty(timeout=LONG_MS)
    button(play, "Stop").click()
    has_ended(play)
    expect(answer.locator(".kubeai-playground-note")).to_have_text("Stopped.")

    set_field(play, "Answer as", "")
    set_field(play, "Most tokens", "30")
    button(answer, "Regenerate").click()
    expect(play.locator(".kubeai-playground-branches")).to_contain_text("2/2")
    has_ended(play)
    button(play, "Edit this prompt").click()
    play.get_by_label("The prompt, edited").fill("Write a line of Python in a block of code.")
    button(play.locator(".kubeai-playground-exchange"), "Send").click()
    expect(play.locator(".kubeai-playground-branches")).to_contain_text("3/3")
    has_ended(play)
    button(play, "The version before").click()
    expect(play.locator(".kubeai-playground-prompt")).to_contain_text("Count from one")

    button(play, "Compare with another Model or adapter").click()
    expect(play.get_by_label("Column 2", exact=True)).to_be_visible()
    ask(play, "Is Brie a cheese?")
    expect(play.locator(".kubeai-playground-exchange").nth(1).locator(".kubeai-playground-answer")).to_have_count(2)
    has_ended(play)
    better = play.get_by_role("button", name="This answer is the better one").last
    better.click()
    expect(better).to_have_attribute("aria-pressed", "true")
    expect(notebook.run_cell(2)).to_contain_text(re.compile(r"smol,False\s+smol,True"))

    notebook.picture("playground_light", play)
    notebook.theme("Dark")
    notebook.picture("playground_dark", play)
    play.evaluate("node => { node.style.width = '400px'; }")
    notebook.picture("playground_narrow", play)


def test_goes_on_after_the_kernel_was_restarted(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE, PLAY)
    notebook.run_cell(0)
    play = notebook.run_cell(1).locator(".kubeai-playground")
    set_field(play, "Answer as", MANY_WORDS)
    ask(play, "Count from one to one thousand in words.")
    expect(play.locator(".kubeai-markdown")).not_to_be_empty(timeout=LONG_MS)
    notebook.restart_kernel()
    expect(play.locator(".kubeai-playground-problem")).to_contain_text("The kernel has gone")
    notebook.command("docmanager:save")
    notebook.reload()
    expect(notebook.output(1).locator(".kubeai-snapshot")).to_contain_text("Count from one to one thousand")
    notebook.picture("playground_saved", notebook.cell(1))
    notebook.run_cell(0)
    notebook.run_cell(0)  # so that the next cell's number is another one than the saved
    play = notebook.run_cell(1).locator(".kubeai-playground")
    expect(play.locator(".kubeai-playground-prompt")).to_contain_text("Count from one to one thousand")
    expect(play.locator(".kubeai-playground-note")).to_have_text(re.compile("ended before|closed before"))


def test_opens_below_a_card_and_stays_in_the_saved_notebook(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    busy = "import time\nwhile not globals().get('go_on'): time.sleep(0.1)"
    notebook = open_notebook(SERVE, busy)
    notebook.page.set_viewport_size({"width": 1200, "height": 1600})
    output = notebook.run_cell(0)
    card, play = output.locator(".kubeai-card"), output.locator(".kubeai-playground")
    notebook.run_cell(1, wait=False)
    button(card, "Playground").click()
    expect(card.locator(".kubeai-card-outcome")).to_contain_text("Queued: the kernel is busy")
    notebook.command("notebook:interrupt-kernel")
    expect(play).to_be_visible()
    expect(card.locator(".kubeai-card-outcome")).to_have_text("The playground of smol is below the card.")
    set_field(play, "Most tokens", "10")
    ask(play, "Is Brie a cheese?")
    expect(play.locator(".kubeai-markdown")).not_to_be_empty(timeout=LONG_MS)
    has_ended(play)
    notebook.picture("playground_below_card", output)
    # The last change reaches the snapshot within a second.
    snapshot = output.locator(".kubeai-snapshot").last
    expect(snapshot).to_contain_text("Is Brie a cheese?")
    expect(snapshot).not_to_contain_text("still coming")
    notebook.command("docmanager:save")
    notebook.shut_down_kernel()
    notebook.reload()
    expect(snapshot).to_be_visible()
    expect(snapshot).to_contain_text("Is Brie a cheese?")
    expect(snapshot).not_to_contain_text(re.compile("still coming|no answer"))
    notebook.picture("playground_below_card_saved", output)


def test_renews_its_transcript_in_a_page_that_was_opened_anew(open_notebook: Callable[..., Notebook], lab: Lab) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE, PLAY)
    notebook.run_cell(0)
    play = notebook.run_cell(1).locator(".kubeai-playground")
    set_field(play, "Most tokens", "10")
    ask(play, "Is Brie a cheese?")
    has_ended(play)
    snapshot = notebook.output(1).locator(".kubeai-snapshot")
    expect(snapshot).to_contain_text("Is Brie a cheese?")
    notebook.command("docmanager:save")
    notebook.reload()
    ask(play, "Is Gouda one, too?")
    has_ended(play)
    expect(snapshot).to_contain_text("Is Gouda one, too?")
    notebook.command("docmanager:save")
    path = notebook.page.evaluate("() => jupyterapp.shell.currentWidget.context.path")
    cell = nbformat.read(lab.root / path, as_version=4).cells[1]
    assert ["Is Gouda" in str(output.data.get("text/html")) for output in cell.outputs] == [False, True]


def test_shows_one_dialogue_below_the_card_of_a_cell_and_that_of_a_table(
    open_notebook: Callable[..., Notebook],
) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE, "%kubeai_models --live")
    notebook.page.set_viewport_size({"width": 1200, "height": 1600})
    output = notebook.run_cell(0)
    card, play = output.locator(".kubeai-card"), output.locator(".kubeai-playground")
    button(card, "Playground").click()
    expect(play).to_be_visible()
    set_field(play, "Most tokens", "10")
    ask(play, "Is Brie a cheese?")
    expect(play.locator(".kubeai-markdown")).not_to_be_empty(timeout=LONG_MS)
    has_ended(play)
    notebook.command("docmanager:save")
    notebook.reload()
    expect(play.locator(".kubeai-playground-prompt")).to_contain_text("Is Brie a cheese?")
    expect(output.locator(".kubeai-snapshot").first).to_be_hidden()

    table = notebook.run_cell(1)
    button(table, "Card of smol").click()
    button(table.locator(".kubeai-card"), "Playground").click()
    expect(table.locator(".kubeai-playground-prompt")).to_contain_text("Is Brie a cheese?")
    button(card, "Playground").click()
    expect(play).to_be_hidden()
    button(card, "Playground").click()
    expect(play).to_be_visible()


def test_wakes_a_sleeping_model_and_shows_its_steps(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(f"{LOAD}\n%kubeai_serve smol --url {URL} --min-replicas 0", PLAY)
    notebook.run_cell(0)
    notes = notebook.record(1, ".kubeai-playground-note")
    play = notebook.run_cell(1).locator(".kubeai-playground")
    set_field(play, "Most tokens", "10")
    ask(play, "Is Brie a cheese?")
    # Awake within a second, it shows each step for a moment: what was shown is recorded in the page.
    notebook.picture("playground_waking", play)
    expect(play.locator(".kubeai-markdown")).not_to_be_empty(timeout=LONG_MS)
    has_ended(play)
    assert any(note.startswith("Waking: Scheduling → Pulling → Loading") for note in notes()), notes()


def test_keeps_what_came_of_an_engine_that_dies(
    open_notebook: Callable[..., Notebook], installation: Installation
) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE, PLAY)
    notebook.run_cell(0)
    play = notebook.run_cell(1).locator(".kubeai-playground")
    set_field(play, "Answer as", MANY_WORDS)
    ask(play, "Count from one to one thousand in words.")
    words, note = play.locator(".kubeai-markdown"), play.locator(".kubeai-playground-note")
    expect(words).to_contain_text("words", timeout=LONG_MS)
    for engine in engines(installation):
        engine.kill()
    expect(note).to_contain_text("broke off")
    expect(note).to_contain_text(re.compile("smol is Loading now|was killed"))
    expect(words).to_contain_text("words")
    notebook.picture("playground_died", play)
    set_field(play, "Answer as", "")
    set_field(play, "Most tokens", "10")
    button(play, "Regenerate").click()
    # A sampled answer may end before its most tokens.
    expect(play.locator(".kubeai-playground-figures")).to_contain_text(
        re.compile(r"\b([1-9]|10) tokens,"), timeout=LONG_MS
    )


def test_goes_on_while_a_cell_beside_it_is_interrupted(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE, PLAY, "print('begun')\nwhile True: pass")
    notebook.run_cell(0)
    play = notebook.run_cell(1).locator(".kubeai-playground")
    set_field(play, "Answer as", MANY_WORDS)
    ask(play, "Count from one to one thousand in words.")
    words = play.locator(".kubeai-markdown")
    expect(words).not_to_be_empty(timeout=LONG_MS)
    notebook.run_cell(2, wait=False)
    expect(notebook.output(2)).to_contain_text("begun")  # sooner, an interrupt hits no cell
    notebook.command("notebook:interrupt-kernel")
    expect(notebook.output(2)).to_contain_text("KeyboardInterrupt")
    notebook.command("notebook:interrupt-kernel")  # now nothing but the answer is under way
    before = words.inner_text()
    expect(words).not_to_have_text(before)
    button(play, "Stop").click()
    has_ended(play)
    expect(play.locator(".kubeai-playground-note")).to_have_text("Stopped.")


def test_shows_the_end_while_it_grows_and_leaves_who_reads_above(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    said = "play.messages = [dict(role=r, content='Word.\\n\\n' * 60) for r in ('user', 'assistant') * 3]"
    notebook = open_notebook(SERVE, PLAY, said)
    notebook.run_cell(0)
    play = notebook.run_cell(1).locator(".kubeai-playground")
    notebook.run_cell(2)
    expect(play.locator(".kubeai-playground-exchange")).to_have_count(3)
    set_field(play, "Answer as", MANY_WORDS)
    ask(play, "Count from one to one thousand in words.")
    words = play.locator(".kubeai-markdown").last

    def grows() -> None:
        before = words.inner_text()
        expect(words).not_to_have_text(before)

    def at_end() -> bool:
        pane, newest = play.locator(".kubeai-playground-exchanges").bounding_box(), words.bounding_box()
        return bool(newest["y"] + newest["height"] <= pane["y"] + pane["height"])

    expect(words).not_to_be_empty(timeout=LONG_MS)
    for _ in range(3):
        grows()
        assert at_end()
    notebook.picture("playground_end", play)
    play.locator(".kubeai-playground-exchanges").hover()
    notebook.page.mouse.wheel(0, -600)
    assert until(lambda: not at_end(), SECONDS)
    read = play.locator(".kubeai-playground-exchange").nth(2).locator(".kubeai-markdown")
    notebook.page.wait_for_timeout(500)  # a wheel's scroll is drawn in steps
    before = read.bounding_box()["y"]
    for _ in range(3):
        grows()
    assert abs(read.bounding_box()["y"] - before) < 3
    button(play, "Stop").click()
    has_ended(play)


def test_inserts_code_into_a_new_cell_below(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    said = (
        "play.messages = [dict(role='user', content='Hi'), dict(role='assistant', content='```python\\n6 * 7\\n```')]"
    )
    notebook = open_notebook(SERVE, PLAY, said)
    notebook.run_cell(0)
    play = notebook.run_cell(1).locator(".kubeai-playground")
    notebook.run_cell(2)
    button(play, "Insert this code into a new cell below").click()
    expect(notebook.cell(2).locator(".cm-content")).to_have_text("6 * 7")
    expect(notebook.cell(2).locator(".jp-InputArea-prompt")).to_have_text("[ ]:")
    expect(notebook.run_cell(2)).to_contain_text("42")
    notebook.picture("playground_insert", play)


def png(width: int, height: int) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\x30\x70\xc0" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sends_a_picture_once_the_user_says_that_the_model_reads_it(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE, PLAY)
    asked: list[str] = []
    notebook.page.on("request", lambda request: asked.append(request.url))
    notebook.run_cell(0)
    play = notebook.run_cell(1).locator(".kubeai-playground")
    files = play.locator("input[type=file]")
    files.set_input_files([{"name": "a.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"}])
    expect(play.get_by_role("alert")).to_contain_text("a.svg is not a PNG")
    files.set_input_files([{"name": "a.png", "mimeType": "image/png", "buffer": png(60, 40)}])
    expect(play.get_by_alt_text("Picture 1")).to_be_visible()
    ask(play, "Which colour is it?")
    expect(play.get_by_role("alert")).to_contain_text("smol is not known to read pictures")
    expect(play.get_by_label("Prompt", exact=True)).to_have_value("Which colour is it?")
    play.get_by_label("The model reads pictures").check()
    notebook.picture("playground_picture", play)
    play.get_by_label("Prompt", exact=True).press("Enter")
    shown = play.get_by_alt_text("Picture 1 of this prompt")
    expect(shown).to_be_visible()
    expect(shown).to_have_js_property("naturalWidth", 60)
    # This one, of a real engine, does not.
    expect(play.locator(".kubeai-playground-note")).to_contain_text("images", timeout=LONG_MS)
    assert not [url for url in asked if ".png" in url]
    notebook.picture("playground_picture_sent", play)


SAID = r"""
text = r'''The mean is
\[
\bar{x} = \frac{1}{n} \sum_{i=1}^{n} x_i, \qquad A = \begin{pmatrix} a & b \\ c & d \end{pmatrix}
\]
and \(e^{i\pi} + 1 = 0\). It costs $5 or $6; \(\href{javascript:alert(1)}{x}\) is no formula.

```python
6 * 7
```'''
play.messages = [dict(role="user", content="What is the mean?"), dict(role="assistant", content=text)]
"""


def test_draws_formulas_once_there_are_some(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE, PLAY, SAID)
    notebook.run_cell(0)
    play = notebook.run_cell(1).locator(".kubeai-playground")
    notebook.run_cell(2)
    formulas = play.locator("math")
    expect(formulas).to_have_count(2)
    expect(play).to_contain_text("It costs $5 or $6; \\(\\href{javascript:alert(1)}{x}\\) is no formula.")
    expect(formulas.first.locator("mtable")).to_have_count(1)
    assert play.locator(".kubeai-markdown a").count() == 0
    notebook.picture("playground_formulas", play)


def focus(play: Any) -> str:
    """The name of what has the focus."""
    name = "() => document.activeElement.ariaLabel || document.activeElement.textContent"
    return str(play.page.evaluate(name))


def tab_to(play: Any, name: str, *, key: str = "Tab") -> None:
    """Press Tab until this has the focus."""
    for _ in range(40):
        if focus(play) == name:
            return
        play.page.keyboard.press(key)
    pytest.fail(f"Tab does not reach {name}; it reaches {focus(play)}")


def test_is_used_by_the_keyboard_alone(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE, PLAY)
    notebook.run_cell(0)
    play = notebook.run_cell(1).locator(".kubeai-playground")
    keyboard = notebook.page.keyboard
    play.get_by_label("Column 1", exact=True).focus()
    tab_to(play, "Settings")
    keyboard.press("Enter")
    for _ in range(7):
        keyboard.press("Tab")
    keyboard.type(MANY_WORDS)
    tab_to(play, "Prompt")
    keyboard.type("Count from one to one thousand")
    keyboard.press("Shift+Enter")
    keyboard.type("in words.")
    expect(play.get_by_label("Prompt", exact=True)).to_have_value("Count from one to one thousand\nin words.")
    tab_to(play, "Send")
    keyboard.press("Enter")
    expect(play.locator(".kubeai-markdown")).not_to_be_empty(timeout=LONG_MS)
    assert focus(play) == "Stop"
    keyboard.press("Enter")
    has_ended(play)
    expect(play.get_by_label("Prompt", exact=True)).to_be_focused()

    tab_to(play, "Settings", key="Shift+Tab")
    keyboard.press("Tab")
    keyboard.press("Tab")
    keyboard.press("Tab")
    keyboard.type("5")
    for _ in range(4):
        keyboard.press("Tab")
    keyboard.press("Control+a")
    keyboard.press("Delete")
    tab_to(play, "Edit this prompt")
    keyboard.press("Enter")
    expect(play.get_by_label("The prompt, edited")).to_be_focused()
    keyboard.press("Control+a")
    keyboard.type("Is Brie")
    keyboard.press("Shift+Enter")
    keyboard.type("a cheese?")
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(play.locator(".kubeai-playground-branches")).to_contain_text("2/2")
    words = play.locator(".kubeai-playground-prompt > .kubeai-playground-words")
    expect(words).to_have_text(re.compile(r"^Is Brie\na cheese\?$"))
    has_ended(play)
    expect(play.get_by_label("Prompt", exact=True)).to_be_focused()
    tab_to(play, "The version before", key="Shift+Tab")
    keyboard.press("Enter")
    expect(play.locator(".kubeai-playground-branches")).to_contain_text("1/2")
    tab_to(play, "The next version")
    keyboard.press("Enter")
    expect(play.locator(".kubeai-playground-branches")).to_contain_text("2/2")
    tab_to(play, "Compare with another Model or adapter", key="Shift+Tab")
    keyboard.press("Enter")
    expect(play.get_by_label("Column 2", exact=True)).to_be_visible()
    assert focus(play) == "Compare with another Model or adapter"
