"""What llama.cpp may answer for in another engine's place."""

from __future__ import annotations

import json

import pytest

from kubeai_notebook.errors import LocalError
from kubeai_notebook.local.emulation.stand_in import check_loadable, check_servable, wrong_routes
from kubeai_notebook.local.emulation.weight_files import usable_files


def test_answers_a_wrong_route_as_each_engine_would():
    ollama = wrong_routes("OLlama", ["TextEmbedding"], "mini")["/v1/chat/completions"]
    assert (ollama[0], json.loads(ollama[1])["error"]["message"]) == (400, '"mini" does not support chat')
    vllm = wrong_routes("VLLM", ["TextEmbedding"], "mini")["/v1/completions"]
    assert json.loads(vllm[1])["error"]["message"] == "The model does not support Completions API"
    assert wrong_routes("OLlama", ["TextEmbedding", "TextGeneration"], "mini") == {}


@pytest.mark.parametrize(
    ("engine", "features", "reason"),
    [
        ("FasterWhisper", ["SpeechToText"], "no engine for FasterWhisper yet"),
        ("VLLM", ["Reranking"], "cannot serve Reranking yet"),
    ],
)
def test_stands_in_for_no_engine_that_does_something_else(engine, features, reason):
    check_servable("VLLM", ["TextGeneration", "Reranking"])
    with pytest.raises(LocalError, match=reason):
        check_servable(engine, features)


def test_refuses_weights_in_the_words_of_the_engine_asked_for():
    known = ["ollama://a", "hf://b/c"]
    check_loadable("OLlama", "ollama://a", known=known, lacking="x")
    check_loadable("VLLM", "hf://other/d", known=known, lacking=None)
    with pytest.raises(LocalError, match="pull model manifest: file does not exist.*has weights for: ollama://a"):
        check_loadable("OLlama", "ollama://z", known=known, lacking="")
    with pytest.raises(LocalError, match="Model 'ollama://a' not found.*has weights for: hf://b/c"):
        check_loadable("VLLM", "ollama://a", known=known, lacking=None)


def test_chooses_the_files_that_llama_cpp_can_use():
    lora = dict.fromkeys(("adapter_config.json", "adapter_model.safetensors", "README.md"), 1)
    assert usable_files({"a.gguf": 1, "README.md": 1}, "model", where="me/x").files == ("a.gguf",)
    assert usable_files(lora, "adapter", where="me/x").files == tuple(lora)[:2]
    with pytest.raises(LocalError, match=r"me/x holds 2 .gguf files. Name one: me/x/a.gguf"):
        usable_files({"b.gguf": 1, "a.gguf": 1}, "model", where="me/x")
    with pytest.raises(LocalError, match=r"holds no .gguf file"):
        usable_files(lora, "model", where="me/x")
