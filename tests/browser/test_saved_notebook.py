from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

SHOW = """
from kubeai_notebook.views.status_card import StatusCard
from kubeai_notebook.present.wire import Card
loading = Card(name="smol", namespace="default", phase="Loading", tone="busy", announcement="Model smol is Loading.")
card = StatusCard(loading)
card
"""
READY = 'card.update(loading.model_copy(update=dict(phase="Ready", tone="good")))'


def test_keeps_the_last_phase_when_the_kernel_has_gone(open_notebook: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW, READY)
    output = notebook.run_cell(0)
    snapshot = output.locator(".kubeai-snapshot")
    expect(output.locator(".kubeai-card")).to_be_visible()
    expect(snapshot).to_be_hidden()

    notebook.run_cell(1)
    expect(snapshot).to_contain_text("Ready")
    notebook.command("docmanager:save")
    notebook.restart_kernel()
    notebook.reload()
    expect(snapshot).to_be_visible()
    expect(snapshot).to_contain_text("As seen on")
    lost = output.get_by_text("Error displaying widget")
    expect(lost).to_be_attached()
    expect(lost).to_be_hidden()
    notebook.picture("reopened")


def test_says_that_the_kernel_was_shut_down_where_nothing_is_asked_of_it(open_notebook: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW, READY)
    link = notebook.run_cell(0).locator(".kubeai-card-link")
    expect(link).to_be_hidden()
    notebook.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    expect(link).to_contain_text("Run the cell again")
