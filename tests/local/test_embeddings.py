from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path

import pytest

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.weight_files import BERT_FILES
from kubeai_notebook.local.engines.gguf_files import converted
from kubeai_notebook.local.engines.gguf_header import header_of
from kubeai_notebook.local.weights import shipped_packages
from tests.support.http_server import HttpServer
from tests.support.hub import Hub

SPEC = {"features": ["TextEmbedding"], "minReplicas": 1}
TEXTS = ["a cat", "a kitten", "a car", "Zażółć gęślą jaźń", "日本語のテキスト", "😀"]


@pytest.fixture(scope="module")
def mini(kubeai):
    """MiniLM as the seed serves it: asked of Infinity, answered by llama.cpp."""
    kubeai.create("mini", engine="Infinity", url="hf://sentence-transformers/all-MiniLM-L6-v2", **SPEC)
    yield kubeai.ready_pod("mini")
    kubeai.delete("mini")


def vectors(daemon, texts, model="mini"):
    status, text = daemon.ask("/embeddings", {"model": model, "input": texts})
    assert status == 200, text
    data = json.loads(text)["data"]
    assert [item["index"] for item in data] == list(range(len(data)))
    return [item["embedding"] for item in data]


def likeness(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_gives_normalised_vectors_of_384_numbers(kubeai, mini):
    for vector in vectors(kubeai, TEXTS):
        assert len(vector) == 384
        assert math.isclose(likeness(vector, vector), 1, abs_tol=1e-5)


def test_knows_a_kitten_from_a_car(kubeai, mini):
    cat, kitten, car = vectors(kubeai, TEXTS[:3])
    assert likeness(cat, kitten) > 0.7
    assert likeness(cat, car) < 0.5


def test_keeps_the_order_of_several_inputs(kubeai, mini):
    together = vectors(kubeai, TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        assert likeness(vector, vectors(kubeai, text)[0]) > 0.9999


def test_says_that_llamacpp_stands_in(kubeai, mini):
    assert mini["spec"]["containers"][0]["image"].startswith("llama.cpp ")
    assert mini["metadata"]["annotations"]["kubeai-notebook/stand-in-for"] == "Infinity"
    assert "standing in for Infinity" in kubeai.log(mini)


@pytest.mark.parametrize("route", ["/chat/completions", "/completions"])
def test_answers_a_wrong_route_as_infinity_would(kubeai, mini, route):
    status, text = kubeai.ask(route, {"model": "mini", "prompt": "Hi", "messages": []})
    assert (status, json.loads(text)) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize(
    ("engine", "url"), [("OLlama", "ollama://all-minilm"), ("VLLM", "hf://sentence-transformers/all-MiniLM-L6-v2")]
)
def test_is_served_by_the_other_engines_too(kubeai, mini, engine, url):
    kubeai.create("other", engine=engine, url=url, **SPEC)
    kubeai.ready_pod("other")
    assert likeness(vectors(kubeai, "a cat", "other")[0], vectors(kubeai, "a cat")[0]) > 0.9999
    kubeai.delete("other")


def test_refuses_to_generate_with_an_embedding_model(kubeai):
    kubeai.create("mute", url="ollama://all-minilm")
    assert '"mute" does not support generate' in kubeai.log(kubeai.crashed_pod("mute"))
    kubeai.delete("mute")


def test_converts_no_other_architecture(tmp_path):
    for name in BERT_FILES:
        (tmp_path / name).write_text('{"model_type": "llama"}')
    with pytest.raises(LocalError, match="holds a llama model; only BERT ones can be converted"):
        converted(tmp_path, tmp_path / "model.gguf")


def as_bert(folder, **settings):
    """MiniLM's files with other settings, as an embedding repository has them."""
    shutil.copytree(Path(os.environ["KUBEAI_CACHE"]) / shipped_packages()["ollama://all-minilm"].kept_as, folder)
    for name, content in settings.items():
        path = folder / {"pooling": "1_Pooling/config.json"}.get(name, f"{name}.json")
        path.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("pooling", "kind"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False, "word_embedding_dimension": 384}, 2),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True, "include_prompt": True}, 1),
        ({"pooling_mode": "cls"}, 2),
        ({}, 1),
    ],
)
def test_pools_as_the_repository_says(kubeai, mini, tmp_path, pooling, kind):
    folder = as_bert(tmp_path / "bert", pooling=pooling)
    header = header_of(converted(folder, tmp_path / "model.gguf"))
    assert header["bert.pooling_type"] == kind


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"pooling": {"pooling_mode_max_tokens": True}}, "It pools by max_tokens, which llama.cpp does not."),
        ({"modules": [{"type": "sentence_transformers.models.Dense"}]}, "a module Dense, which llama.cpp has not."),
        ({"tokenizer_config": {"do_lower_case": False}}, "Its tokenizer keeps capital letters"),
    ],
)
def test_refuses_what_llamacpp_would_read_otherwise(kubeai, mini, tmp_path, settings, sentence):
    folder = as_bert(tmp_path / "bert", **settings)
    with pytest.raises(LocalError, match=sentence):
        converted(folder, tmp_path / "model.gguf")


def test_serves_the_seeds_embedding_model_from_a_hub(kubeai, mini, make_daemon, tmp_path):
    pytest.importorskip("huggingface_hub")
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    folder = as_bert(tmp_path / "bert", pooling=pooling)
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with HttpServer(Hub({"BAAI/bge-small-en-v1.5": {**files, "README.md": b"x", "pytorch_model.bin": b"x"}})) as hub:
        daemon = make_daemon(HF_ENDPOINT=hub.address, HF_HOME=str(tmp_path / "hf"), HF_HUB_DISABLE_XET="1")
        daemon.create("bge", engine="Infinity", url="hf://BAAI/bge-small-en-v1.5", **SPEC)
        daemon.ready_pod("bge")
        assert not [request for request in hub.received if "README" in request.path or ".bin" in request.path]
    (first,) = vectors(daemon, "a cat", "bge")
    assert math.isclose(likeness(first, first), 1, abs_tol=1e-5)
    # The same weights, pooled otherwise.
    assert likeness(first, vectors(kubeai, "a cat")[0]) < 0.99
    assert likeness(first, vectors(daemon, "a cat", "bge")[0]) > 0.9999
