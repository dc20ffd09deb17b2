"""Ranking, on answers in the wire formats of Infinity, vLLM and llama.cpp as they document them."""

from __future__ import annotations

from typing import Any

import pytest

from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.rerank import checked, rerank
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import CallError, UsageError
from tests.support.http_server import HttpServer, json_answer

TEXTS = ["Bananas are yellow.", "Paris is the capital of France.", "France is in Europe."]
INFINITY = {
    "object": "rerank",
    "results": [
        {"relevance_score": 0.99, "index": 1, "document": TEXTS[1]},
        {"relevance_score": 0.41, "index": 2, "document": None},
        {"relevance_score": 0.0, "index": 0, "document": None},
    ],
    "model": "ranker",
    "usage": {"prompt_tokens": 30, "total_tokens": 30},
}
VLLM = {
    "id": "rerank-1",
    "model": "ranker",
    "results": [
        {"index": 1, "document": {"text": TEXTS[1], "multi_modal": None}, "relevance_score": 0.99},
        {"index": 2, "document": {"text": TEXTS[2]}, "relevance_score": 0.41},
        {"index": 0, "document": {"text": TEXTS[0]}, "relevance_score": 0},
    ],
}
LLAMA_CPP = {
    "model": "ranker",
    "object": "list",
    "usage": {"prompt_tokens": 30, "total_tokens": 30},
    "results": [
        {"index": 0, "relevance_score": 0.0},
        {"index": 1, "relevance_score": 0.99},
        {"index": 2, "relevance_score": 0.41},
    ],
}


def ranked(answer: object, **options: object) -> tuple[list[tuple[int, float]], HttpServer]:
    given: dict[str, Any] = {"query": "What is the capital of France?", "top_n": None, **options}
    with HttpServer(lambda _: json_answer(answer)) as server, endpoint_at(server) as endpoint:
        return rerank(endpoint, "ranker", TEXTS, **given), server


def endpoint_at(server: HttpServer) -> Endpoint:
    return Endpoint(Access(base_url=f"{server.address}/openai/v1"))


@pytest.mark.parametrize("answer", [INFINITY, VLLM, LLAMA_CPP], ids=["infinity", "vllm", "llama.cpp"])
def test_gives_the_best_first_whatever_engine_answers(answer):
    best, server = ranked(answer)
    assert best == [(1, 0.99), (2, 0.41), (0, 0.0)]
    [received] = server.received
    assert received.path == "/openai/v1/rerank"
    assert received.json == {"model": "ranker", "query": "What is the capital of France?", "documents": TEXTS}


def test_asks_for_the_best_few_and_takes_no_more():
    best, server = ranked(LLAMA_CPP, top_n=2)
    assert best == [(1, 0.99), (2, 0.41)]
    assert server.received[0].json["top_n"] == 2


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"index": 3, "relevance_score": 1}],
        [{"index": -1, "relevance_score": 1}],
        [{"index": "1", "relevance_score": 1}],
        [{"index": 1, "relevance_score": "high"}],
        [{"index": 1}],
        [{"index": 1, "relevance_score": 1}, {"index": 1, "relevance_score": 0.5}],
    ],
)
def test_believes_no_answer_that_ranks_nothing(rows):
    with pytest.raises(CallError, match="ranker answered something that cannot be read: it does not give each text"):
        ranked({"results": rows})


@pytest.mark.parametrize(("top_n", "wanted"), [(None, 3), (2, 2), (9, 3)])
def test_believes_no_answer_that_leaves_texts_out(top_n, wanted):
    with pytest.raises(CallError, match=f"cannot be read: it ranks 1 of {wanted} texts"):
        ranked({"results": INFINITY["results"][:1]}, top_n=top_n)


@pytest.mark.parametrize(
    ("query", "texts", "top_n", "sentence"),
    [
        ("", ["a"], None, "The question is missing or empty"),
        (None, ["a"], None, "The question is missing or empty"),
        ("q", ["a", None], None, "Text 1 is missing or empty"),
        ("q", ["a", float("nan")], None, "Text 1 is missing or empty"),
        ("q", [" "], None, "Text 0 is missing or empty"),
        ("q", "one text", None, "takes a list of texts"),
        ("q", None, None, "takes a list of texts, not None"),
        ("q", 5, None, "takes a list of texts, not int"),
        ("q", ["a"], 0, "top_n= takes a number"),
        ("q", ["a"], True, "top_n= takes a number"),
    ],
)
def test_refuses_what_cannot_be_ranked(query, texts, top_n, sentence):
    with pytest.raises(UsageError, match=sentence):
        checked(query, texts, top_n)


def test_takes_texts_that_can_be_read_once():
    assert checked("q", (text for text in TEXTS), None) == TEXTS


def test_sends_texts_that_no_encoding_holds():
    assert checked("q", ["half \ud800 of it", "{braces} %s $x"], None) == ["half ? of it", "{braces} %s $x"]
