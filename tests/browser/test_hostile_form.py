"""All hostile texts in a form: as what the cluster and the hub say, as what is typed, and as what is pasted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.hostile import hostile
from tests.support.hostile_world import hostile_cluster
from tests.support.http_server import HttpServer, Received, json_answer

from .test_form import button, control, shown_form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.http_server import Answer

    from .notebook import Notebook

pytestmark = pytest.mark.browser

SHOW = """
import json, os, kubeai_notebook
os.environ["HF_ENDPOINT"] = {hub!r}
texts = json.load(open({file!r}))
%load_ext kubeai_notebook
%config KubeAI.context = "x"
%config KubeAI.kubeconfig = {kubeconfig!r}
%config KubeAI.endpoint = "http://127.0.0.1:9"
form = kubeai_notebook.form()
form
"""
# Each text as the url, and as one of the other fields; the last of them stay.
TYPED = """
import itertools
for text, name in zip(texts, itertools.cycle(["engine", "name", "resource_profile", "features", "image"])):
    form.url.value = text
    getattr(form, name).value = (text,) if name == "features" else text
"""
# The kinds of elements in a part of the page, with their attributes and where they lead; none of a text's own is there.
KINDS = """part => [...new Set([...part.querySelectorAll("*")].flatMap(node => [node.localName,
  ...[...node.attributes].map(({ name, value }) => {
    const leads = ["src", "href", "srcset", "action", "formaction", "data", "poster", "xlink:href"].includes(name);
    return `${node.localName} ${name}${leads || (name === "style" && value.includes("url(")) ? `=${value}` : ""}`;
  })]))].sort()"""
BOX = "part => { const { x, width } = part.getBoundingClientRect(); return [x, width, document.body.scrollWidth]; }"
# What an element gets with use: what is wrong, hidden, chosen, suggested or said by our own scripts.
OURS = {"aria-invalid", "aria-describedby", "aria-disabled", "aria-expanded", "class", "data-severity", "data-value",
        "hidden", "id", "list", "placeholder", "rows", "style", "title", "value"}  # fmt: skip


@pytest.fixture
def sink() -> Iterator[HttpServer]:
    """A server that nobody has a reason to ask."""
    with HttpServer(lambda _request: None) as sink:
        yield sink


@pytest.fixture
def texts(sink: HttpServer) -> list[str]:
    """Without those that are only long, and as they come through a browser and a file."""
    return [row.text.encode("utf-8", "replace").decode() for row in hostile(sink.port) if row.where != "size"]


@pytest.fixture
def hub(texts: list[str]) -> Iterator[HttpServer]:
    """A hub whose every word is hostile."""
    words = "\n".join(texts)

    def answer(_request: Received) -> Answer:
        config = {"model_type": words, "architectures": texts, "num_hidden_layers": 24, "hidden_size": words}
        weights = {"parameters": dict.fromkeys(texts, 1_000_000)}
        return json_answer({**config, "id": words, "safetensors": weights, "siblings": [{"rfilename": words}]})

    with HttpServer(answer) as server:
        yield server


@pytest.fixture
def notebook(
    open_notebook: Callable[..., Notebook], texts: list[str], sink: HttpServer, hub: HttpServer, tmp_path: Path
) -> Iterator[Notebook]:
    """One with a form of a cluster that says hostile words; at the end nothing may have happened."""
    file = tmp_path / "texts.json"
    file.write_text(json.dumps(texts))
    with hostile_cluster(tmp_path, texts) as kubeconfig:
        notebook = open_notebook(SHOW.format(hub=hub.address, kubeconfig=str(kubeconfig), file=str(file)), TYPED)
        dialogs: list[str] = []
        notebook.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        yield notebook
        assert dialogs == []
        assert notebook.page.evaluate("window.__owned") is None
        assert sink.received == []


@pytest.fixture
def form(notebook: Notebook) -> Any:
    """With a row of each kind, and suggestions that are hostile."""
    from playwright.sync_api import expect

    form = shown_form(notebook)
    expect(form.locator("option").filter(has_text="__owned").first).to_be_attached()
    for title in ("LoRA adapters", "Engine arguments", "Environment", "Files"):
        button(form, f"Add a row to {title}").click()
    return form


def test_shows_hostile_words_that_are_typed(notebook: Notebook, form: Any, texts: list[str]) -> None:
    from playwright.sync_api import expect

    before, box = kinds(notebook), form.evaluate(BOX)
    notebook.run_cell(1)
    expect(control(form, "url")).to_have_value(texts[-1])
    notebook.picture("hostile_form_typed")
    assert kinds(notebook) - before == set()
    assert form.evaluate(BOX) == box


def test_shows_hostile_words_that_are_pasted(notebook: Notebook, form: Any, texts: list[str], hub: HttpServer) -> None:
    from playwright.sync_api import expect

    before, box = kinds(notebook), form.evaluate(BOX)
    named = {f"A{number}": text for number, text in enumerate(texts)}
    fields = {"args": texts, "env": named, "adapters": named, "files": {f"/{text}": text for text in texts}}
    form.get_by_role("tab", name="YAML").click()
    editor = form.locator(".kubeai-form-code textarea")
    for text in texts[::40]:
        editor.fill(text)
        button(form, "Fill the form with this").click()
        expect(form.locator(".kubeai-form-code .kubeai-form-message[role=alert]")).not_to_be_empty()
    editor.fill(json.dumps({"name": "m0", "url": "hf://org/repo", **fields}))
    button(form, "Fill the form with this").click()
    for name in fields:
        # Some hundred rows of each are drawn, and their lines.
        expect(form.locator(f".kubeai-form-{name} .kubeai-form-row")).to_have_count(len(set(texts)), timeout=30_000)
    notebook.picture("hostile_form_pasted")
    for title in ("Summary", "Magic", "Python"):
        form.get_by_role("tab", name=title).click()
        assert kinds(notebook) - before == set()
    assert form.evaluate(BOX) == box
    assert hub.received


def kinds(notebook: Notebook) -> set[str]:
    """The kinds of elements and of their attributes in the form's cell, but for those that our scripts bring."""
    return {kind for kind in notebook.output(0).evaluate(KINDS) if kind.partition(" ")[2] not in OURS}
