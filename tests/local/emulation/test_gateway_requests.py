"""What the gateway reads and refuses, without a network."""

from __future__ import annotations

import json

import pytest

from kubeai_notebook.local.emulation.gateway_requests import UnreadableError, is_form, read

CHAT, TEXT, RERANK = "/v1/chat/completions", "/v1/completions", "/v1/rerank"
RESPONSES, EMBEDDINGS = "/v1/responses", "/v1/embeddings"


def sent(route, **fields):
    return read(route, json.dumps({"model": "m", **fields}).encode()).body()


@pytest.mark.parametrize(
    ("route", "fields", "reason"),
    [
        (TEXT, {"stop": "x"}, 'json: cannot unmarshal JSON string into Go []string within "/stop"'),
        (TEXT, {"max_tokens": 1.5}, 'json: cannot unmarshal JSON number into Go int within "/max_tokens"'),
        (TEXT, {"logit_bias": {"1": 0.5}}, 'within "/logit_bias/1"'),
        (CHAT, {"metadata": {"a": 1}}, 'within "/metadata/a"'),
        (CHAT, {"modalities": "text"}, 'within "/modalities"'),
        (CHAT, {"messages": [{"role": 1}]}, 'within "/messages/0/role"'),
        (RERANK, {"documents": [{"text": "x"}]}, 'within "/documents/0"'),
        (TEXT, {"stream": 1}, 'within "/stream"'),
        (CHAT, {"parallel_tool_calls": "yes"}, 'Go bool within "/parallel_tool_calls"'),
        (CHAT, {"response_format": "json"}, 'within "/response_format"'),
        (CHAT, {"response_format": {"json_schema": {"name": 1}}}, 'within "/response_format/json_schema/name"'),
        (CHAT, {"audio": {"voice": 1}}, 'within "/audio/voice"'),
        (RESPONSES, {"model": 1}, 'within "/model"'),
    ],
)
def test_refuses_types_that_kubeais_structs_have_not(route, fields, reason):
    with pytest.raises(UnreadableError) as refused:
        sent(route, **fields)
    assert str(refused.value).startswith("reading model from body: decoding: ")
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "reading model from body: decoding: "),
        (b"null", "reading model from body: decoding: "),
        (b'{"model": "a", "model": "b"}', 'duplicate object member name "model"'),
        (b'{"model": "\xff"}', "invalid UTF-8"),
        (b'{"model": ""}', "reading model from body: missing 'model' field"),
        (b'{"model": "m", "a": ' + b"[" * 200_000, "exceeded max depth"),
        (b'{"model": "m", "temperature": NaN}', "invalid character 'N'"),
        (b'{"model": "m", "n": ' + b"9" * 5000 + b"}", "decoding: "),
        (b'{"Model": "a"}', "reading model from body: missing 'model' field"),
    ],
)
def test_refuses_what_it_cannot_decode(body, reason):
    with pytest.raises(UnreadableError) as refused:
        read(CHAT, body)
    assert reason in str(refused.value)


def test_keeps_unknown_fields_at_the_top_only():
    message = {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}], "reasoning_content": "x"}
    got = sent(CHAT, messages=[message], top_k=3, stream_options={"include_usage": True, "other": 1})
    assert got["messages"] == [{"role": "user", "content": [{"type": "input_audio"}]}]
    assert (got["top_k"], got["stream_options"]) == (3, {"include_usage": True})


def test_keeps_a_schema_whole_and_drops_what_stands_beside_it():
    schema = {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}]}}, "x-own": 1}
    form = {
        "type": "json_schema",
        "json_schema": {"name": "a", "schema": schema, "strict": True, "other": 1},
        "extra": 1,
    }
    kept = sent(CHAT, response_format=form)["response_format"]
    assert kept == {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}
    prediction = sent(CHAT, prediction={"type": "content", "content": "x", "other": 1})["prediction"]
    assert prediction == {"type": "content", "content": "x"}


def test_passes_a_response_on_as_it_is():
    fields = {"input": [{"role": "user", "content": "x", "own": 1}], "max_output_tokens": 3, "store": False}
    assert sent(RESPONSES, **fields) == {"model": "m", **{key: fields[key] for key in ("input", "max_output_tokens")}}


