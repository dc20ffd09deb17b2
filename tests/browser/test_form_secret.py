"""Where a secret goes that is typed into a form: into one message, and from there into the Model's own Secret."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.daemon import Daemon

from .test_card_story import tells_phase
from .test_form import SHOW, URL, button, fill, shown_form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import Lab
    from .installation import Installation
    from .notebook import Notebook

pytestmark = pytest.mark.browser

SECRET = "correct-horse-battery"
FORMS = [SECRET.encode(), base64.b64encode(SECRET.encode())]
SAVE_STATE = "@jupyter-widgets/jupyterlab-manager:saveWidgetState"


class Traffic:
    """All that a page sends and receives, by HTTP and by the kernel's WebSocket."""

    def __init__(self, page: Any) -> None:
        self.sent: list[bytes] = []
        self.received: list[bytes] = []
        page.on("websocket", self._opened)
        page.on("request", lambda request: self.sent.append(request.post_data_buffer or b""))

    def _opened(self, socket: Any) -> None:
        socket.on("framesent", lambda frame: self.sent.append(_bytes(frame)))
        socket.on("framereceived", lambda frame: self.received.append(_bytes(frame)))


def _bytes(frame: str | bytes) -> bytes:
    return frame if isinstance(frame, bytes) else frame.encode()


def with_secret(texts: list[bytes]) -> list[bytes]:
    return [text for text in texts if any(form in text for form in FORMS)]


@pytest.fixture
def notebook(open_notebook: Callable[..., Notebook], traffic: Traffic) -> Iterator[Notebook]:
    """One that saves the state of its widgets, as the next shall not."""
    del traffic  # it listens before a page is opened
    notebook = open_notebook(SHOW)
    notebook.command(SAVE_STATE)
    yield notebook
    notebook.command(SAVE_STATE)


@pytest.fixture
def traffic(page: Any) -> Traffic:
    return Traffic(page)


@pytest.fixture
def no_preset(installation: Installation) -> Iterator[None]:
    """After a story its preset is removed: the form would ask before it replaces it."""
    yield
    installation.run("python", "-c", "from kubeai_notebook.store import remove_preset; remove_preset('smol')")


@pytest.mark.usefixtures("no_models", "no_preset")
def test_sends_a_typed_secret_once_and_keeps_it_nowhere(
    notebook: Notebook, traffic: Traffic, page: Any, lab: Lab, installation: Installation
) -> None:
    from playwright.sync_api import expect

    form = shown_form(notebook)
    fill(form, url=URL, name="smol")
    secret = form.locator(".kubeai-form-secret")
    secret.get_by_label("Variable").fill("HF_TOKEN")
    secret.get_by_label("Value").press_sequentially(SECRET)
    button(form, "Keep").click()
    expect(secret).to_contain_text("HF_TOKEN is kept")
    for title in ("Summary", "YAML", "Magic", "Python"):
        form.get_by_role("tab", name=title).click()
        expect(form.locator(".kubeai-form-code")).to_contain_text("Copy")
    button(form, "Save as preset").click()
    expect(form).to_contain_text("stands under Start from")
    button(form, "Check").click()
    expect(button(form, "Check")).to_have_attribute("aria-disabled", "false")
    button(form, "Deploy").click()
    card = form.locator(".kubeai-card")
    tells_phase(card, "Ready")
    card.locator("summary").click()
    notebook.command("docmanager:save")
    path = lab.root / page.evaluate("() => jupyterapp.shell.currentWidget.context.path")

    secrets = Daemon(installation.home / "local").api("GET", "/api/v1/namespaces/default/secrets")[1]["items"]
    assert [item["data"]["HF_TOKEN"] for item in secrets] == [base64.b64encode(SECRET.encode()).decode()]
    [message] = with_secret(traffic.sent)
    assert b'"keep"' in message
    assert with_secret(traffic.received) == []
    saved = path.read_bytes()
    assert b"application/vnd.jupyter.widget-state+json" in saved
    assert b"HF_TOKEN" in saved
    assert with_secret([saved]) == []
    folders = (installation.home, Path(os.environ["XDG_DATA_HOME"]))
    kept = [file for folder in folders for file in folder.rglob("*") if file.is_file() and "local" not in file.parts]
    assert any(file.name == "answers.db" for file in kept)
    assert [file for file in kept if SECRET.encode() in file.read_bytes()] == []
