"""How a process ends that has served a Model: silently, whoever ends it and whatever is still going on."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVE = 'import kubeai_notebook as k; m = k.serve("ending", "ollama://smollm2:135m")\n'
IPYTHON = [sys.executable, "-m", "IPython", "--no-banner", "--no-confirm-exit", "--colors=NoColor"]
CELLS = """%load_ext kubeai_notebook
%kubeai_serve ending ollama://smollm2:135m
%kubeai_models
"""


def errors_of(*command: str, typed: str = "") -> str:
    """What the process wrote to stderr."""
    done = subprocess.run(command, check=False, input=typed, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(autouse=True)
def local(daemon: str, monkeypatch: pytest.MonkeyPatch, session: object) -> None:
    """A configuration that leads to the tests' daemon, whose Models are gone afterwards."""
    monkeypatch.setenv("KUBECONFIG", daemon)


@pytest.mark.parametrize(
    "script",
    [
        SERVE + "m.wait(); print(m); print(len(k.models()))",
        SERVE + "print(m)",
        SERVE + "m.wait(); print(m.chat('hi', max_tokens=2))",
        SERVE + "k.Session(context='local').attach('ending').wait()",
        SERVE + "import atexit; atexit.register(m.delete)",
    ],
    ids=["waits", "does not wait", "chats", "leaves a session open", "deletes at exit"],
)
def test_is_silent_at_the_end_of_a_script(script: str) -> None:
    for _ in range(2):
        assert errors_of(sys.executable, "-c", script) == ""


def test_is_silent_at_the_end_of_ipython() -> None:
    assert errors_of(*IPYTHON, typed=CELLS) == ""
    assert errors_of(*IPYTHON, "-c", CELLS) == ""


def test_serves_a_thread_that_outlives_the_main_one() -> None:
    # The Model becomes ready, is tested and is asked after concurrent.futures has ended with the main thread.
    last = """
import threading
def last():
    threading.main_thread().join()
    assert m.wait().chat("hi", max_tokens=2)
threading.Thread(target=last).start()
"""
    assert errors_of(sys.executable, "-c", SERVE + last) == ""
