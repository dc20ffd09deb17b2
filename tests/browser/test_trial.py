"""The playground of Models that rank texts or write down recordings; cluster and gateway are scripted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fake_api import MODELS, PODS, FakeApi, kubeconfig, model, pod
from tests.support.http_server import Answer, HttpServer, Received, json_answer

from .test_accessibility import passes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .notebook import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("axe")]

START = """
%load_ext kubeai_notebook
%config KubeAI.context = "x"
%config KubeAI.kubeconfig = {config!r}
%config KubeAI.endpoint = {gateway!r}
"""
RANK, HEAR = "%kubeai_playground ranker", "%kubeai_playground ears"


def answered(request: Received) -> Answer:
    if request.path.endswith("/rerank"):
        scores = [0.07, 0.98][: len(request.json["documents"])]
        return json_answer({"results": [{"index": at, "relevance_score": score} for at, score in enumerate(scores)]})
    return json_answer({"text": f"{len(request.body) // 1000} kB of birdsong."})


@pytest.fixture
def start(tmp_path: Path) -> Iterator[str]:
    """The first cell of a notebook whose cluster has a Model of each kind."""
    with FakeApi.empty().in_thread() as api, HttpServer(answered) as gateway:
        for name, feature in (("ranker", "Reranking"), ("ears", "SpeechToText")):
            api.put(MODELS, model(name, features=[feature]))
            api.put(PODS, pod(f"model-{name}-1", name))
        yield START.format(config=str(kubeconfig(api, tmp_path)), gateway=gateway.address)


def test_ranks_typed_texts_and_writes_down_a_recording(
    open_notebook: Callable[..., Notebook], start: str, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(start, RANK, HEAR)
    notebook.run_cell(0)
    output = notebook.run_cell(1)
    ranking = output.locator(".kubeai-trial")
    ranking.get_by_label("Texts that ranker ranks").fill("Bananas are yellow.\nParis is the capital of France.")
    question = ranking.get_by_label("The question that they answer")
    question.fill("What is the capital of France?")
    question.press("Enter")
    expect(ranking.locator("tbody tr")).to_have_text(
        ["1Paris is the capital of France.0.98", "0Bananas are yellow.0.07"]
    )
    ranking.get_by_text("The same from a cell").click()
    expect(ranking.locator("pre")).to_contain_text("model.rerank(")
    passes(notebook, ranking, "trial_rank")

    hearing = notebook.run_cell(2).locator(".kubeai-trial")
    hearing.get_by_role("button", name="Write it down").click()
    expect(hearing.get_by_role("status")).to_have_text("Choose a recording first.")
    recording = tmp_path / "garden.wav"
    recording.write_bytes(b"RIFF" + bytes(3_000_000))
    hearing.get_by_label("A recording that ears writes down").set_input_files(recording)
    hearing.get_by_role("button", name="Write it down").click()
    expect(hearing.locator(".kubeai-trial-said")).to_have_text("garden.wav: 3000 kB of birdsong.")
    passes(notebook, hearing, "trial_hear")

    saved(notebook, output)


def saved(notebook: Notebook, output: Any) -> None:
    """Without a kernel the page shows what was found last."""
    from playwright.sync_api import expect

    snapshot = output.locator(".kubeai-snapshot")
    expect(snapshot).to_be_hidden()
    expect(snapshot).to_contain_text("Texts ranked by ranker for: What is the capital of France?")
    notebook.command("docmanager:save")
    notebook.restart_kernel()
    notebook.reload()
    expect(snapshot).to_be_visible()
    expect(snapshot).to_contain_text("Paris is the capital of France.")
