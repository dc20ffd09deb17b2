"""The sidebar on this machine's KubeAI, as its user handles it beside a notebook."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fake_api import MODELS, model

from .notebook import RECORD
from .test_card_story import LOAD, SERVE, SETTLES_MS, URL, button, tells_phase
from .test_form import fill
from .test_sidebar_scripted import TAB, lab_with, opened, row, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.fake_api import FakeApi

    from .conftest import Lab
    from .installation import Installation
    from .notebook import Notebook

pytestmark = pytest.mark.browser

STARTS_MS = 90_000
"""How long a daemon may take to start on a busy machine."""
# Whether a card that is recorded has left Ready and come back to it.
WAS_AWAY = "sidebar => sidebar.seen.length > 1 && sidebar.seen.at(-1) === 'Ready'"


def shown(page: Any) -> Any:
    """The sidebar, which is opened by its icon."""
    from playwright.sync_api import expect

    page.locator(TAB).click()
    sidebar = page.locator("#kubeai-sidebar")
    expect(sidebar).to_be_visible()
    return sidebar


def heads(sidebar: Any, heading: str) -> None:
    """There is a phase with so many Models, such as ``Ready (1)``."""
    from playwright.sync_api import expect

    expect(sidebar.get_by_role("heading", name=heading, exact=True)).to_be_visible(timeout=SETTLES_MS)


def free_port() -> int:
    """One for a server that is to start a second time at the same address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main_tab(page: Any, title: str) -> Any:
    """A tab of the main area."""
    return page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab").filter(has_text=title)


def test_tells_how_to_start(open_notebook: Callable[..., Any], installation: Installation) -> None:
    from playwright.sync_api import expect

    # Where a story before has ended its daemon, the server half says that, and starts none anew.
    installation.run("kubeai-local", "start")
    notebook = open_notebook("1")
    page = notebook.page
    notebook.theme("Light")
    sidebar = shown(page)
    # The text that is seen: these lines come once the server half has a cluster.
    lines = "%load_ext kubeai_notebook", "%kubeai_serve smol ollama://smollm2:135m"
    expect(sidebar).to_contain_text(lines[0], use_inner_text=True, timeout=STARTS_MS)
    expect(sidebar).to_contain_text(lines[1], use_inner_text=True)
    notebook.picture("sidebar_light")

    copy = sidebar.get_by_role("button", name="Copy %load_ext kubeai_notebook")
    copy.click()
    expect(copy).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "%load_ext kubeai_notebook"

    notebook.theme("Dark")
    notebook.picture("sidebar_dark")


