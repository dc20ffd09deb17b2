"""Where a request goes, and what is filled in; and that it arrives like that."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.request import Request, send
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import CallError
from kubeai_notebook.session.platform.fields import Fields
from kubeai_notebook.session.platform.invocation import request_of
from kubeai_notebook.session.platform.status import ROUTES
from tests.support.http_server import HttpServer, json_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = "http://kubeai:80/openai/v1"


def status(*features: str, adapters: tuple[str, ...] = ()) -> Fields:
    paths = ["/models", *(path for feature in features for path in ROUTES[feature])]
    openai = {"model": "m-1", "features": list(features), "adapters": [{"name": name} for name in adapters]}
    return Fields({"openai": openai, "service": {"url": BASE, "urls": [BASE + path for path in paths]}})


TEXT, EMBEDDING = status("TextGeneration", adapters=("colorist",)), status("TextEmbedding")


def asked(of: Fields, url: str | None = None, **content: Any) -> Request:
    return request_of(of, "POST", url, **content)


@pytest.mark.parametrize(
    ("of", "body", "path"),
    [
        (TEXT, {"prompt": "Hi"}, "/completions"),
        (TEXT, {"messages": []}, "/chat/completions"),
        (EMBEDDING, {"input": "Hi"}, "/embeddings"),
        (status("Reranking"), {"query": "a", "documents": ["b"]}, "/rerank"),
    ],
)
def test_finds_the_route_and_fills_in_the_model(of: Fields, body: dict[str, Any], path: str) -> None:
    request = asked(of, json=body)
    assert (request.path, request.body) == (path, {"model": "m-1", **body})


def test_asks_for_an_adapter_by_its_name() -> None:
    assert (asked(TEXT, json={"prompt": "Hi"}, adapter="colorist").body or {})["model"] == "m-1_colorist"
    assert (asked(TEXT, json={"prompt": "Hi", "model": "m-1_colorist"}).body or {})["model"] == "m-1_colorist"


def test_reads_json_from_text_as_requests_does() -> None:
    assert asked(TEXT, data='{"prompt": "Hi"}').body == {"model": "m-1", "prompt": "Hi"}


def test_lists_the_models_with_the_runs_features_when_there_is_nothing_to_send() -> None:
    assert asked(EMBEDDING).path == "/models?feature=TextEmbedding"
    assert asked(EMBEDDING).method == "GET"


@pytest.mark.parametrize("url", [f"{BASE}/completions", "kubeai:80/openai/v1/completions", "/completions"])
def test_takes_the_runs_urls_whole_or_in_part(url: str) -> None:
    assert asked(TEXT, url, json={"messages": []}).path == "/completions"


@pytest.mark.parametrize(
    ("of", "content", "sentence"),
    [
        (TEXT, {"json": {"input": "Hi"}}, "does not answer at /embeddings: it serves TextGeneration. Send json={"),
        (EMBEDDING, {"json": {"prompt": "Hi"}}, 'it serves TextEmbedding. Send json={"input": …}.'),
        (TEXT, {"json": {"max_tokens": 3}}, "Nothing in the request says where it is to go."),
        (TEXT, {"json": ["Hi"]}, "The request's json must be a dict."),
        (TEXT, {"jsn": {"prompt": "Hi"}}, 'A request has no "jsn". Did you mean "json"?'),
        (TEXT, {"json": {"prompt": "Hi"}, "adapter": "color"}, 'no adapter "color". Did you mean "colorist"?'),
        (EMBEDDING, {"json": {"input": "Hi"}, "adapter": "x"}, 'no adapter "x". It has none.'),
        (TEXT, {"json": {"prompt": "Hi"}, "url": "http://elsewhere/v1"}, "is not one of this run's."),
        (TEXT, {"data": "{"}, "The request's data is no JSON."),
    ],
)
def test_says_what_the_run_takes_instead(of: Fields, content: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CallError) as raised:
        asked(of, **content)
    assert sentence in str(raised.value)


@pytest.fixture
def gateway() -> Iterator[tuple[Endpoint, list[tuple[str, str, str, bytes]]]]:
    """An endpoint that answers ``{}``, and what it was asked."""
    seen: list[tuple[str, str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append((self.command, self.path, self.headers.get("Content-Type", ""), body))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class's own name
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Endpoint(Access(base_url=f"http://127.0.0.1:{server.server_port}/openai/v1")), seen
    server.shutdown()
    server.server_close()


def test_sends_a_recording_as_a_form(gateway: tuple[Endpoint, list[tuple[str, str, str, bytes]]]) -> None:
    endpoint, seen = gateway
    request = asked(status("SpeechToText"), files={"file": ("a.wav", b"RIFF")}, data={"language": "it"})
    assert send(endpoint, "m-1", request).json() == {}
    [(method, path, kind, body)] = seen
    assert (method, path) == ("POST", "/openai/v1/audio/transcriptions")
    assert kind.startswith("multipart/form-data; boundary=")
    for part in (b'name="model"\r\n\r\nm-1\r\n', b'name="language"\r\n\r\nit\r\n', b'filename="a.wav"', b"RIFF"):
        assert part in body


def test_sends_headers_and_parameters_along(gateway: tuple[Endpoint, list[tuple[str, str, str, bytes]]]) -> None:
    endpoint, seen = gateway
    send(endpoint, "m-1", asked(status("TextGeneration", "TextEmbedding")))
    send(endpoint, "m-1", asked(TEXT, json={"prompt": "Hi"}, params={"a": "1"}, headers={"X-Label-Selector": "a=b"}))
    assert [entry[:2] for entry in seen] == [
        ("GET", "/openai/v1/models?feature=TextGeneration&feature=TextEmbedding"),
        ("POST", "/openai/v1/completions?a=1"),
    ]
    assert seen[1][3] == b'{"model":"m-1","prompt":"Hi"}'


@pytest.mark.parametrize("url", [f"{BASE}/v1/completions", f"http://{BASE}/completions", "/openai/v1/v1/completions"])
def test_takes_urls_as_published_notebooks_put_them_together(url: str) -> None:
    assert asked(TEXT, url, json={"prompt": "Hi"}).path == "/completions"


def test_takes_the_keywords_of_requests() -> None:
    request = asked(TEXT, json={"prompt": "Hi"}, timeout=60, stream=False, verify=False, allow_redirects=True)
    assert request.body == {"model": "m-1", "prompt": "Hi"}
    assert request.timeout == 60
    with pytest.raises(CallError, match="timeout must be a number of seconds above 0"):
        asked(TEXT, json={"prompt": "Hi"}, timeout="60s")


@pytest.mark.parametrize("code", [400, 404, 500, 503])
def test_returns_the_answer_whatever_its_status(code: int) -> None:
    refusal = {"error": {"message": "This model's maximum context length is 2048 tokens.", "code": code}}
    with HttpServer(lambda _request: json_answer(refusal, code)) as server:
        endpoint = Endpoint(Access(base_url=f"{server.address}/openai/v1"))
        answer = send(endpoint, "m-1", asked(TEXT, json={"prompt": "Hi"}))
        assert (answer.status_code, answer.json()) == (code, refusal)
        assert len(server.received) == 1


@pytest.mark.parametrize("timeout", [0.2, (5, 0.2)])
def test_waits_as_long_as_the_call_says(timeout: float | tuple[float, float]) -> None:
    ended = threading.Event()

    def silent(_request: object) -> None:
        ended.wait(30)

    with HttpServer(silent) as server:
        endpoint = Endpoint(Access(base_url=f"{server.address}/openai/v1"))
        try:
            with pytest.raises(CallError) as raised:
                send(endpoint, "m-1", asked(TEXT, json={"prompt": "Hi"}, timeout=timeout))
        finally:
            ended.set()
    assert raised.value.retryable
