"""The sidebar on an API that is scripted: many Models, other clients, refusals, and a server without our half."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tests.support.fake_api import CLAIMS, EVENTS, JOBS, MODELS, PODS, FakeApi, kubeconfig, model, pod

from .accessibility import serious_faults
from .conftest import Lab, started_lab
from .notebook import Notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .installation import Installation

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

MOST_ROWS = 60
LONGEST_TASK_MS = 100
MOST_BYTES_BEFORE, MOST_BYTES = 10_000, 150_000
TAB = '.jp-SideBar .lm-TabBar-tab[data-id="kubeai-sidebar"]'
# Go to the last row at once, then scroll from the first to it; give the most rows that stood in the page.
SCROLL = """async (outer) => {
  let most = 0;
  outer.scrollTop = outer.scrollHeight;
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (let top = 0; top < outer.scrollHeight; top += 400) {
    outer.scrollTop = top;
    await new Promise((resolve) => setTimeout(resolve, 30));
    most = Math.max(most, document.querySelectorAll('.kubeai-sidebar-item').length);
  }
  return most;
}"""


def longest_task_ms(trace: bytes) -> float:
    """The longest task of the page's main thread, by the processor's time: a busy machine lets each wait for long."""
    events = json.loads(trace)["traceEvents"]
    threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [event for event in events if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in threads]
    return max(float(event.get("tdur", 0)) for event in tasks) / 1000


@contextmanager
def lab_with(installation: Installation, folder: Path, *options: str, port: int = 0, **variables: str) -> Iterator[Lab]:
    """A JupyterLab of its own, with these options; one that was started before in the same folder starts again.

    ``variables`` are laid over its environment.
    """
    root, runtime = folder / "root", folder / "runtime"
    root.mkdir(parents=True, exist_ok=True)
    quiet = folder / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True, exist_ok=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    command = [str(installation.folder / "bin" / "jupyter-lab"), "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", f"--ServerApp.root_dir={root}"]
    command += ["--LabApp.expose_app_in_browser=True", *options]
    own = {"JUPYTER_RUNTIME_DIR": str(runtime), "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces")}
    own["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    with (folder / "server.log").open("wb") as log:
        environment = {**installation.environment, **own, **variables}
        server = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield started_lab(server, runtime, root)
        finally:
            server.terminate()
            server.wait(timeout=30)


@pytest.fixture(scope="module")
def api() -> Iterator[FakeApi]:
    with FakeApi().in_thread() as api:
        yield api


@pytest.fixture(scope="module")
def scripted(installation: Installation, api: FakeApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("scripted")
    options = (f"--KubeAI.kubeconfig={kubeconfig(api, folder)}", "--KubeAI.context=x")
    put_models(api, 3)
    with lab_with(installation, folder, *options, "--KubeAI.endpoint=http://127.0.0.1:9") as lab:
        yield lab


def put_models(api: FakeApi, count: int) -> None:
    """So many Models that are ready, ``m0000`` and on; whoever watches is told."""
    for path in (PODS, EVENTS, JOBS, CLAIMS, "apis/kubeai.org/v1/models", MODELS):
        api.objects.setdefault(path, {})
    for name in list(api.objects[MODELS]):
        api.change(MODELS, model(name), gone=True)
    for number in range(count):
        name = f"m{number:04}"
        api.change(PODS, pod(f"model-{name}-1", name))
        api.change(MODELS, model(name))


def opened(page: Any, lab: Lab) -> Any:
    """The sidebar, opened in a JupyterLab without a notebook that has started: until then it takes the focus itself."""
    from playwright.sync_api import expect

    page.goto(f"{lab.url}lab?reset&token={lab.token}")
    expect(page.locator(".jp-LauncherCard").first).to_be_visible()
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    page.locator(TAB).click()
    return page.locator("#kubeai-sidebar")


def row(sidebar: Any, name: str) -> Any:
    return sidebar.locator(f'button[data-name="{name}"]')


def settings(page: Any) -> Any:
    """KubeAI's settings, opened as a user does."""
    page.keyboard.press("Control+,")
    page.locator(".jp-PluginList input").fill("KubeAI")
    page.locator(".jp-PluginList-entry").filter(has_text="KubeAI").first.click()
    return page.locator(".jp-SettingsPanel")


