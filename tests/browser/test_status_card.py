import re
import time
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

SHOW = """
import time
from kubeai_notebook.views.status_card import StatusCard
from kubeai_notebook.present.wire import Card, CardFact, CardFinding, CardRemedy

def facts(ready):
    rows = {
        "Replicas": f"{ready} of 1 ready", "Engine": "llama.cpp, in place of Ollama",
        "Profile": "cpu:1", "Source": "ollama://smollm2:135m",
    }
    return tuple(CardFact(label=label, value=value) for label, value in rows.items())

now = time.time()
pulling = Card(
    name="smol", namespace="default", phase="Pulling", tone="busy", announcement="Model smol is Pulling.",
    detail="Pulling weights: 41 of 93 MB.", progress=0.44, facts=facts(0), phase_since_seconds=now - 38,
)
card = StatusCard(pulling)
card
"""
READY = """
card.update(pulling.model_copy(update=dict(
    phase="Ready", tone="good", announcement="Model smol is Ready.", detail="Answered in 0.4 s.", progress=None,
    facts=facts(1), phase_since_seconds=now)))
"""
FAILING = """
def advice(number, title):
    return CardRemedy(id=str(number), number=number, title=title, kind="advice")

finding = CardFinding(
    code="OutOfMemory", message="The engine was killed: it needs more memory than its profile gives.",
    evidence="Last state: Terminated, OOMKilled, exit code 137\\nllama_model_load: error loading model",
    remedies=(advice(3, "Use a larger profile, such as --profile cpu:2."), advice(4, "Serve a smaller model.")))
card.update(pulling.model_copy(update=dict(
    phase="Failing", tone="bad", announcement=f"Model smol is Failing. {finding.message}",
    detail="The engine stopped 3 times.", progress=None, next_step="Waiting for you.", findings=(finding,),
    link="reconnecting", link_since_seconds=time.time() - 12)))
"""


def test_follows_a_model_from_pulling_to_failing(open_notebook: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW, READY, FAILING)
    notebook.theme("Light")
    card = notebook.run_cell(0).locator(".kubeai-card")
    for text in ("smol", "Pulling", "41 of 93 MB", "44 %", "llama.cpp, in place of Ollama"):
        expect(card).to_contain_text(text)
    notebook.picture("pulling", card)

    notebook.run_cell(1)
    expect(card.locator(".kubeai-card-phase")).to_contain_text("Ready")
    expect(card).to_contain_text("1 of 1 ready")
    expect(card.get_by_role("progressbar")).to_be_hidden()
    expect(card.get_by_role("status")).to_have_text("Model smol is Ready.")
    notebook.picture("ready", card)

    notebook.run_cell(2)
    expect(card.get_by_role("listitem")).to_have_count(2)
    assert [item.evaluate("item => item.value") for item in card.get_by_role("listitem").all()] == [3, 4]
    expect(card.get_by_role("alert")).to_contain_text("Model smol is Failing. The engine was killed")
    expect(card).to_contain_text("Not connected since")
    notebook.picture("failing_light", card)

    notebook.theme("Dark")
    notebook.picture("failing_dark", card)


def test_stays_whole_at_320_pixels(open_notebook: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW, FAILING)
    output = notebook.run_cell(0)
    notebook.run_cell(1)
    card = output.locator(".kubeai-card")
    expect(card.get_by_role("listitem")).to_have_count(2)
    card.evaluate("card => { card.parentElement.style.width = '320px' }")
    assert card.evaluate("card => card.scrollWidth <= card.clientWidth")
    notebook.picture("narrow", card)


def test_says_when_its_kernel_has_gone(open_notebook: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW)
    card = notebook.run_cell(0).locator(".kubeai-card")
    expect(card).to_be_visible()
    notebook.restart_kernel()
    expect(card).to_contain_text("No longer followed")


def test_comes_back_when_the_page_is_loaded_again(open_notebook: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW)
    card = notebook.run_cell(0).locator(".kubeai-card")
    expect(card).to_be_visible()
    notebook.command("docmanager:save")
    began = time.monotonic()
    notebook.reload()
    expect(card.locator(".kubeai-card-word")).to_have_text("Pulling")
    expect(notebook.output(0).locator(".kubeai-snapshot")).to_be_hidden()
    away_seconds = int(time.monotonic() - began)
    minutes, seconds = re.findall(r"(?:(\d+) min )?(\d+) s", card.locator(".kubeai-card-elapsed").inner_text())[0]
    # One second less: the text ticks once a second.
    assert 60 * int(minutes or 0) + int(seconds) >= 38 + away_seconds - 1
