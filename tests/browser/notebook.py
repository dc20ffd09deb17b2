"""A notebook that is open in the browser, as its reader handles it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# JupyterLab says "idle" before a kernel exists, and a cell run then is silently not run.
KERNEL_IS_IDLE = """() => {
  const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""
# Every text that a part of a cell has shown, in order; also what stood there for a moment only.
RECORD = """(cell, selector) => {
  const seen = cell.seen = [];
  new MutationObserver(() => {
    const text = cell.querySelector(selector)?.textContent.trim();
    if (text && seen.at(-1) !== text) seen.push(text);
  }).observe(cell, { characterData: true, childList: true, subtree: true });
}"""


class Notebook:
    """An open notebook with its kernel connected."""

    def __init__(self, page: Any, pictures: Path) -> None:
        self.page = page
        self.panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        self._pictures = pictures

    def cell(self, index: int) -> Any:
        """The code cell at ``index``, from 0."""
        return self.panel.locator(".jp-CodeCell").nth(index)

    def output(self, index: int) -> Any:
        return self.cell(index).locator(".jp-OutputArea")

    def run_cell(self, index: int, *, wait: bool = True) -> Any:
        """Run a cell and return its output; ``wait=False`` returns while it still runs."""
        from playwright.sync_api import expect

        prompt = self.cell(index).locator(".jp-InputArea-prompt")
        before = prompt.inner_text()
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        expect(prompt).not_to_have_text(before)
        if wait:
            expect(prompt).to_have_text(re.compile(r"^\[\d+\]:$"), timeout=60_000)
        return self.output(index)

    def text(self, index: int) -> str:
        """Run a cell and return the text of its output: the page draws it a moment after the cell has ended."""
        from playwright.sync_api import expect

        output = self.run_cell(index)
        expect(output).not_to_be_empty()
        return str(output.inner_text())

    def record(self, index: int, selector: str) -> Callable[[], list[str]]:
        """From now on note each text of ``selector`` in a cell; the function returned gives them all."""
        self.cell(index).evaluate(RECORD, selector)
        return lambda: list(self.cell(index).evaluate("cell => cell.seen"))

    def command(self, name: str, **arguments: Any) -> None:
        """Run one of JupyterLab's commands, such as ``docmanager:save``."""
        self.page.evaluate("([name, args]) => jupyterapp.commands.execute(name, args)", [name, arguments])

    def theme(self, name: str) -> None:
        """Change to ``Light`` or ``Dark``."""
        from playwright.sync_api import expect

        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        expect(self.page.locator(f"body[data-jp-theme-name='JupyterLab {name}']")).to_be_attached()
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0)

    def restart_kernel(self) -> None:
        """Start the kernel afresh: all that it knew is gone."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        self.page.wait_for_function(KERNEL_IS_IDLE)

    def restart_and_run_all(self) -> None:
        """JupyterLab's own command, with its question answered; returns when the last cell has run."""
        from playwright.sync_api import expect

        # The command ends with its dialog, so it is not waited for.
        self.page.evaluate("() => { jupyterapp.commands.execute('notebook:restart-run-all'); }")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        prompts = self.panel.locator(".jp-CodeCell .jp-InputArea-prompt")
        count = prompts.count()
        expect(prompts).to_have_text([f"[{number}]:" for number in range(1, count + 1)], timeout=120_000)

    def shut_down_kernel(self) -> None:
        """End the kernel; the page stays."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    def reload(self) -> None:
        """Open the page again, as a reader does the next day."""
        self.page.reload()
        self.wait()

    def wait(self) -> None:
        """Wait until the notebook is shown and its kernel is really idle."""
        from playwright.sync_api import expect

        self.panel.wait_for()
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0)
        expect(self.panel.locator(".jp-Spinner")).to_have_count(0, timeout=30_000)
        self.page.wait_for_function(KERNEL_IS_IDLE)

    def picture(self, name: str, part: Any = None) -> Path:
        """Keep a screenshot of ``part``, or of the whole window, in the test's folder."""
        path = self._pictures / f"{name}.png"
        (part or self.page).screenshot(path=path)
        return path
