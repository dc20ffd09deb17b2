"""A batch behind its cell: its progress moves, its button stops it, and a saved notebook has the end only."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.batch_server import batch_server

pytestmark = pytest.mark.browser

START = """
import pandas as pd
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.map_frame import planned_map
from kubeai_notebook.calls.question import Target
from kubeai_notebook.core.access import Access
from kubeai_notebook.session.mapping import BatchJob
from kubeai_notebook.views import install
install()
table = pd.DataFrame({{"text": [None, *(f"row {{number}}" for number in range(100_000))]}})
planned = planned_map(Target(name="smol", most_in_flight=8), table, prompt="{{text}}", fields={{"store": False}})
job = planned.start(Endpoint(Access(base_url="{url}")), BatchJob)
job
"""
COUNT = 'print(0 < job.result()["answer"].notna().sum() < 100_000)'


def test_stops_at_its_button_and_keeps_what_has_come(open_notebook: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    with batch_server(latency_seconds=0.05) as server:
        notebook = open_notebook(START.format(url=server.url), COUNT)
        notebook.theme("Light")
        output = notebook.run_cell(0)
        expect(output).to_contain_text(re.compile(r"smol: [1-9][\d,]* of 100,001 rows"))
        expect(output).to_contain_text("By what came so far, 100,001 rows take")
        expect(output).to_contain_text("text is missing in this row")
        notebook.picture("batch_running")
        notebook.theme("Dark")
        notebook.picture("batch_running_dark")
        output.get_by_role("button", name="Stop").click()
        expect(output).to_contain_text("It was stopped. What came is kept;")
        expect(output.get_by_role("button")).to_have_count(0)
        notebook.picture("batch_stopped")
        expect(notebook.run_cell(1)).to_contain_text("True")
    notebook.command("docmanager:save")
    notebook.restart_kernel()
    notebook.reload()
    expect(notebook.output(0)).to_contain_text("It was stopped. What came is kept;")
    expect(notebook.output(0).get_by_text("Error displaying widget")).to_have_count(0)
    notebook.picture("batch_reopened")
