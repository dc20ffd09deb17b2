"""Real Infinity and real vLLM, each in a venv of its own; by hand: ``pytest -m engines tests/engines``.

KUBEAI_TEST_INFINITY and KUBEAI_TEST_VLLM name the folders of their programs, KUBEAI_TEST_VLLM_WEIGHTS a folder with
SmolLM2-135M-Instruct in bf16 for vLLM, and KUBEAI_TEST_CONVERT the site-packages that hold the extra [convert].
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kubeai_notebook.local.weights import shipped_packages
from tests.support.daemon import Daemon, is_ready
from tests.support.http_server import HttpServer
from tests.support.hub import Hub
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


def test_serves_safetensors_with_their_adapter_by_llamacpps_converter(tmp_path, daemon_with):
    """The seed's text model, by its own names: a repository of safetensors, and a LoRA adapter as PEFT writes it."""
    packages, base = folder_of("KUBEAI_TEST_CONVERT"), Path(folder_of("KUBEAI_TEST_VLLM_WEIGHTS"))
    model, adapter = "TinyLlama/TinyLlama-1.1B-Chat-v0.3", "jashing/tinyllama-colorist-lora"
    folders = {model: base, adapter: write_lora(tmp_path / "lora", seed=1, bfloat16=True)}
    repositories = {
        name: {path.name: path.read_bytes() for path in folder.iterdir()} for name, folder in folders.items()
    }
    settings = json.loads(repositories[model]["config.json"])
    # Code that a repository would like to be run, and weights that are code.
    odd = {"auto_map": {"AutoConfig": "modeling.Evil"}, "torch_dtype": "bfloat16"}
    repositories[model] |= {
        "config.json": json.dumps(settings | odd).encode(),
        "modeling.py": b"raise SystemExit(1)",
        "pytorch_model.bin": b"x",
    }
    with HttpServer(Hub(repositories)) as hub:
        environment = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        path = os.pathsep.join([packages, os.environ.get("PYTHONPATH", "")])
        cache = str(tmp_path / "cache")
        daemon = Daemon(tmp_path / "home", PYTHONPATH=path, KUBEAI_CACHE=cache, **environment)
        adapters = [{"name": "colorist", "url": f"hf://{adapter}"}]
        arguments = ["--enable-prefix-caching", "--max-model-len=8192"]
        try:
            pod = served(
                daemon, "tinyllama-chat", engine="VLLM", url=f"hf://{model}", adapters=adapters, args=arguments
            )
            asked = [request.path for request in hub.received]
            assert not [path for path in asked if path.endswith((".py", ".bin"))]
            assert "llama.cpp's converter makes a GGUF file of them (Q8_0)" in daemon.log(pod)
            prompt = {"prompt": "The capital of France is", "max_tokens": 8, "temperature": 0}
            said = {}
            for name in ("tinyllama-chat", "tinyllama-chat_colorist"):
                _, text = until(lambda name=name: _ok(daemon, {"model": name, **prompt}), 60)
                said[name] = json.loads(text)["choices"][0]["text"]
            assert "Paris" in said["tinyllama-chat"]
            assert said["tinyllama-chat_colorist"] != said["tinyllama-chat"]
            daemon.delete("tinyllama-chat")
            hub.received.clear()
            daemon.create("again", engine="VLLM", url=f"hf://{model}")
            daemon.ready_pod("again")
            assert hub.received == []
        finally:
            daemon.stop()


def _ok(daemon, body):
    status, text = daemon.ask("/completions", body, **JSON)
    return (status, text) if status == 200 else None