def test_is_opened_by_the_toolbar_of_a_notebook(open_notebook: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook("1")
    sidebar = notebook.page.locator("#kubeai-sidebar")
    expect(sidebar).to_be_hidden()
    opener = notebook.panel.locator(".jp-Toolbar").get_by_role("button", name="KubeAI")
    opener.click()
    expect(sidebar.get_by_role("button", name="Serve a model …")).to_be_visible()
    # It opens, and closes nothing.
    opener.click()
    expect(sidebar).to_be_visible()
    notebook.picture("toolbar")


@pytest.mark.usefixtures("no_models")
def test_serves_a_model_and_follows_it_until_it_is_deleted(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook("")
    page = notebook.page
    sidebar = shown(page)
    sidebar.evaluate(RECORD, "h3")
    button(sidebar, "Serve a model …").click()
    form = page.locator(".kubeai-tab:not(.lm-mod-hidden) .kubeai-form").first
    expect(button(form, "Deploy")).to_be_visible(timeout=60_000)
    fill(form, url=URL, name="smol")
    button(form, "Deploy").click()
    heads(sidebar, "Ready (1)")
    expect(row(sidebar, "smol")).to_have_text("smol 1/1")
    *before, last = sidebar.evaluate("sidebar => sidebar.seen")
    assert ("Loading (1)" in before, last) == (True, "Ready (1)"), before
    main_tab(page, "Serve a model").locator(".lm-TabBar-tabCloseIcon").click()
    expect(notebook.panel).to_be_visible()

    search = sidebar.get_by_label("Search Models")
    search.fill("nothing of the kind")
    expect(row(sidebar, "smol")).to_be_hidden()
    expect(sidebar).to_contain_text("No Model here matches.", use_inner_text=True)
    search.fill("ollama smo")
    row(sidebar, "smol").click()

    button(sidebar, "Insert code").click()
    expect(sidebar).to_contain_text("The code is in the active cell", use_inner_text=True)
    expect(notebook.cell(0).locator(".cm-content")).to_contain_text("smol")
    answer = notebook.run_cell(0).locator('[data-mime-type="application/vnd.jupyter.stdout"]')
    expect(answer).to_have_text(re.compile(r"\w"))
    expect(notebook.output(0)).not_to_contain_text("Error")
    notebook.picture("sidebar_code")

    sidebar.get_by_text("Events and log").click()
    expect(sidebar.get_by_role("list", name="Events, the newest first").locator("li").first).to_be_visible()
    expect(sidebar.get_by_role("region", name="Log of smol")).to_have_text(re.compile("llama|model|smollm2"))
    notebook.picture("sidebar_log")

    button(sidebar, "Delete …").click()
    expect(sidebar.locator(".kubeai-panel")).to_contain_text("Really delete smol? With it goes 1 Pod")
    button(sidebar, "Delete smol").click()
    expect(sidebar.get_by_text("This Model is not there any more.")).to_be_visible(timeout=SETTLES_MS)
    back = sidebar.get_by_role("button", name="All Models")
    expect(back).to_be_focused()
    page.keyboard.press("Enter")
    expect(sidebar).to_contain_text("There are no Models here yet.", use_inner_text=True)


@pytest.mark.usefixtures("no_models")
def test_explains_a_failing_model_and_cures_it_by_its_button(open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(f"{LOAD}\n%kubeai_serve bad --url {URL} --force --yes -- --max-model-len=999999")
    sidebar = shown(notebook.page)
    notebook.run_cell(0)
    heads(sidebar, "Failing (1)")
    row(sidebar, "bad").click()
    finding = sidebar.locator(".kubeai-card-finding").first
    expect(finding).to_contain_text("999999", timeout=SETTLES_MS)
    notebook.picture("sidebar_failing")
    button(sidebar, "Show the change of fix 1").click()
    question = sidebar.locator(".kubeai-panel")
    expect(question).to_contain_text("999999")
    expect(question).to_contain_text("Its Pods are replaced.")
    expect(button(question, "Keep as it is")).to_be_focused()
    notebook.picture("sidebar_diff")
    button(question, "Apply").click()
    expect(sidebar.locator(".kubeai-card-outcome")).to_contain_text("with --max-model-len=8192. Its Pods are replaced.")
    expect(sidebar.locator(".kubeai-card-word")).to_have_text("Ready", timeout=SETTLES_MS)
    expect(finding).to_be_hidden()
    sidebar.get_by_role("button", name="All Models").click()
    heads(sidebar, "Ready (1)")


@pytest.mark.usefixtures("no_models")
def test_shows_in_every_tab_what_is_done_in_one(open_notebook: Callable[..., Notebook], lab: Lab) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE)
    first = shown(notebook.page)
    notebook.run_cell(0)
    heads(first, "Ready (1)")
    other = notebook.page.context.new_page()
    other.goto(f"{lab.url}lab/workspaces/other?reset&token={lab.token}")
    expect(other.locator("#jupyterlab-splash")).to_have_count(0)
    second = shown(other)
    both = first, second
    for sidebar in both:
        row(sidebar, "smol").click()
        tells_phase(sidebar, "Ready")

    first.evaluate(RECORD, ".kubeai-card-word")
    button(second, "Restart").click()
    expect(second.locator(".kubeai-card-outcome")).to_contain_text("replaced")
    notebook.page.wait_for_function(WAS_AWAY, arg=first.element_handle(), timeout=SETTLES_MS)

    button(first, "More replicas").click()
    for sidebar in both:
        expect(sidebar).to_contain_text("2 of 2 ready", timeout=SETTLES_MS)
        expect(sidebar.locator(".kubeai-card-count")).to_have_text("2")
    button(second, "Pause").click()
    for sidebar in both:
        tells_phase(sidebar, "Paused")
    button(first, "Resume").click()
    for sidebar in both:
        tells_phase(sidebar, "Ready")
        expect(sidebar).to_contain_text("2 of 2 ready", timeout=SETTLES_MS)


@pytest.mark.usefixtures("no_models")
def test_says_that_its_server_is_away_and_goes_on_by_itself(
    page: Any, installation: Installation, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    port = free_port()
    here = "import kubeai_notebook as k; k"
    installation.run("python", "-c", f"{here}.serve('smol', '{URL}').wait()")
    page.add_locator_handler(page.locator(".jp-Dialog", has_text="Server Connection Error"), close_for_good)
    with lab_with(installation, tmp_path / "lab", port=port) as lab:
        sidebar = opened(page, lab)
        heads(sidebar, "Ready (1)")
        row(sidebar, "smol").click()
        tells_phase(sidebar, "Ready")
    away = sidebar.get_by_role("alert").filter(has_text="The Jupyter server does not answer.")
    expect(away).to_contain_text("All goes on as soon as it is back.")
    expect(sidebar.get_by_text("Not connected since").first).to_be_visible()
    page.screenshot(path=tmp_path / "away.png")
    installation.run("python", "-c", f"{here}.attach('smol').scale(2)")
    with lab_with(installation, tmp_path / "lab", port=port):
        expect(sidebar).to_contain_text("2 of 2 ready", timeout=SETTLES_MS)
        expect(away).to_be_hidden()
        expect(sidebar.get_by_text("Not connected since").first).to_be_hidden()
        button(sidebar, "Pause").click()
        tells_phase(sidebar, "Paused")
        page.screenshot(path=tmp_path / "back.png")


@pytest.mark.usefixtures("no_models")
def test_says_that_kubeai_on_this_machine_was_stopped_and_goes_on_when_it_starts(
    page: Any, lab: Lab, installation: Installation
) -> None:
    from playwright.sync_api import expect

    installation.run("python", "-c", f"import kubeai_notebook as k; k.serve('smol', '{URL}').wait()")
    sidebar = opened(page, lab)
    heads(sidebar, "Ready (1)")
    installation.run("kubeai-local", "stop")
    alert = sidebar.get_by_role("alert")
    expect(alert).to_contain_text("KubeAI on this machine is not running.")
    expect(alert).to_contain_text("%kubeai_local start starts it.")
    expect(sidebar).to_contain_text("What follows is as it was then.", use_inner_text=True)
    installation.run("kubeai-local", "start")
    heads(sidebar, "Ready (1)")
    expect(alert).to_be_empty(timeout=SETTLES_MS)
    row(sidebar, "smol").click()
    button(sidebar, "Pause").click()
    tells_phase(sidebar, "Paused")


def close_for_good(dialog: Any) -> None:
    """Close one of JupyterLab's own, as a reader does who has seen it."""
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="Close").click()


IN_THE_WAY = {
    "no rights": ("may not list models", "Ask an administrator for that right."),
    "no KubeAI": ("has no KubeAI", "Ask an administrator to install it"),
    "cluster down": ("does not answer", 'switch to the context "local" at the top of the sidebar'),
}


@pytest.mark.parametrize("state", IN_THE_WAY)
def test_says_what_is_in_the_way_and_leads_out_of_it(
    state: str,
    page: Any,
    installation: Installation,
    clusters: tuple[FakeApi, FakeApi],
    kubeconfig: Callable[..., str],
    tmp_path: Path,
) -> None:
    from playwright.sync_api import expect

    well, other = clusters
    other.refuses_models = state == "no rights"
    if state == "no KubeAI":
        del other.objects[MODELS]
    config = kubeconfig(well.url, "http://127.0.0.1:9" if state == "cluster down" else other.url)
    with lab_with(installation, tmp_path / "lab", f"--KubeAI.kubeconfig={config}", "--KubeAI.context=b") as lab:
        sidebar = opened(page, lab)
        alert = sidebar.get_by_role("alert")
        for words in IN_THE_WAY[state]:
            expect(alert).to_contain_text(words, use_inner_text=True)
        expect(sidebar).not_to_contain_text("There are no Models here yet.", use_inner_text=True)
        place = sidebar.locator(".kubeai-sidebar-place")
        place.locator("summary").click()
        context = place.get_by_label("Context")
        expect(context).to_have_value("b")
        page.screenshot(path=tmp_path / "in_the_way.png")

        switch_to(place, "a")
        expect(row(sidebar, "smol")).to_be_visible()
        expect(place.locator("summary")).to_have_text("KubeAI in default on a")
        expect(alert).to_be_empty()

        switch_to(place, "b")
        for words in IN_THE_WAY[state]:
            expect(place.get_by_role("status")).to_contain_text(words)
        expect(place.locator("summary")).to_have_text("KubeAI in default on a")
        expect(row(sidebar, "smol")).to_be_visible()


def switch_to(place: Any, context: str) -> None:
    place.get_by_label("Context").select_option(context)
    button(place, "Switch").click()


def test_works_where_the_settings_say(
    page: Any,
    installation: Installation,
    clusters: tuple[FakeApi, FakeApi],
    kubeconfig: Callable[..., str],
    tmp_path: Path,
) -> None:
    from playwright.sync_api import expect

    clusters[1].put(MODELS, model("of-b"))
    config = kubeconfig(*(api.url for api in clusters))
    with lab_with(installation, tmp_path / "lab", f"--KubeAI.kubeconfig={config}") as lab:
        sidebar = opened(page, lab)
        summary = sidebar.locator(".kubeai-sidebar-place summary")
        expect(summary).to_have_text("KubeAI in default on a")
        context = settings(page).locator('input[id$="_context"]')
        context.fill("b")
        expect(summary).to_have_text("KubeAI in default on b")
        expect(row(sidebar, "of-b")).to_be_visible()
        page.screenshot(path=tmp_path / "settings.png")

        context.fill("nowhere")
        told = page.locator(".jp-toastContainer .Toastify__toast").filter(has_text="cannot work where its settings say")
        told.get_by_role("button", name="Why").click()
        why = page.locator(".jp-Dialog")
        expect(why).to_contain_text('it has no context "nowhere"; there is a, b.')
        page.screenshot(path=tmp_path / "settings_refused.png")
        why.get_by_role("button", name="Close").click()
        expect(summary).to_have_text("KubeAI in default on b")
        expect(context).to_have_value("nowhere")
        context.fill("a")
        expect(summary).to_have_text("KubeAI in default on a")
        expect(told).to_be_hidden()
        context.fill("b")
        expect(summary).to_have_text("KubeAI in default on b")

        page.reload()
        expect(summary).to_have_text("KubeAI in default on b")


def test_goes_on_where_the_settings_say_after_its_server_was_started_anew(
    page: Any,
    installation: Installation,
    clusters: tuple[FakeApi, FakeApi],
    kubeconfig: Callable[..., str],
    tmp_path: Path,
) -> None:
    from playwright.sync_api import expect

    folder, port = tmp_path / "lab", free_port()
    written = folder / "settings" / "kubeai-notebook" / "plugin.jupyterlab-settings"
    written.parent.mkdir(parents=True)
    written.write_text('{"context": "b"}')
    option = f"--KubeAI.kubeconfig={kubeconfig(*(api.url for api in clusters))}"
    page.add_locator_handler(page.locator(".jp-Dialog", has_text="Server Connection Error"), close_for_good)
    with lab_with(installation, folder, option, port=port) as lab:
        sidebar = opened(page, lab)
        summary = sidebar.locator(".kubeai-sidebar-place summary")
        expect(summary).to_have_text("KubeAI in default on b")
    expect(sidebar.get_by_role("alert")).to_contain_text("The Jupyter server does not answer.")
    clusters[1].put(MODELS, model("of-b"))
    with lab_with(installation, folder, option, port=port):
        expect(row(sidebar, "of-b")).to_be_visible()
        expect(summary).to_have_text("KubeAI in default on b")


@pytest.mark.usefixtures("no_models")
@pytest.mark.parametrize("area", ["Main Area", "Down Area", "Right Sidebar"])
def test_goes_on_where_it_is_moved_to(area: str, open_notebook: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SERVE, "")
    page = notebook.page
    sidebar = shown(page)
    notebook.run_cell(0)
    heads(sidebar, "Ready (1)")
    page.locator(TAB).click(button="right")
    page.locator(".lm-Menu-item").filter(has_text="Move Widget To").hover()
    page.get_by_role("menuitem", name=f"Move to {area}").click()
    heads(sidebar, "Ready (1)")
    row(sidebar, "smol").click()
    tells_phase(sidebar, "Ready")
    button(sidebar, "More replicas").click()
    expect(sidebar).to_contain_text("2 of 2 ready", timeout=SETTLES_MS)
    button(sidebar, "Insert code").click()
    expect(sidebar).to_contain_text("The code is in the active cell of", use_inner_text=True)
    notebook.picture("sidebar_moved")