def theme(page: Any, name: str) -> None:
    from playwright.sync_api import expect

    page.evaluate("name => jupyterapp.commands.execute('apputils:change-theme', { theme: name })", f"JupyterLab {name}")
    expect(page.locator(f"body[data-jp-theme-name='JupyterLab {name}']")).to_be_attached()
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)


def test_shows_models_by_phase_and_what_another_client_makes_without_asking_again(
    page: Any, scripted: Lab, api: FakeApi, tmp_path: Path, axe: None
) -> None:
    from playwright.sync_api import expect

    put_models(api, 3)
    sidebar = opened(page, scripted)
    expect(sidebar.get_by_role("heading", name="Ready (3)")).to_be_visible()
    expect(sidebar.locator("summary").first).to_contain_text("default on x")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    api.change(MODELS, model("by-kubectl", replicas=0, minReplicas=0))
    expect(row(sidebar, "by-kubectl")).to_be_visible()
    assert [url for url in asked if "/kubeai/" in url] == []
    expect(sidebar.get_by_role("heading", name="Asleep (1)")).to_be_visible()

    sidebar.get_by_label("Search Models").fill("kube")
    expect(sidebar.locator("button[data-name]")).to_have_count(1)
    sidebar.get_by_label("Search Models").fill("")
    sidebar.get_by_label("Feature").select_option("TextGeneration")
    expect(sidebar.locator("button[data-name]")).to_have_count(4)
    for name in ("Light", "Dark"):
        theme(page, name)
        page.screenshot(path=tmp_path / f"sidebar_{name}.png")
        assert serious_faults(sidebar) == []
    row(sidebar, "m0001").click()
    expect(sidebar.locator(".kubeai-card-name")).to_have_text("m0001")
    page.screenshot(path=tmp_path / "card_dark.png")
    assert serious_faults(sidebar) == []


def test_loads_little_before_it_is_opened(page: Any, scripted: Lab, api: FakeApi) -> None:
    from playwright.sync_api import expect

    put_models(api, 1)
    answers: list[Any] = []

    def note(answer: Any) -> None:
        answers.append(answer)

    def loaded() -> dict[str, int]:
        """Our own files, and how many bytes each has."""
        ours = [answer for answer in answers if "/extensions/kubeai-notebook/static/" in answer.url]
        return {answer.url.rpartition("/")[2]: len(answer.body()) for answer in ours if ".js" in answer.url}

    page.on("response", note)
    page.goto(f"{scripted.url}lab?reset&token={scripted.token}")
    expect(page.locator(".jp-LauncherCard", has_text="Serve a model")).to_be_visible()
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    before = loaded()
    assert 0 < sum(before.values()) <= MOST_BYTES_BEFORE, before
    page.locator(TAB).click()
    expect(row(page.locator("#kubeai-sidebar"), "m0000")).to_be_visible()
    assert sum(before.values()) < sum(loaded().values()) <= MOST_BYTES, loaded()


