"""How much context a machine has room for, and what a download says of its speed."""

from __future__ import annotations

import struct

import pytest

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.engines.fit import Room, fitted
from kubeai_notebook.local.engines.gguf_header import Shape, header_of, shape_of
from kubeai_notebook.local.operator.recorder import Pulling

SHAPE = Shape(weights_bytes=1_000_000_000, layers=32, context=8192, token_bytes=131_072)
"""An 8B model's cache: 512 MiB for 4096 tokens."""


@pytest.mark.parametrize(
    ("memory", "context", "chosen", "parallel"),
    [
        (10**10, None, 4096, 2),
        (2 * 10**9, None, 2048, 2),
        (14 * 10**8, None, 512, 2),
        (12 * 10**8, None, 512, 1),
        (6 * 10**9, 8192, 8192, 2),
        (23 * 10**8, 8192, 8192, 1),
        (10**8, 512, 512, 1),
        (10**8, 4096, 4096, 1),  # another engine has the memory just now
    ],
)
def test_takes_the_context_that_fits_or_the_one_that_is_asked_for(memory, context, chosen, parallel):
    fit = fitted(SHAPE, Room(memory, whole_bytes=10**10), context=context, parallel=2)
    assert (fit.context, fit.parallel) == (chosen, parallel)
    assert f"{chosen} tokens of context" in fit.sentence
    assert "(the model knows 8192)" in fit.sentence


@pytest.mark.parametrize(
    ("memory", "context", "sentence"),
    [
        (
            2 * 10**9,
            8192,
            "A context of 8192 tokens needs 1.1 GB of cache, and 850 MB of memory are left beside the weights; "
            "--ctx-size=6144 fits.",
        ),
        (10**10, 999_999_999, "--ctx-size=8192 fits."),  # no more than the model knows
        (10**8, 4096, "0 MB of memory are left beside the weights."),
    ],
)
def test_refuses_a_context_that_would_take_all_memory(memory, context, sentence):
    with pytest.raises(LocalError) as refused:
        fitted(SHAPE, Room(memory), context=context, parallel=2)
    assert str(refused.value).endswith(sentence)


def test_refuses_none_whose_size_nobody_knows():
    unknown = Shape(weights_bytes=1, layers=0, context=0, token_bytes=0)
    assert fitted(unknown, Room(10**9), context=10**6, parallel=2).context == 10**6


def test_never_takes_more_than_the_model_knows():
    small = Shape(weights_bytes=1, layers=2, context=256, token_bytes=1)
    assert fitted(small, Room(10**9), context=None, parallel=2).context == 256


@pytest.mark.parametrize(
    ("gpu", "layers", "words"),
    [
        (0, -1, "No GPU that this build of llama.cpp can use."),
        (8 * 10**9, -1, "All layers are on the GPU, A100."),
        (10**9, 14, "14 of 32 layers are on the GPU, A100."),
    ],
)
def test_puts_as_many_layers_on_a_gpu_as_it_holds(gpu, layers, words):
    fit = fitted(SHAPE, Room(10**10, gpu, "A100"), context=None, parallel=2)
    assert fit.gpu_layers == layers
    assert fit.sentence.endswith(words)


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(tmp_path, *pairs):
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + b"".join(pairs))
    return path


def test_reads_a_header_and_steps_over_long_lists(tmp_path):
    words = text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    numbers = text("kinds") + struct.pack("<IIQ", 9, 5, 10_000) + bytes(40_000)
    heads = text("llama.attention.head_count_kv") + struct.pack("<IIQ2I", 9, 4, 2, 4, 8)
    layers = text("llama.block_count") + struct.pack("<II", 4, 2)
    name = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    width = text("llama.attention.key_length") + struct.pack("<II", 4, 64)
    value = text("llama.attention.value_length") + struct.pack("<II", 4, 64)
    header = header_of(gguf(tmp_path, words, numbers, heads, layers, name, width, value))
    assert header["llama.attention.head_count_kv"] == [4, 8]
    assert "tokens" not in header
    assert shape_of(tmp_path / "x.gguf", header).token_bytes == 2 * 128 * 12


