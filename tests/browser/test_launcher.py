"""From JupyterLab's launcher to a served Model, in a tab with a kernel of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .accessibility import serious_faults
from .test_form import READY_MS, URL, button, control, fill

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser

KERNELS = "() => Array.from(jupyterapp.serviceManager.sessions.running()).map((one) => one.kernel.id)"
REFRESH = "() => jupyterapp.serviceManager.sessions.refreshRunning()"
# After a reload no widget is the current one until the reader has clicked somewhere.
TAB = "Array.from(jupyterapp.shell.widgets('main')).find((one) => one.hasClass('kubeai-tab'))"
SHUT_DOWN = f"() => {TAB}.sessionContext.shutdown()"
EXIT = f"""() => {{
  {TAB}.sessionContext.session.kernel.requestExecute({{ code: "import os; os._exit(1)", silent: true }});
}}"""


@pytest.mark.usefixtures("no_models", "axe")
def test_serves_a_model_from_the_launcher_and_comes_back_after_a_reload_and_a_dead_kernel(
    lab: Any, page: Any, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    page.goto(f"{lab.url}lab?reset&token={lab.token}")
    card = page.locator(".jp-LauncherCard").filter(has_text="Serve a model")
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    expect(card.locator("svg")).to_be_visible()
    page.screenshot(path=tmp_path / "launcher.png")
    card.click()
    tab = page.locator(".kubeai-tab:not(.lm-mod-hidden)")
    form = tab.locator(".kubeai-form").first
    expect(button(form, "Deploy")).to_be_visible(timeout=60_000)
    expect(tab.locator(".jp-CodeConsole-promptCell")).to_be_hidden()
    ended = tab.get_by_role("alert").filter(has_text="has ended")
    expect(ended).to_be_hidden()
    fill(form, url=URL, name="smol")
    button(form, "Deploy").click()
    expect(form.locator(".kubeai-card-word")).to_have_text("Ready", timeout=READY_MS)
    assert serious_faults(tab) == []
    page.screenshot(path=tmp_path / "launcher_ready.png")

    page.goto(f"{lab.url}lab")
    expect(form.locator(".kubeai-card-word")).to_have_text("Ready", timeout=60_000)
    expect(control(form, "url")).to_have_value(URL)

    expect(ended).to_be_hidden()
    page.evaluate(EXIT)
    expect(ended).to_be_visible()
    page.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    expect(page.locator("body[data-jp-theme-name='JupyterLab Dark']")).to_be_attached()
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    page.screenshot(path=tmp_path / "launcher_ended_dark.png")
    ended.get_by_role("button", name="Restart").click()
    expect(ended).to_be_hidden()
    expect(control(form, "url")).to_have_value("", timeout=60_000)
    page.evaluate(SHUT_DOWN)
    expect(ended).to_be_visible()
    ended.get_by_role("button", name="Restart").click()
    expect(ended).to_be_hidden()
    expect(control(form, "url")).to_be_enabled(timeout=60_000)

    # The command ends with the dialog, which waits for the reader.
    page.evaluate("() => void jupyterapp.commands.execute('kubeai:playground')")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(tab.locator(".kubeai-playground").first).to_be_visible(timeout=60_000)
    expect(ended).to_be_hidden()
    page.screenshot(path=tmp_path / "launcher_playground_dark.png")

    count = len(page.evaluate(KERNELS))
    page.evaluate("() => jupyterapp.shell.currentWidget.close()")
    page.evaluate(REFRESH)
    page.wait_for_function(f"() => ({KERNELS})().length === {count - 1}")
