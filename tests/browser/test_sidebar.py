from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

STARTS_MS = 90_000
"""How long a daemon may take to start on a busy machine."""


def test_tells_how_to_start(open_notebook: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook("1")
    page = notebook.page
    notebook.theme("Light")
    page.locator('.jp-SideBar .lm-TabBar-tab[data-id="kubeai-sidebar"]').click()
    sidebar = page.locator(".kubeai-sidebar")
    expect(sidebar).to_be_visible()
    # The text that is seen: these lines come once the server half has a cluster, for which it starts the daemon.
    lines = "%load_ext kubeai_notebook", "%kubeai_serve smol --engine OLlama --url ollama://smollm2:135m"
    expect(sidebar).to_contain_text(lines[0], use_inner_text=True, timeout=STARTS_MS)
    expect(sidebar).to_contain_text(lines[1], use_inner_text=True)
    notebook.picture("sidebar_light")

    button = sidebar.get_by_role("button", name="Copy %load_ext kubeai_notebook")
    button.click()
    expect(button).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "%load_ext kubeai_notebook"

    notebook.theme("Dark")
    notebook.picture("sidebar_dark")
