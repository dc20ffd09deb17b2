"""Real Infinity and real vLLM, each in a venv of its own; by hand: ``pytest -m engines tests/engines``.

KUBEAI_TEST_INFINITY and KUBEAI_TEST_VLLM name the folders of their programs, KUBEAI_TEST_VLLM_WEIGHTS a folder with
SmolLM2-135M-Instruct in bf16 for vLLM.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kubeai_notebook.local.weights import shipped_packages
from tests.support.daemon import Daemon, is_ready
from tests.support.lora import write_lora
from tests.support.waiting import until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1200)]
MINILM = "hf://sentence-transformers/all-MiniLM-L6-v2"
SMOLLM2 = "hf://HuggingFaceTB/SmolLM2-135M-Instruct"
JSON = {"Content-Type": "application/json"}
TEXTS = ["Your text goes here.", "Zażółć gęślą jaźń", "日本語のテキスト", "😀 and a cat"]
EMBEDDING = {"engine": "Infinity", "features": ["TextEmbedding"], "url": MINILM}


def folder_of(variable):
    found = os.environ.get(variable)
    if not found:
        pytest.skip(f"{variable} names no folder")
    return found


@pytest.fixture
def daemon_with():
    """Make daemons that end with the test, however it ends."""
    made = []

    def make(home, programs, *options):
        made.append(_daemon(home, programs, *options))
        return made[-1]

    yield make
    for daemon in made:
        daemon.stop()


def _daemon(home, programs, *options):
    path = f"{programs}{os.pathsep}{os.environ['PATH']}" if programs else os.environ["PATH"]
    # The engines take their weights from folders, so that nothing leaves this machine.
    return Daemon(home, *options, PATH=path, HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")


def served(daemon, model, **spec):
    daemon.start()
    daemon.create(model, **spec)
    return until(lambda: next((pod for pod in daemon.pods(model) if is_ready(pod)), None), 600)


def vectors(daemon):
    status, text = daemon.ask("/embeddings", {"model": "mini", "input": TEXTS}, **JSON)
    assert status == 200, text
    return [item["embedding"] for item in json.loads(text)["data"]]


def test_llamacpp_embeds_as_infinity_does(tmp_path, daemon_with):
    programs = folder_of("KUBEAI_TEST_INFINITY")
    ours = daemon_with(tmp_path / "ours", None)
    served(ours, "mini", **EMBEDDING)
    standing_in = vectors(ours)
    cache = Path(os.environ["KUBEAI_CACHE"]) / shipped_packages()[MINILM].kept_as
    theirs = daemon_with(tmp_path / "theirs", programs, "--weights", f"{MINILM}={cache}")
    pod = served(theirs, "mini", **EMBEDDING)
    real = vectors(theirs)
    assert pod["spec"]["containers"][0]["image"].endswith("infinity_emb")
    for one, other in zip(standing_in, real, strict=True):
        assert sum(a * b for a, b in zip(one, other, strict=True)) > 0.9999


def test_vllm_completes_and_loads_adapters_at_run_time(tmp_path, daemon_with):
    programs, weights = folder_of("KUBEAI_TEST_VLLM"), folder_of("KUBEAI_TEST_VLLM_WEIGHTS")
    lora = write_lora(tmp_path / "loud", seed=1)
    options = ["--weights", f"{SMOLLM2}={weights}", "--weights", f"hf://me/loud={lora}"]
    daemon = daemon_with(tmp_path / "home", programs, *options)
    arguments = ["--dtype=bfloat16", "--max-model-len=1024", "--max-num-seqs=4", "--enforce-eager"]
    spec = {"engine": "VLLM", "url": SMOLLM2, "args": arguments, "env": {"VLLM_CPU_KVCACHE_SPACE": "1"}}
    pod = served(daemon, "smol", **spec, adapters=[{"name": "loud", "url": "hf://me/loud"}])
    assert pod["spec"]["containers"][0]["image"].endswith("vllm")
    texts = {}
    for model in ("smol", "smol_loud"):
        body = {"model": model, "prompt": "The capital of France is", "max_tokens": 8, "temperature": 0}
        texts[model] = json.loads(daemon.ask("/completions", body, **JSON)[1])["choices"][0]["text"]
    assert "Paris" in texts["smol"]
    assert texts["smol"] != texts["smol_loud"]