def test_leaves_out_zeros_but_not_those_that_mean_something():
    assert sent(TEXT, max_tokens=0, stream=False, temperature=0, n=0) == {"model": "m", "temperature": 0, "n": 0}
    assert sent(TEXT, echo=False, suffix="", best_of=0) == {"model": "m", "best_of": 0}
    assert sent(EMBEDDINGS, input="a", dimensions=0, encoding_format="") == {"model": "m", "input": "a"}
    assert sent(EMBEDDINGS, input="a", dimensions=3)["dimensions"] == 3


def test_leaves_out_a_chats_and_a_rerankings_zeros_and_nulls():
    zeros = {"logprobs": False, "reasoning_effort": "", "service_tier": "", "max_completion_tokens": 0}
    kept = {"top_logprobs": 0, "seed": 0, "parallel_tool_calls": False, "stop": [], "metadata": {}, "tools": []}
    assert sent(CHAT, **zeros, **kept, temperature=None, response_format=None, own=None) == {
        "model": "m",
        **kept,
        "own": None,
    }
    assert sent(TEXT, logprobs=0, prompt=None)["logprobs"] == 0
    assert sent(RERANK, query="", documents=["a"], top_n=0) == {"model": "m", "query": "", "documents": ["a"]}
    assert sent(RERANK, query="a", documents=[], top_n=1) == {"model": "m", "query": "a", "top_n": 1}


def test_leaves_out_zeros_within_messages_and_tools():
    said = {"role": "assistant", "content": None, "refusal": None, "tool_call_id": "", "tool_calls": None}
    parts = [{"type": "text", "text": ""}, {"type": "image_url", "image_url": {"url": "", "detail": ""}}]
    tool = {"type": "function", "function": {"name": "f", "description": "", "strict": False, "parameters": None}}
    got = sent(CHAT, messages=[said, {"role": "user", "content": parts}], tools=[tool], stream_options={})
    assert got["messages"][0] == {"role": "assistant", "content": None}
    assert got["messages"][1]["content"] == [{"type": "text"}, {"type": "image_url", "image_url": {"url": ""}}]
    assert got["tools"] == [{"type": "function", "function": {"name": "f", "parameters": None}}]
    assert got["stream_options"] == {}


def test_names_only_the_adapter_to_the_engine():
    asked = read(TEXT, b'{"model": "m_a_b"}')
    assert (asked.model, asked.adapter) == ("m", "a_b")
    assert asked.body() == {"model": "a_b"}
    assert read(TEXT, b'{"model": "m_"}').adapter == ""


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=b", "Multipart/Form-Data;x=y"])
def test_knows_a_form_by_its_type(kind):
    assert is_form(kind)
    assert not is_form("application/json")


def test_refuses_a_type_that_is_none_in_kubeais_words():
    with pytest.raises(UnreadableError, match="^parse media type: mime: "):
        is_form("application/")


@pytest.mark.parametrize(
    ("fields", "prefix"),
    [
        ({"prompt": "Hello"}, "Hel"),
        ({"prompt": ["One", "Two"]}, "One"),
        ({"prompt": [1, 2]}, ""),
        ({"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "日本語だ"}]}, "日本語"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": t} for t in "ab"]}]}, "ab"),
        ({"messages": [{"role": "user", "content": None}]}, ""),
        ({"input": "Hello"}, "Hel"),
        ({"input": [{"role": "system", "content": "x"}, {"role": "user", "content": "abcd"}]}, "abc"),
        ({"input": []}, ""),
        ({"input": [{"role": "user", "content": [5, {"text": {"a": 1}}, "b"]}]}, "b"),
        ({"prompt": [[1, 2]]}, ""),
    ],
)
def test_finds_the_prefix_that_balancing_goes_by(fields, prefix):
    route = CHAT if "messages" in fields else RESPONSES if "input" in fields else TEXT
    assert read(route, json.dumps({"model": "m", **fields}).encode()).prefix(3) == prefix
