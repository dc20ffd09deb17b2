"""A JupyterLab of its own, as users install it, in a headless Chromium; see ``open_notebook``."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import nbformat
import pytest

from kubeai_notebook.local.weights import Weights

from .accessibility import AXE
from .installation import Installation, install
from .notebook import Notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_MS = 30_000
"""How long the page may take for anything: a slow machine fails no story."""
CHROMIUM_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    url: str
    token: str
    root: Path


def _missing(what: str) -> NoReturn:
    if os.environ.get("KUBEAI_TEST_BROWSER_REQUIRED") == "1":
        pytest.fail(what)
    pytest.skip(what)


def _chromium() -> str:
    names = [os.environ.get("KUBEAI_TEST_BROWSER", "chromium"), "chromium-browser", "google-chrome"]
    found = next(filter(None, map(shutil.which, names)), None)
    return found or _missing("no Chromium: install it, or name its program in KUBEAI_TEST_BROWSER")


@pytest.fixture(scope="session")
def installation(own_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The wheel of this working tree in a new environment; takes about a minute and a half."""
    _chromium()  # nothing is installed for a browser that is not there
    installed = install(tmp_path_factory.mktemp("installation"))
    yield installed
    installed.run("kubeai-local", "stop")


@pytest.fixture(scope="session")
def lab(installation: Installation) -> Iterator[Lab]:
    """JupyterLab of that environment on a free port, with no settings of the user's."""
    home = installation.home
    root = home / "root"
    root.mkdir()
    notification = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    notification.parent.mkdir(parents=True)
    notification.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    command = [str(installation.folder / "bin" / "jupyter-lab"), "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={root}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=installation.environment, cwd=home, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield started_lab(server, home / "runtime", root)
        finally:
            server.terminate()
            server.wait(timeout=30)


def started_lab(server: subprocess.Popen[bytes], runtime: Path, root: Path) -> Lab:
    """Wait until it listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            # It may be read half written, and a moment before the server listens.
            text = file.read_text()
            if text.rstrip().endswith("}") and _listens((facts := json.loads(text))["port"]):
                return Lab(facts["url"], facts["token"], root)
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start; its log is {runtime.parent / 'server.log'}")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A headless Chromium; only for a module, as Playwright's event loop would disturb tests of asyncio.

    A module that draws by WebGL names its own ``FLAGS``.
    """
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        _missing("no Playwright: `pip install playwright`")
    expect.set_options(timeout=PATIENCE_MS)
    program, flags = _chromium(), getattr(request.module, "FLAGS", CHROMIUM_FLAGS)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, headless=True, args=flags)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh window; an uncaught error in the page fails the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    # JupyterLab 4.6 lets these promises of its own fall where a kernel ends while it asks for them, and anywidget 0.11
    # the last one on a slow computer: our widgets take no harm of it (widgets/loader.ts).
    others = ("create_subshell_request", "kernel_info_request", "[anywidget] Failed to initialize model.")
    assert not [error for error in errors if not any(other in error for other in others)], errors


@pytest.fixture
def open_notebook(lab: Lab, page: Any, tmp_path: Path) -> Callable[..., Notebook]:
    """Call it with sources of cells, or with a whole notebook: ``open_notebook("x = 1", "x")`` gives a ``Notebook``."""

    def opened(*cells: str, book: nbformat.NotebookNode | None = None) -> Notebook:
        name = f"{tmp_path.name}.ipynb"
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        sources = [nbformat.v4.new_code_cell(source) for source in cells]
        nbformat.write(
            book or nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=sources), lab.root / name
        )
        page.goto(f"{lab.url}lab/tree/{name}?reset&token={lab.token}")
        notebook = Notebook(page, tmp_path)
        notebook.wait()
        return notebook

    return opened


@pytest.fixture
def daemon_ends(installation: Installation) -> Iterator[None]:
    """After a story its daemon is stopped, and nothing of it is left."""
    yield
    assert "has stopped" in installation.run("kubeai-local", "stop")
    assert installation.processes() == []


@pytest.fixture
def axe() -> None:
    """axe-core is there."""
    if not AXE.exists():
        _missing("no axe-core: `make node-modules`")


@pytest.fixture
def no_models(installation: Installation, daemon_ends: None) -> Iterator[None]:
    """After a story its Models are deleted: a daemon keeps them for its next start."""
    yield
    delete = "import kubeai_notebook as k; [k.attach(name).delete() for name in k.models()['name']]"
    installation.run("python", "-c", delete)


@pytest.fixture
def weights(own_environment: None) -> Callable[[str], Path]:
    """Where the weights of a url that is shipped lie; they are fetched if need be."""
    kept = Weights(Path(os.environ["KUBEAI_CACHE"]), mapped={}, environment=os.environ)

    def place(url: str) -> Path:
        # Playwright's loop runs in this thread.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, kept.fetch(url, lambda _done, _total: None)).result()

    return place
