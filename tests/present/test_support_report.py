from dataclasses import replace
from datetime import UTC, datetime

from kubeai_notebook.core.observation import LogTail, Operator
from kubeai_notebook.present.support_report import support_report
from tests.support.views import FINDING, view_in

NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)


def test_tells_status_findings_model_and_logs_and_no_secret() -> None:
    view = view_in("Failing", findings=(FINDING,))
    view.model["spec"]["env"] = {"HF_TOKEN": "plain-word-secret"}
    tail = LogTail(pod="model-smol-a-1", text="refused: plain-word-secret\n```\nout of memory")
    seen = replace(view.observation, logs=(tail,), operator=Operator(version="0.23.1"))
    text = support_report(replace(view, observation=seen), software="Python 3.11.", now=NOW)
    assert text.startswith("# smol: Failing\n\n2026-11-28 12:00:00 UTC. A sentence.\n\nKubeAI 0.23.1, Python 3.11.\n")
    assert "## 1. The engine needs more memory. (OutOfMemory)" in text
    assert "- Fix: Use a larger profile." in text
    assert "````\nrefused: ***\n```\nout of memory\n````" in text
    assert "plain-word-secret" not in text
