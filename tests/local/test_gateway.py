from __future__ import annotations

import http.client
import json
import os
import signal
import urllib.error
import urllib.request

import pytest

from tests.support.daemon import MODELS, SCRIPTED, is_ready, processes_of
from tests.support.network import network_options
from tests.support.waiting import until


def test_completes_the_capital_of_france(kubeai, smol):
    body = {"model": smol, "prompt": "The capital of France is", "max_tokens": 6, "temperature": 0}
    status, text = kubeai.ask("/completions", body)
    assert status == 200
    assert "Paris" in json.loads(text)["choices"][0]["text"]


def test_streams_piece_by_piece(kubeai, smol):
    messages = [{"role": "user", "content": "Tell me about the sea."}]
    body = {"model": smol, "messages": messages, "max_tokens": 30, "stream": True}
    with kubeai.gateway_request("/chat/completions", body) as response:
        assert response.headers["X-Proxy"] == "lingo"
        assert response.headers.get_content_type() == "text/event-stream"
        lines = [line for line in response if line.strip()]
    assert len(lines) > 5
    assert lines[-1].strip() == b"data: [DONE]"


def test_stops_generating_when_the_client_hangs_up(kubeai, smol):
    body = {"model": smol, "prompt": "Once upon a time", "max_tokens": 3000, "stream": True, "ignore_eos": True}
    pod = kubeai.ready_pod(smol)
    with kubeai.gateway_request("/completions", body) as response:
        assert response.readline().startswith(b"data: ")
        begun = kubeai.log(pod).count("stop processing")
    until(lambda: kubeai.log(pod).count("stop processing") > begun)
    tokens = [int(line.rpartition("n_tokens = ")[2].split(",")[0]) for line in released(kubeai.log(pod))]
    assert tokens[-1] < 2000


def test_breaks_off_a_stream_whose_engine_died(kubeai):
    before = set(processes_of(kubeai.home))
    kubeai.create("dying")
    kubeai.ready_pod("dying")
    body = {"model": "dying", "prompt": "Once", "max_tokens": 3000, "stream": True, "ignore_eos": True}
    with kubeai.gateway_request("/completions", body) as response:
        assert response.readline().startswith(b"data: ")
        os.kill((set(processes_of(kubeai.home)) - before).pop(), signal.SIGKILL)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
    kubeai.delete("dying")


def released(log):
    return [line for line in log.splitlines() if "stop processing" in line]


def test_wakes_a_sleeping_model(kubeai):
    kubeai.create("nap", minReplicas=0)
    status, text = kubeai.ask("/completions", {"model": "nap", "prompt": "Hi", "max_tokens": 1})
    assert status == 200, text
    assert kubeai.api("GET", f"{MODELS}/nap")[1]["spec"]["replicas"] == 1
    kubeai.delete("nap")


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"model": "nope", "prompt": "x"}, 404, 'model not found: "nope"'),
        ({"model": "smol_style", "prompt": "x"}, 404, 'model not found: "smol_style"'),
        ({"prompt": "x"}, 400, "bad request: reading model from body: missing 'model' field"),
        ({"model": "smol", "prompt": "x", "stop": "a"}, 400, "bad request: reading model from body: decoding: "),
        (["smol"], 400, "bad request: reading model from body: decoding: "),
    ],
)
def test_words_its_refusals_as_kubeai_does(kubeai, smol, body, status, error):
    got, text = kubeai.ask("/completions", body)
    assert got == status
    assert json.loads(text)["error"].startswith(error)
    assert text.endswith("\n")


@pytest.mark.parametrize("headers", [{"Origin": "http://localhost:8888"}, {"Host": "evil.example:80"}])
def test_refuses_web_pages(kubeai, headers):
    assert kubeai.ask("/models", None, **headers)[0] == 403


def test_accepts_localhost_by_name(kubeai):
    assert kubeai.ask("/models", None, Host="localhost:80")[0] == 200