def test_refuses_none_where_layers_keep_a_window_only(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"1234")
    header = {"general.architecture": "gemma3", "gemma3.block_count": 34, "gemma3.attention.head_count": 8}
    header |= {"gemma3.embedding_length": 2560, "gemma3.attention.sliding_window": 1024}
    shape = shape_of(tmp_path / "x.gguf", header)
    assert fitted(shape, Room(10**8), context=32_768, parallel=1).context == 32_768


def test_counts_all_parts_of_a_split_model(tmp_path):
    for number in (1, 2):
        (tmp_path / f"m-0000{number}-of-00002.gguf").write_bytes(bytes(100))
    assert shape_of(tmp_path / "m-00001-of-00002.gguf", {}).weights_bytes == 200


@pytest.mark.parametrize(
    "content",
    [
        b"", b"GGML", b"GGUF", b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("a") + struct.pack("<I", 99),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("a") + struct.pack("<IIQ", 9, 8, 2**63),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**63),
    ],
)  # fmt: skip
def test_refuses_what_is_no_header(tmp_path, content):
    (tmp_path / "x.gguf").write_bytes(content)
    with pytest.raises(LocalError, match="GGUF file"):
        header_of(tmp_path / "x.gguf")


@pytest.mark.parametrize("layers", [10_001, 6 * 10**7, 2**63, float("inf"), float("nan"), -1])
def test_takes_no_count_of_layers_that_no_model_has(tmp_path, layers):
    (tmp_path / "x.gguf").write_bytes(b"1234")
    header = {"general.architecture": "llama", "llama.block_count": layers, "llama.attention.head_count": 8}
    assert shape_of(tmp_path / "x.gguf", header) == Shape(4, 0, 0, 0)


@pytest.mark.parametrize("name", ["embedding_length", "context_length", "attention.head_count"])
def test_takes_no_number_without_an_end(tmp_path, name):
    (tmp_path / "x.gguf").write_bytes(b"1234")
    header = {"general.architecture": "llama", "llama.block_count": 2, f"llama.{name}": float("inf")}
    assert shape_of(tmp_path / "x.gguf", header) == Shape(4, 0, 0, 0)


def test_says_how_fast_a_download_is_and_what_is_left():
    now, notes = [0.0], []
    pulling = Pulling("ollama://x", note=notes.append, say=lambda _: None, clock=lambda: now[0])
    for seconds, done in ((0, 50), (1, 60), (2, 80), (60, 90), (61, 100)):
        now[0] = float(seconds)
        pulling(done * 10**6, 100 * 10**6)
    assert [note.removeprefix('Pulling weights "ollama://x"') for note in notes] == [
        "",
        ": 50 of 100 MB",
        ": 60 of 100 MB, 10.0 MB/s, 4 s left",
        ": 80 of 100 MB, 15.0 MB/s, 1 s left",
        ": 90 of 100 MB",
        ": 100 of 100 MB",
    ]
    assert pulling.end() == "100 MB in 61 s"


def test_says_how_long_nothing_has_arrived():
    now, notes = [0.0], []
    pulling = Pulling("ollama://x", note=notes.append, say=lambda _: None, clock=lambda: now[0])
    for seconds, done in ((0, 50), (1, 60), (6, 60), (11, 60), (95, 60), (96, 70)):
        now[0] = float(seconds)
        pulling(done * 10**6, 100 * 10**6)
    assert [note.removeprefix('Pulling weights "ollama://x"') for note in notes[2:]] == [
        ": 60 of 100 MB, 10.0 MB/s, 4 s left",
        ": 60 of 100 MB, 1.7 MB/s, 24 s left",
        ": 60 of 100 MB, nothing has arrived for 10 s",
        ": 60 of 100 MB, nothing has arrived for 94 s",
        ": 70 of 100 MB, 10.0 MB/s, 3 s left",
    ]


def test_keeps_the_last_remark_beside_the_figures():
    now, notes, log = [0.0], [], []
    pulling = Pulling("ollama://x", note=notes.append, say=log.append, clock=lambda: now[0])
    pulling(10**6, 4 * 10**6)
    pulling.remark("It broke off and goes on.")
    now[0] = 1.0
    pulling(2 * 10**6, 4 * 10**6)
    assert notes[-1] == 'Pulling weights "ollama://x": 2 of 4 MB, 1.0 MB/s, 2 s left. It broke off and goes on.'
    assert "It broke off and goes on." in log
