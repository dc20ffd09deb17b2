import re
from dataclasses import replace
from datetime import UTC, datetime

import mistune

from kubeai_notebook.core.notice import Evidence
from kubeai_notebook.core.observation import LogTail, Operator
from kubeai_notebook.core.remedy import Remedy
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


WRITES = "x` ``` ![p](https://evil.example/p.png) <img src=x onerror=alert(1)> [c](javascript:alert(2))\n\n# big `"


def test_lets_no_log_write_markdown() -> None:
    finding = replace(
        FINDING,
        message=f"It said: {WRITES}",
        evidence=(Evidence("log", WRITES, WRITES),),
        remedies=(Remedy(title=f"Mend {WRITES}"),),
    )
    view = view_in("Failing", findings=(finding,))
    view = replace(view, status=replace(view.status, detail=WRITES))
    seen = replace(view.observation, logs=(LogTail(pod="model-smol-a-1", text=WRITES),))
    text = support_report(replace(view, observation=seen), software="Python 3.11.", now=NOW)
    html = str(mistune.create_markdown(escape=False)(text))
    assert set(re.findall(r"<(\w+)", html)) <= {"h1", "h2", "p", "ul", "li", "code", "pre"}
    assert "<h1>" not in html.replace("<h1>smol: Failing", "")
    # The evidence is shown as it is.
    assert "x` ``` ![p](https://evil.example/p.png) &lt;img src=x onerror=alert(1)&gt;" in html
