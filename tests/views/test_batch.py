"""A batch in a cell of a real kernel: one output, which ends with how it went."""

from __future__ import annotations

from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.support.batch_server import batch_server

SETUP = """
import pandas as pd
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.map_frame import planned_map
from kubeai_notebook.calls.question import Target
from kubeai_notebook.core.access import Access
from kubeai_notebook.session.mapping import BatchJob
from kubeai_notebook.views import install
install()
def start(rows):
    table = pd.DataFrame({{"text": [f"t{{number}}" for number in range(rows)] + [None]}})
    planned = planned_map(Target(name="smol", most_in_flight=16), table, prompt="{{text}}", fields={{"store": False}})
    return planned.start(Endpoint(Access(base_url="{url}")), BatchJob)
"""
WAITED = """
import threading
_ = job.result()
for thread in threading.enumerate():  # what comes between two cells, nbclient does not see
    if thread.name == "kubeai-batch-display":
        thread.join()
"""
INTERRUPTED = """
import _thread, threading
job = start(100_000)
threading.Thread(target=lambda: (job.wait(1.5), _thread.interrupt_main())).start()
out = job.finished()
print(0 < out["answer"].notna().sum() < 100_000)
"""


def outputs(*cells: str) -> list[list[dict[str, Any]]]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120).execute()
    return [cell["outputs"] for cell in notebook["cells"][1:]]


def test_shows_a_batch_while_its_cell_waits_and_after() -> None:
    with batch_server(latency_seconds=0.05) as server:
        waited, running, _, interrupted = outputs(
            SETUP.format(url=server.url), "out = start(300).finished()", "job = start(300)\njob", WAITED, INTERRUPTED,
        )  # fmt: skip
    assert len(waited) == 1
    text, html = waited[0]["data"]["text/plain"], waited[0]["data"]["text/html"]
    assert text.startswith("smol: 301 of 301 rows, 1 failed, ")
    assert "All rows are done." in text
    assert "row 300: text is missing in this row; nothing was sent." in text
    assert "<progress" in html
    assert "All rows are done." in running[0]["data"]["text/plain"]
    # Where the button was, the saved notebook has no widget of a kernel that is gone.
    assert [output["data"] for output in running[1:]] == [{"text/plain": ""}]
    assert "It was stopped." in interrupted[0]["data"]["text/plain"]
    assert interrupted[1]["text"] == "True\n"
