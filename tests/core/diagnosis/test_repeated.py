"""A Ready Pod whose log tells the same failure again and again; a client's slips and one bad moment tell nothing."""

from __future__ import annotations

import pytest

from kubeai_notebook.core.diagnosis import diagnose

from .scenes import NOW, container, log, model, pod, seen

STARTED = "INFO:     Application startup complete.\n"
FAILED = 'INFO:     10.0.0.7:4711 - "POST /v1/chat/completions HTTP/1.1" 500 Internal Server Error\n'
REFUSED = FAILED.replace("500 Internal Server Error", "400 Bad Request")
SERVED = FAILED.replace("500 Internal Server Error", "200 OK")


def raised(minute, error="RuntimeError: shape '[1, 77]' is invalid for input of size 154", second=0):
    return f"ERROR 11-22 19:{minute:02}:{second:02} [serving_chat.py:211] {error}\n"


def found(text, **spec):
    ready = pod("model-m-abc-1", container(running=True), ready=True)
    return diagnose(seen(model(ready=1, **spec), ready, logs=[log(text)]), now=NOW)


def test_shows_what_every_request_meets():
    (finding,) = found(STARTED + "".join(raised(minute) + FAILED for minute in (1, 4, 9)))
    assert finding.code == "ReadyButNotAnswering"
    assert finding.evidence[0].text.startswith("RuntimeError: shape")


def test_names_the_cause_where_the_failure_has_a_name():
    oom = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
    assert [finding.code for finding in found(STARTED + raised(1, oom) + raised(2, oom) + raised(3, oom))] == [
        "CudaOutOfMemory"
    ]


def test_knows_a_failure_by_its_words_and_not_by_its_numbers():
    texts = [raised(minute, f"RuntimeError: slot {minute} of request 0x{minute:x} is gone") for minute in (1, 2, 3)]
    assert len(found(STARTED + "".join(texts))) == 1


@pytest.mark.parametrize(
    "text",
    [
        STARTED + raised(1) + FAILED + raised(2) + FAILED,
        STARTED + raised(1) + FAILED + raised(2) + FAILED + SERVED + raised(3) + FAILED,
        STARTED + "".join(raised(minute) + REFUSED for minute in (1, 2, 3)),
        STARTED + raised(1) + raised(12) + raised(25),
        STARTED + raised(1) + raised(1) + raised(1),
        raised(1) + raised(2) + raised(3) + STARTED,
        raised(1) + raised(2) + raised(3),
        STARTED + "".join(f"WARNING 11-22 19:0{minute}:00 [x.py:1] ValueError was ignored\n" for minute in (1, 2, 3)),
        STARTED + "asyncio.exceptions.CancelledError\n" * 3,
    ],
    ids=["twice", "served between", "refused", "over half an hour", "told by three processes", "before it listened",
         "of its start, as far as is known", "only mentioned", "harmless"],
)  # fmt: skip
def test_says_nothing_of(text):
    assert found(text) == ()


@pytest.mark.parametrize(
    ("line", "spec"),
    [
        ('[GIN] 2026/11/22 - 19:0{}:00 | 500 |  1.2s |  10.0.0.7 | POST     "/v1/chat/completions"\n',
         {"engine": "OLlama", "url": "ollama://llama3"}),
        ('INFO:     10.0.0.7:4711 - "POST /v1/embeddings HTTP/1.1" 500 Internal Server Error\n',
         {"engine": "Infinity", "features": ["TextEmbedding"]}),
    ],
    ids=["Ollama", "Infinity"],
)  # fmt: skip
def test_reads_the_access_logs_of_other_engines(line, spec):
    text = "".join(raised(minute, "RuntimeError: broken") + line.format(minute) for minute in (1, 2, 3))
    assert [finding.code for finding in found(text, **spec)] == ["ReadyButNotAnswering"]


def test_says_that_an_infinity_answers_no_more_once_a_request_ended_its_thread():
    ended = (
        "ERROR    2026-11-22 19:01:02,833 infinity_emb ERROR: nope    batch_handler.py:587\n"
        "         Traceback (most recent call last):\n"
        '           File "/app/infinity_emb/inference/batch_handler.py", line 576,\n'
        "         in _core_batch\n"
        "         RuntimeError: nope\n"
    )
    spec = {"engine": "Infinity", "url": "hf://org/repo", "features": ["TextEmbedding"]}

    (finding,) = found(STARTED + ended, **spec)

    assert (finding.code, finding.remedies[0].title) == (
        "ReadyButNotAnswering",
        "Delete the Pod; KubeAI makes a new one.",
    )
    assert found(STARTED + ended.replace("_core_batch", "encode_core"), **spec) == ()
