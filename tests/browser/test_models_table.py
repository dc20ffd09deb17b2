"""The live table of fifty Models, whose API is scripted: no engine runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fake_api import CLAIMS, EVENTS, JOBS, MODELS, PODS, FakeApi, kubeconfig, model, pod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import Lab
    from .notebook import Notebook

pytestmark = pytest.mark.browser

COUNT = 50
SECRET = "correct-horse-battery"


def put_models(api: FakeApi, count: int) -> None:
    """So many Models that are ready, ``m00`` and on."""
    for path in (MODELS, PODS, EVENTS, JOBS, CLAIMS, "apis/kubeai.org/v1/models"):
        api.objects[path] = {}
    for number in range(count):
        name = f"m{number:02}"
        api.put(MODELS, model(name))
        api.put(PODS, pod(f"model-{name}-1", name))


def connected_to(config: Path) -> str:
    """The first cell of a notebook that works there."""
    return (
        f'%load_ext kubeai_notebook\n%config KubeAI.context = "x"\n%config KubeAI.kubeconfig = {str(config)!r}\n'
        '%config KubeAI.endpoint = "http://127.0.0.1:9"\n%kubeai_models --live'
    )


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FakeApi]:
    with FakeApi().in_thread() as api:
        put_models(api, COUNT)
        yield api


def row(table: Any, name: str) -> Any:
    return table.locator("tbody tr").filter(has=table.page.get_by_role("rowheader", name=name, exact=True))


def test_follows_fifty_models_and_is_handled_by_keys(
    open_notebook: Callable[..., Notebook], api: FakeApi, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(connected_to(kubeconfig(api, tmp_path)))
    notebook.page.set_viewport_size({"width": 1200, "height": 2200})
    notebook.theme("Light")
    output = notebook.run_cell(0)
    table = output.locator(".kubeai-models")
    expect(table.locator("tbody tr")).to_have_count(COUNT)
    api.change(MODELS, model("m07", replicas=0, minReplicas=0))
    api.change(PODS, pod("model-m07-1", "m07"), gone=True)
    expect(row(table, "m07")).to_contain_text("Asleep")
    api.change(MODELS, model("m09"), gone=True)
    expect(table.locator("tbody tr")).to_have_count(COUNT - 1)
    api.change(MODELS, model("another"))
    expect(table.locator("tbody tr").first).to_contain_text("another")
    notebook.picture("models_table", output)

    keys = notebook.page.keyboard
    card_of_row = table.get_by_role("button", name="Card of m00")
    table.get_by_role("button", name="Card of another").focus()
    keys.press("ArrowDown")
    expect(card_of_row).to_be_focused()
    keys.press("Enter")
    card = output.locator(".kubeai-card")
    expect(card.locator(".kubeai-card-name")).to_have_text("m00")
    keys.press("Tab")
    keys.press("Enter")
    question = table.locator(".kubeai-panel")
    expect(question).to_contain_text("Really delete m00? With it goes 1 Pod on cpu:1")
    notebook.picture("models_table_question", output)
    keys.press("Escape")
    expect(table.get_by_role("button", name="Delete m00")).to_be_focused()
    card_of_row.click()
    expect(card).to_have_count(0)

    long = "x" * 40
    api.change(MODELS, model(long))
    expect(row(table, long)).to_be_visible()
    notebook.theme("Dark")
    for width in (300, 400):
        table.evaluate("(table, width) => { table.parentElement.style.width = `${width}px` }", width)
        assert table.evaluate("table => table.scrollWidth <= table.clientWidth")
        assert row(table, long).evaluate("row => row.scrollWidth <= row.clientWidth")
        notebook.picture(f"models_table_{width}", row(table, long))
    assert row(table, "m00").evaluate("row => row.offsetHeight") < 80
    notebook.picture("models_table_dark")
    notebook.theme("Light")
    notebook.restart_kernel()
    expect(table).to_contain_text("No longer followed")
    expect(card_of_row).to_be_disabled()


def test_sends_and_saves_no_secret(
    open_notebook: Callable[..., Notebook], api: FakeApi, page: Any, lab: Lab, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    frames: list[bytes] = []

    def received(frame: str | bytes) -> None:
        frames.append(frame if isinstance(frame, bytes) else frame.encode())

    page.on("websocket", lambda socket: socket.on("framereceived", received))
    api.change(MODELS, model("m00", env={"API_TOKEN": SECRET}, args=[f"--api-key={SECRET}"]))
    involved = {"kind": "Pod", "name": "model-m00-1", "namespace": "default", "uid": f"uid-{PODS}-model-m00-1"}
    at = "2026-11-22T20:02:00Z"
    event = {"metadata": {"name": "m00-1"}, "involvedObject": involved, "reason": "BackOff", "lastTimestamp": at}
    api.change(EVENTS, {**event, "message": f"it ran with {SECRET} there"})
    api.logs["model-m00-1/server"] = f"the key is {SECRET} here"
    notebook = open_notebook(connected_to(kubeconfig(api, tmp_path)))
    output = notebook.run_cell(0)
    output.get_by_role("button", name="Card of m00").click()
    card = output.locator(".kubeai-card")
    card.locator("summary").click()
    expect(card.locator(".kubeai-card-events")).to_contain_text("it ran with")
    expect(card.locator(".kubeai-card-log")).to_contain_text("the key is")
    notebook.command("docmanager:save")
    expect(notebook.page.locator(".jp-NotebookPanel")).to_be_visible()
    saved = (lab.root / notebook.page.evaluate("() => jupyterapp.shell.currentWidget.context.path")).read_text()
    assert "kubeai-snapshot" in saved
    assert any(b"the key is" in frame for frame in frames)
    assert not any(SECRET.encode() in text for text in (saved.encode(), *frames))
