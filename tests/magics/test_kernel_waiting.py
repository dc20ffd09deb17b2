"""In a real kernel: what a cell shows while it waits, while KubeAI is away, and while an update fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
import pytest

from tests.magics.test_kernel import LOAD, Kernel
from tests.support.daemon import SCRIPTED, Daemon, scripted_options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVE = "%kubeai_serve {} --url ollama://smollm2:135m --min-replicas 0;"
CHAT = "%%kubeai_chat {} --max-tokens 3\nhi"


@pytest.fixture
def kernel(daemon: str) -> Iterator[Kernel]:
    kernel = Kernel()
    yield kernel
    kernel.end(now=True)


def test_shows_what_a_chat_waits_for_and_keeps_it_small(kernel: Kernel) -> None:
    kernel.run(SERVE.format("sleeper"))
    request = kernel.client.execute(CHAT.format("sleeper"))
    seen = []
    while not any("sleeper: waited" in text for text in seen):
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["msg_type"] in ("display_data", "update_display_data"):
            seen.append(message["content"]["data"]["text/plain"])
    assert seen[0].startswith("… sleeper ")
    assert kernel.wait(request)
    assert "sleeper" not in kernel.run(CHAT.format("sleeper"))
    kernel.run("%kubeai_delete sleeper")


def test_shows_what_a_python_call_waits_for_in_its_cell(kernel: Kernel) -> None:
    kernel.run(SERVE.format("python"))
    shown = kernel.run("import kubeai_notebook\nkubeai_notebook.attach('python').complete('Hi', max_tokens=1)")
    assert shown.startswith("python: waited ")
    kernel.run("%kubeai_delete python")


def test_says_how_far_long_answers_are_in_one_line_of_their_cell(kernel: Kernel) -> None:
    kernel.run("%kubeai_serve talker --url ollama://smollm2:135m --wait;")
    long = "from kubeai_notebook.session import waiting_line\nwaiting_line.ANSWERING_SECONDS = 0.0"
    kernel.run(f"import kubeai_notebook\n{long}\nmodel = kubeai_notebook.attach('talker')")
    for _ in range(2):
        shown = kernel.run("replies = [model.chat('Name a cheese.', max_tokens=number) for number in (2, 3, 4)]")
        assert re.fullmatch(r"talker: \d tokens in \d+ s\.", shown)
    assert kernel.run("with model.stream('Hi', max_tokens=4) as deltas: text = list(deltas)") == ""
    kernel.run("%kubeai_delete talker")


def test_ends_a_chat_at_once_with_the_steps_that_why_names(kernel: Kernel) -> None:
    kernel.run("%kubeai_serve gpu --url ollama://smollm2:135m --profile nvidia-gpu-l4 --force;")
    shown = kernel.run(CHAT.format("gpu"))
    assert "gpu is Scheduling: " in shown
    assert "(DeployError)" in shown
    why = kernel.run("%kubeai_why gpu")
    steps = [line.partition(" (")[0] for line in shown.splitlines() if line[:2] in ("1.", "2.")]
    assert steps
    assert all(step in why for step in steps)
    kernel.run("%kubeai_delete gpu")


def test_ends_a_chat_that_waits_when_it_is_interrupted(kernel: Kernel) -> None:
    kernel.run(SERVE.format("asleep"))
    request = kernel.client.execute(CHAT.format("asleep"))
    while kernel.client.get_iopub_msg(timeout=30)["msg_type"] != "display_data":
        pass
    kernel.manager.interrupt_kernel()
    shown = kernel.wait(request)
    assert "Stopped waiting for asleep; nothing was sent to it. (WaitInterruptedError)" in shown
    kernel.run("%kubeai_delete asleep")


def test_saves_a_plain_line_where_a_notebook_is_executed(daemon: str, tmp_path: Path) -> None:
    pytest.importorskip("nbconvert")
    cells = [LOAD, SERVE.format("saved"), CHAT.format("saved"), "%kubeai_delete saved;"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    path = tmp_path / "saved.ipynb"
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outputs = json.loads(path.read_text())["cells"][2]["outputs"]
    assert "".join(outputs[0]["data"]["text/plain"]).startswith("saved: waited ")
    assert [output.get("name", output["output_type"]) for output in outputs[1:]] == ["display_data", "stdout"]
    assert outputs[2]["text"][0].startswith("The answer was cut after ")


def test_tells_the_truth_while_this_machines_kubeai_is_away_and_soon_after(tmp_path: Path, monkeypatch) -> None:
    daemon = Daemon(tmp_path / "home", *scripted_options(tmp_path), KUBEAI_LOCAL_TESTING="1")
    monkeypatch.setenv("KUBEAI_LOCAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBEAI_LOCAL_TESTING", "1")
    daemon.start()
    kernel = Kernel()
    serve = "%kubeai_serve {} --url " + SCRIPTED + " --engine OLlama"
    try:
        assert "smol (on this machine) Ready" in kernel.run(serve.format("smol --wait"))
        daemon.stop()
        card = kernel.run("%kubeai_status smol")
        assert "Not connected since " in card
        table = kernel.run("%kubeai_models")
        assert table.startswith("Not connected since ")
        refused = kernel.run(CHAT.format("smol"))
        for shown in (card, table, refused):
            assert "KubeAI on this machine is not running." in shown
            assert "%kubeai_local start starts it." in shown
            assert "Blocked" not in shown
            assert "Deleted" not in shown
        daemon.start()
        served = kernel.run(serve.format("mine"))
        assert "mine (on this machine)" in served
        assert "Deleted" not in served
        table = kernel.run("%kubeai_models")
        assert "Not connected" not in table
        assert "Blocked" not in table
        assert "scripted" in kernel.run("import kubeai_notebook\nkubeai_notebook.attach('smol').complete('Hi')")
    finally:
        kernel.end(now=True)
        daemon.stop()


def test_says_in_a_chat_which_model_answers_while_an_update_fails(kernel: Kernel) -> None:
    kernel.run("%kubeai_serve swap --url ollama://smollm2:135m --wait;")
    kernel.run("%kubeai_serve swap --url ollama://nothing:1b --force;")
    kernel.run("%kubeai_status swap --follow;")
    shown = kernel.run(CHAT.format("swap"))
    assert shown.startswith("ollama://smollm2:135m answers, from before the update; %kubeai_why swap says")
    assert "ollama://smollm2:135m, from before the update" in kernel.run("%kubeai_status swap")
    assert "swap goes back: url: ollama://nothing:1b → ollama://smollm2:135m" in kernel.run("%kubeai_rollback swap")
    kernel.run("%kubeai_delete swap")
