"""A model of another name, pulled from a registry that speaks the real protocol, answers by real llama.cpp."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from pathlib import Path

import psutil
import pytest

from kubeai_notebook.local.weights import shipped_packages
from tests.support.daemon import Daemon
from tests.support.http_server import Answer
from tests.support.processes import small_disk
from tests.support.registry import Registry

SYSTEM = 'You are a pirate.\nSay "Arrr" first.'
PROMPT = {"prompt": "The capital of France is", "max_tokens": 4, "temperature": 0}


@pytest.fixture(scope="module")
def registry(smol):
    """It has SmolLM2, under names that nobody ships."""
    weights = Path(os.environ["KUBEAI_CACHE"]) / shipped_packages()["ollama://smollm2:135m"].kept_as
    with Registry() as registry:
        registry.add("library/corsair:135m", model=weights.read_bytes(), template=b"{{ .Prompt }}")
        settings = {"stop": [" Paris"], "num_ctx": 1024, "temperature": 0.1, "mirostat_tau": "odd", "new_one": 1}
        registry.add(
            "me/pirate:latest",
            model=weights.read_bytes(), params=json.dumps(settings).encode(), system=SYSTEM.encode(),
        )  # fmt: skip
        yield registry


@pytest.fixture(scope="module")
def daemon(registry, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    environment = {"OLLAMA_REGISTRY": registry.address, "KUBEAI_CACHE": str(home / "cache"), "HOME": str(home)}
    running = Daemon(home / "local", **environment)
    running.start()
    yield running
    running.stop()


def completed(daemon, name, **fields):
    status, text = daemon.ask("/completions", {"model": name, **PROMPT, **fields})
    assert status == 200, text
    return json.loads(text)["choices"][0]["text"]


def chat_tokens(daemon, name, *messages):
    body = {"model": name, "max_tokens": 1, "messages": [{"role": role, "content": text} for role, text in messages]}
    status, text = daemon.ask("/chat/completions", body)
    assert status == 200, text
    return json.loads(text)["usage"]["prompt_tokens"]


def test_answers_by_a_pulled_model_and_says_what_fits(daemon, registry):
    registry.cut_after_bytes = [30_000_000]
    daemon.create("corsair", url="ollama://corsair:135m")
    pod = daemon.ready_pod("corsair")
    assert "Paris" in completed(daemon, "corsair")
    log = daemon.log(pod)
    assert 'The download of "corsair:135m" broke off after 30 MB and goes on.' in log
    assert "4096 tokens of context for each of 2 requests (the model knows 8192): 189 MB beside 98 MB of weights" in log
    assert "98 MB in " in daemon.events(pod)["Pulled"]
    assert daemon.events(pod)["Pulling"].endswith(
        '98 of 98 MB. The download of "corsair:135m" broke off after 30 MB and goes on.'
    )


def test_uses_the_settings_and_the_system_prompt_that_come_with_it(daemon):
    daemon.create("pirate", url="ollama://me/pirate")
    log = daemon.log(daemon.ready_pod("pirate"))
    assert "1024 tokens of context for each of 2 requests" in log
    assert "Ignored, because llama.cpp has no such setting: mirostat_tau, new_one" in log
    assert completed(daemon, "pirate") == ""
    assert completed(daemon, "pirate", stop=["zzz"]) != ""
    question = ("user", "Hi")
    assert chat_tokens(daemon, "pirate", question) == chat_tokens(daemon, "pirate", ("system", SYSTEM), question)
    assert chat_tokens(daemon, "pirate", question) != chat_tokens(daemon, "corsair", question)


def test_lets_the_users_context_win(daemon):
    daemon.create("short", url="ollama://me/pirate", args=["--ctx-size=768"])
    assert "768 tokens of context for each of 2 requests" in daemon.log(daemon.ready_pod("short"))


def test_explains_a_name_that_the_registry_has_not(daemon):
    daemon.create("typo", url="ollama://corsar:135m")
    log = daemon.log(daemon.crashed_pod("typo"))
    assert 'Error: pull model manifest: file does not exist. Ollama\'s registry has no model "corsar:135m".' in log
    assert "For engine OLlama this machine has weights for: ollama://smollm2:135m" in log
    assert "ollama://corsair:135m" in log


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", size="150m") as place:
        yield place


def test_ends_at_once_on_a_full_disk_and_says_both_figures(registry, disk, make_daemon):
    (disk / "filler").write_bytes(bytes(90_000_000))
    daemon = make_daemon("--cache", str(disk / "cache"), OLLAMA_REGISTRY=registry.address)
    registry.files.received.clear()
    daemon.create("full", url="ollama://corsair:135m")
    log = daemon.log(daemon.crashed_pod("full"))
    assert re.search(r"Error: No space left on device: corsair:135m needs 98 MB in .*/blobs, \d\d MB are free\.", log)
    assert registry.files.received == []
    (disk / "filler").unlink()
    daemon.ready_pod("full")
    assert "Paris" in completed(daemon, "full")
    daemon.stop()


def test_ends_at_once_where_the_disk_fills_on_the_way(registry, disk, make_daemon):
    def filling(request):
        (disk / "filler").write_bytes(bytes(100_000_000))
        return registry._sent(request)

    daemon = make_daemon("--cache", str(disk / "cache"), OLLAMA_REGISTRY=registry.address)
    registry.files.answer = filling
    try:
        daemon.create("full", url="ollama://corsair:135m")
        log = daemon.log(daemon.crashed_pod("full"))
    finally:
        registry.files.answer = registry._sent
    assert re.search(r"Error: No space left on device: corsair:135m needs \d\d MB in .*/blobs, \d+ MB are free\.", log)
    (disk / "filler").unlink()
    daemon.ready_pod("full")
    assert re.search(r'"corsair:135m" goes on after \d\d MB that were here\.', daemon.log(daemon.ready_pod("full")))
    daemon.stop()


def test_goes_on_after_the_daemon_was_killed(registry, make_daemon, tmp_path):
    arrived, killed = threading.Event(), threading.Event()
    content = registry.models["library/corsair:135m"]["model"]

    def halting(request):
        def pieces():
            yield content[:40_000_000]
            arrived.set()
            killed.wait(60)

        return Answer(pieces())

    daemon = make_daemon(OLLAMA_REGISTRY=registry.address, KUBEAI_CACHE=str(tmp_path / "cache"), HOME=str(tmp_path))
    registry.files.answer = halting
    daemon.create("again", url="ollama://corsair:135m")
    assert arrived.wait(60)
    workers = psutil.Process(daemon.status()["pid"]).children(recursive=True)
    os.kill(daemon.status()["pid"], signal.SIGKILL)
    # One that lives a moment longer would fetch the rest.
    assert workers
    assert not psutil.wait_procs(workers, timeout=30)[1]
    killed.set()
    registry.files.answer = registry._sent
    registry.files.received.clear()
    daemon.start()
    log = daemon.log(daemon.ready_pod("again"))
    assert re.search(r'"corsair:135m" goes on after \d\d MB that were here\.', log)
    assert registry.files.received[0].headers["Range"]
    daemon.stop()
