from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser


def test_tells_how_to_start(open_notebook: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook("1")
    page = notebook.page
    notebook.theme("Light")
    page.locator('.jp-SideBar .lm-TabBar-tab[data-id="kubeai-sidebar"]').click()
    sidebar = page.locator(".kubeai-sidebar")
    expect(sidebar).to_be_visible()
    expect(sidebar).to_contain_text("%load_ext kubeai_notebook")
    expect(sidebar).to_contain_text("%kubeai_serve smol --engine OLlama --url ollama://smollm2:135m")
    notebook.picture("sidebar_light")

    button = sidebar.get_by_role("button", name="Copy %load_ext kubeai_notebook")
    button.click()
    expect(button).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "%load_ext kubeai_notebook"

    notebook.theme("Dark")
    notebook.picture("sidebar_dark")
