"""Vectors of many texts: in order, in batches, and no text lost to one that is too long."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import pytest

from kubeai_notebook.calls.embed_many import MOST_TEXTS, MOST_TOKENS, embed_many
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.question import Limits, Target
from kubeai_notebook.core.access import Access
from kubeai_notebook.core.embedding_prefixes import prefixes_of
from kubeai_notebook.errors import CallError
from tests.support.batch_server import batch_server
from tests.support.http_server import Answer, HttpServer, Received, json_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TARGET = Target(name="m", most_in_flight=8)


@pytest.fixture
def endpoint_of() -> Iterator[Callable[[HttpServer], Endpoint]]:
    opened: list[Endpoint] = []

    def make(server: HttpServer) -> Endpoint:
        opened.append(Endpoint(Access(base_url=f"{server.address}/openai/v1")))
        return opened[-1]

    yield make
    for endpoint in opened:
        endpoint.close()


def numbers(request: Received) -> Answer:
    """Plain numbers, from an engine that knows no base64."""
    texts = request.json["input"]
    if any(len(text) > 1000 for text in texts):
        return json_answer({"error": {"message": "input is too long"}}, 400)
    return json_answer({"data": [{"index": n, "embedding": [len(text), 1.5]} for n, text in enumerate(texts)]})


def test_keeps_the_order_of_many_texts() -> None:
    texts = [f"t{number}" for number in range(1000)]
    with batch_server(dimensions=3) as server, Endpoint(Access(base_url=server.url)) as endpoint:
        array = embed_many(endpoint, TARGET, texts).whole()
    assert (array.dtype, array.shape) == (np.float32, (1000, 3))
    assert array[:, 0].tolist() == [crc32(text.encode()) % 1000 for text in texts]


def test_takes_plain_numbers_too(endpoint_of: Callable[[HttpServer], Endpoint]) -> None:
    with HttpServer(numbers) as server:
        array = embed_many(endpoint_of(server), TARGET, ["a", "bb"]).whole()
        assert server.received[0].json["encoding_format"] == "base64"
    assert array.tolist() == [[1.0, 1.5], [2.0, 1.5]]


def test_cuts_batches_by_texts_and_by_tokens(endpoint_of: Callable[[HttpServer], Endpoint]) -> None:
    with HttpServer(numbers) as server:
        embed_many(endpoint_of(server), TARGET, ["a"] * 200 + ["x" * 900] * 200).whole()
        sizes = [request.json["input"] for request in server.received]
    assert max(map(len, sizes)) == MOST_TEXTS
    assert max(sum(map(len, texts)) for texts in sizes) * 0.3 <= MOST_TOKENS
    assert sum(map(len, sizes)) == 400


@pytest.mark.parametrize(("count", "tries"), [(1, 1), (MOST_TEXTS + 1, 3)])
def test_repeats_a_busy_request_of_many_only(
    count: int, tries: int, endpoint_of: Callable[[HttpServer], Endpoint]
) -> None:
    def answer(request: Received) -> Answer:
        return json_answer({"error": "busy"}, 429, Retry_After="0.01") if len(server.received) < 3 else numbers(request)

    with HttpServer(answer) as server:
        made = embed_many(endpoint_of(server), TARGET, ["a"] * count)
        assert len(server.received) >= tries
    assert bool(made.errors) == (count == 1)


def test_repeats_a_busy_request_of_few_texts_that_need_several(endpoint_of: Callable[[HttpServer], Endpoint]) -> None:
    def answer(request: Received) -> Answer:
        if len(server.received) == 2:
            return json_answer({"error": "busy"}, 429, Retry_After="0.01")
        return vectors(request)

    with HttpServer(answer) as server:
        made = embed_many(endpoint_of(server), TARGET, ["x" * 8000] * 60)
    assert made.errors == {}


def vectors(request: Received) -> Answer:
    return json_answer({"data": [{"index": n, "embedding": [1.0, 2.0]} for n, _ in enumerate(request.json["input"])]})


def test_asks_a_broken_engine_twice_and_not_for_each_text(endpoint_of: Callable[[HttpServer], Endpoint]) -> None:
    with HttpServer(lambda _request: json_answer({"error": {"message": "CUDA error"}}, 500)) as server:
        made = embed_many(endpoint_of(server), TARGET, ["t"] * MOST_TEXTS)
        assert len(server.received) == 2
    assert len(made.errors) == MOST_TEXTS
    assert "CUDA error" in made.errors[0].message


@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_loses_no_text_to_two_that_are_too_long(status: int, endpoint_of: Callable[[HttpServer], Endpoint]) -> None:
    def answer(request: Received) -> Answer:
        too_long = any(len(text) > 1000 for text in request.json["input"])
        return json_answer({"error": {"message": "too long"}}, status) if too_long else vectors(request)

    texts = ["a"] * 50
    texts[0] = texts[1] = "x" * 2000
    with HttpServer(answer) as server:
        made = embed_many(endpoint_of(server), TARGET, texts)
    assert sorted(made.errors) == [0, 1]


def test_loses_no_text_to_one_that_is_too_long(endpoint_of: Callable[[HttpServer], Endpoint]) -> None:
    texts = ["a"] * 50
    texts[17] = "x" * 2000
    with HttpServer(numbers) as server:
        made = embed_many(endpoint_of(server), TARGET, texts)
    assert list(made.errors) == [17]
    assert np.isnan(made.array[17]).all()
    assert np.isfinite(np.delete(made.array, 17, axis=0)).all()
    with pytest.raises(CallError, match=r"Text 17 was not embedded: .*input is too long"):
        made.whole()


@pytest.mark.parametrize(
    "data",
    [
        [],
        [{"index": 0, "embedding": "?"}],
        [{"index": 0, "embedding": []}],
        [{"index": 0}],
        [{"index": 3}],
        [1],
        [{"index": 0, "embedding": ""}],
    ],
)
def test_says_that_vectors_cannot_be_read(data: Any, endpoint_of: Callable[[HttpServer], Endpoint]) -> None:
    with HttpServer(lambda _request: Answer(json.dumps({"data": data}).encode())) as server:
        made = embed_many(endpoint_of(server), TARGET, ["a"], limits=Limits(attempts=1))
    with pytest.raises(CallError, match="its vectors are not numbers|0 vectors for 1 texts"):
        made.whole()


@pytest.mark.parametrize(
    ("url", "query", "passage"),
    [
        ("hf://intfloat/multilingual-e5-large", "query: ", "passage: "),
        ("hf://intfloat/multilingual-e5-large-instruct", "", ""),
        ("hf://BAAI/bge-base-en-v1.5", "Represent this sentence for searching relevant passages: ", ""),
        ("hf://BAAI/bge-m3", "", ""),
        ("ollama://nomic-embed-text:v1.5", "search_query: ", "search_document: "),
        ("ollama://all-minilm", "", ""),
    ],
)
def test_knows_what_a_family_wants_before_its_texts(url: str, query: str, passage: str) -> None:
    assert prefixes_of(url) == (query, passage)