def test_is_handled_by_keys(page: Any, scripted: Lab, api: FakeApi) -> None:
    from playwright.sync_api import expect

    put_models(api, 300)
    sidebar = opened(page, scripted)
    expect(row(sidebar, "m0000")).to_be_visible()
    sidebar.get_by_label("Search Models").focus()
    page.keyboard.press("ArrowDown")
    expect(row(sidebar, "m0000")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(row(sidebar, "m0001")).to_be_focused()
    page.keyboard.press("End")
    expect(row(sidebar, "m0299")).to_be_focused()
    page.keyboard.press("Enter")
    expect(sidebar.get_by_role("button", name="All Models")).to_be_focused()
    expect(sidebar.locator(".kubeai-card-name")).to_have_text("m0299")
    page.keyboard.press("Enter")
    expect(row(sidebar, "m0299")).to_be_focused()


def test_has_few_rows_of_a_thousand_models_in_the_page_and_no_long_task_while_they_are_scrolled(
    browser: Any, page: Any, scripted: Lab, api: FakeApi
) -> None:
    from playwright.sync_api import expect

    put_models(api, 1000)
    sidebar = opened(page, scripted)
    expect(sidebar.get_by_role("heading", name="Ready (1000)")).to_be_visible()
    browser.start_tracing(page=page, categories=["toplevel"])
    most = sidebar.locator(".jp-WindowedPanel-outer").evaluate(SCROLL)
    longest = longest_task_ms(browser.stop_tracing())
    expect(row(sidebar, "m0999")).to_be_visible()
    assert 0 < most <= MOST_ROWS
    assert longest <= LONGEST_TASK_MS, f"{longest:.0f} ms"


def test_shows_finds_and_follows_a_log(page: Any, scripted: Lab, api: FakeApi) -> None:
    from playwright.sync_api import expect

    put_models(api, 1)
    api.logs["model-m0000-1/server"] = "one\ntwo needle\nthree\nneedle four\n"
    sidebar = opened(page, scripted)
    row(sidebar, "m0000").click()
    sidebar.get_by_text("Events and log").click()
    log = sidebar.get_by_role("region", name="Log of m0000")
    expect(log).to_contain_text("needle four")
    api.logs["model-m0000-1/server"] += "five\n"
    expect(log).to_contain_text("five")
    sidebar.get_by_label("Find in the log").fill("NEEDLE")
    expect(log.locator("mark")).to_have_count(2)
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(sidebar.get_by_text("2 of 2")).to_be_visible()


def test_deletes_after_it_has_told_what_goes_and_that_somebody_else_served_it(
    page: Any, scripted: Lab, api: FakeApi, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    put_models(api, 2)
    sidebar = opened(page, scripted)
    row(sidebar, "m0000").click()
    sidebar.get_by_role("button", name="Delete …").click()
    question = sidebar.locator(".kubeai-panel")
    expect(question).to_contain_text("Really delete m0000? With it goes 1 Pod on cpu:1")
    expect(question.get_by_role("button", name="Keep as it is")).to_be_focused()
    page.screenshot(path=tmp_path / "delete.png")
    question.get_by_role("button", name="Delete m0000").click()
    question.get_by_role("button", name="Do it all the same").click()
    expect(sidebar.get_by_text("This Model is not there any more.")).to_be_visible()
    sidebar.get_by_role("button", name="All Models").click()
    expect(row(sidebar, "m0001")).to_be_visible()
    expect(row(sidebar, "m0000")).to_have_count(0)


def test_asks_a_second_time_as_long_as_the_settings_want_it(page: Any, scripted: Lab, api: FakeApi) -> None:
    from playwright.sync_api import expect

    put_models(api, 2)
    sidebar = opened(page, scripted)
    row(sidebar, "m0000").click()
    ask = sidebar.get_by_role("button", name="Delete …")
    expect(ask).to_be_visible()
    wanted = settings(page).locator('input[id$="_confirmations"]')
    wanted.uncheck()
    expect(ask).to_be_hidden()
    sidebar.get_by_role("button", name="Delete", exact=True).click()
    # Somebody else served it: that is asked always.
    question = sidebar.locator(".kubeai-panel")
    expect(question).to_contain_text("m0000")
    expect(question).not_to_contain_text("Really delete")
    question.get_by_role("button", name="Do it all the same").click()
    expect(sidebar.get_by_text("This Model is not there any more.")).to_be_visible()

    wanted.check()
    sidebar.get_by_role("button", name="All Models").click()
    row(sidebar, "m0001").click()
    ask.click()
    expect(question).to_contain_text("Really delete m0001?")


def test_puts_code_below_a_cell_that_is_not_empty_and_copies_yaml(page: Any, scripted: Lab, api: FakeApi) -> None:
    from playwright.sync_api import expect

    put_models(api, 1)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, scripted.root / "code.ipynb")
    page.goto(f"{scripted.url}lab/tree/code.ipynb?reset&token={scripted.token}")
    cells = page.locator(".jp-NotebookPanel .jp-CodeCell")
    expect(cells).to_have_text([re.compile("x = 1")])
    page.locator(TAB).click()
    sidebar = page.locator("#kubeai-sidebar")
    row(sidebar, "m0000").click()
    sidebar.get_by_role("button", name="Insert code").click()
    expect(sidebar.get_by_text("The code is in the active cell of code.ipynb.")).to_be_visible()
    expect(cells).to_have_text([re.compile("x = 1"), re.compile("m0000")])
    expect(cells.nth(1).locator(".jp-InputArea-prompt")).to_have_text("[ ]:")
    sidebar.get_by_role("button", name="Insert code").click()
    expect(cells).to_have_text([re.compile("x = 1"), re.compile("m0000"), re.compile("m0000")])
    sidebar.get_by_role("button", name="Copy YAML").click()
    expect(sidebar.get_by_text("The YAML is copied.")).to_be_visible()
    assert "kind: Model" in page.evaluate("navigator.clipboard.readText()")


def test_opens_one_stream_for_seven_tabs_and_goes_on_when_its_tab_closes(
    page: Any, scripted: Lab, api: FakeApi
) -> None:
    from playwright.sync_api import expect

    put_models(api, 2)
    pages = [page, *(page.context.new_page() for _ in range(6))]
    sidebars = []
    for number, one in enumerate(pages):
        one.goto(f"{scripted.url}lab/workspaces/w{number}?reset&token={scripted.token}")
        one.locator(TAB).click()
        sidebar = one.locator("#kubeai-sidebar")
        expect(row(sidebar, "m0001")).to_be_visible()
        sidebars.append(sidebar)
    locks = page.evaluate("() => navigator.locks.query()")
    names = [lock["name"] for lock in locks["held"]]
    assert len([name for name in names if name.startswith("kubeai ")]) == 1
    assert len([lock for lock in locks["pending"] if lock["name"].startswith("kubeai ")]) == 6
    page.goto("about:blank")
    api.change(MODELS, model("after"))
    for sidebar in sidebars[1:]:
        expect(row(sidebar, "after")).to_be_visible()


def test_says_which_extra_this_machine_lacks(page: Any, installation: Installation, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as util; found = util.find_spec\n"
        "util.find_spec = lambda name, package=None: None if name == 'xllamacpp' else found(name, package)\n"
    )
    path = os.pathsep.join(filter(None, [str(hidden), installation.environment.get("PYTHONPATH", "")]))
    home = str(tmp_path / "local")  # else a daemon that an earlier story started would be found
    words = (
        "Serving on this machine needs xllamacpp, which is not installed.",
        'Install it with: pip install "kubeai-notebook[local]"',
    )
    with lab_with(installation, tmp_path / "lab", PYTHONPATH=path, KUBEAI_LOCAL_HOME=home) as lab:
        serve = "%load_ext kubeai_notebook\n%kubeai_serve smol --url ollama://smollm2:135m"
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        book = nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=[nbformat.v4.new_code_cell(serve)])
        nbformat.write(book, lab.root / "serve.ipynb")
        page.goto(f"{lab.url}lab/tree/serve.ipynb?reset&token={lab.token}")
        notebook = Notebook(page, tmp_path)
        notebook.wait()
        notebook.run_cell(0)
        page.locator(TAB).click()
        for shown in (notebook.output(0), page.locator("#kubeai-sidebar").get_by_role("alert")):
            for sentence in words:
                expect(shown).to_contain_text(sentence, use_inner_text=True)
        page.screenshot(path=tmp_path / "no_local_extra.png")


def test_says_how_to_install_the_half_that_the_server_misses(
    page: Any, installation: Installation, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    off = "--ServerApp.jpserver_extensions=kubeai_notebook=False"
    with lab_with(installation, tmp_path / "lab", off) as lab:
        sidebar = opened(page, lab)
        expect(sidebar).to_contain_text("pip install kubeai-notebook")
        page.screenshot(path=tmp_path / "missing.png")