@pytest.mark.parametrize("path", ["/models/smol", "/models/", "/moderations"])
def test_has_no_other_routes(kubeai, path):
    assert kubeai.ask(path) == (404, "404 page not found\n")


def test_lists_text_models_unless_asked_for_others(kubeai, smol):
    spec = {"features": ["TextEmbedding"], "minReplicas": 0}
    kubeai.create("vectors", **spec)
    labelled = until(lambda: kubeai.api("GET", f"{MODELS}/vectors")[1]["metadata"].get("labels"))
    assert labelled == {"features.kubeai.org/TextEmbedding": "true"}
    assert [item["id"] for item in listed(kubeai, "/models")] == [smol]
    item = listed(kubeai, "/models?feature=TextEmbedding")[0]
    assert (item["id"], item["object"], item["owned_by"]) == ("vectors", "model", "")
    assert item["features"] == ["TextEmbedding"]
    kubeai.delete("vectors")


def test_lets_a_label_selector_replace_the_filter_by_feature(kubeai, smol):
    header = {"X-Label-Selector": "features.kubeai.org/TextGeneration=true"}
    assert [item["id"] for item in json.loads(kubeai.ask("/models?feature=Reranking", None, **header)[1])["data"]] == [
        smol
    ]
    status, text = kubeai.ask("/models", None, **{"X-Label-Selector": "a=b=c"})
    assert status == 400
    assert json.loads(text)["error"].startswith("failed to parse label selector: ")


@pytest.mark.parametrize(("selector", "status"), [("features.kubeai.org/TextGeneration", 200), ("team=x", 404)])
def test_asks_only_models_that_a_selector_matches(kubeai, smol, selector, status):
    body = {"model": smol, "prompt": "Hi", "max_tokens": 1}
    assert kubeai.ask("/completions", body, **{"X-Label-Selector": selector})[0] == status
    several = {"X-Label-Selector": selector, "x-label-selector": "a=b=c"}
    assert kubeai.ask("/completions", body, **several)[0] == 500


def test_needs_a_body_whatever_the_method(kubeai):
    status, text = kubeai.ask("/completions")
    assert (status, json.loads(text)["error"][:43]) == (400, "bad request: reading model from body: decod")


def test_has_the_routes_of_this_version(kubeai):
    assert kubeai.ask("/rerank", {"model": "no", "query": "q", "documents": []})[0] == 404
    assert json.loads(kubeai.ask("/rerank", {"model": "no"})[1])["error"] == 'model not found: "no"'
    assert json.loads(kubeai.ask("/responses", {"model": "no"})[1])["error"] == 'model not found: "no"'
    assert kubeai.ask("/moderations", {"model": "no"}) == (404, "404 page not found\n")


def listed(daemon, path):
    return json.loads(daemon.ask(path)[1])["data"]


def test_lets_nobody_past_it_to_the_engine(kubeai, smol):
    annotations = kubeai.ready_pod(smol)["metadata"]["annotations"]
    url = f"http://127.0.0.1:{annotations['model-pod-port']}/v1/completions"
    request = urllib.request.Request(url, json.dumps({"prompt": "x"}).encode())
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    with refused.value:
        assert refused.value.code == 401


@pytest.mark.parametrize("fault", ["broken", "gone"])
@pytest.mark.parametrize("strategy", ["LeastLoad", "PrefixHash"])
def test_tries_another_replica_when_one_fails(make_daemon, tmp_path, fault, strategy):
    daemon = make_daemon(*network_options(tmp_path / "engine"), KUBEAI_LOCAL_TESTING="1")
    daemon.create("twins", url=SCRIPTED, minReplicas=2, loadBalancing={"strategy": strategy})
    until(lambda: [is_ready(pod) for pod in daemon.pods("twins")] == [True, True], 30)
    body = {"model": "twins", "prompt": f"{fault} {tmp_path / 'first'}"}
    assert [daemon.ask("/completions", body)[0] for _ in range(8)] == [200] * 8
    assert (tmp_path / "first").exists()
