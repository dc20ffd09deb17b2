"""A port of this machine for other programs: what they send reaches the gateway, and its answer them, as it comes."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import openai
import pytest

from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.forward import Forward
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import DeployError, SessionClosedError, UsageError
from kubeai_notebook.loopback import peers
from tests.support.http_server import HttpServer, json_answer
from tests.support.scripted_gateway import PIECE, STREAM, scripted_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

TURNS = [{"role": "user", "content": "Hi"}]
CHOICE = {"choices": [{"message": {"content": "yes", "role": "assistant"}, "index": 0, "finish_reason": "stop"}]}


@contextmanager
def before(answer: object, status: int = 200, **options: object) -> Iterator[tuple[openai.OpenAI, HttpServer]]:
    """A client of a port, before a gateway that answers so."""
    server = HttpServer(lambda _: json_answer(answer, status))
    with server, forwarded(f"{server.address}/openai/v1", **options) as port, client_of(port) as client:
        yield client, server


@contextmanager
def forwarded(url: str, **options: object) -> Iterator[Forward]:
    with Endpoint(Access(base_url=url), **options) as endpoint, Forward(endpoint, "smol") as port:
        yield port


def client_of(port: Forward) -> openai.OpenAI:
    return openai.OpenAI(base_url=port.base_url, api_key=port.api_key, max_retries=0, timeout=20)


def talks() -> Any:
    """A gateway that begins a stream and then waits for its client to hang up."""
    return scripted_gateway(lambda exchange: (exchange.say(STREAM + PIECE), exchange.read_until_hung_up()))


def asked(port: Forward, path: str = "/models", **headers: str) -> tuple[int, str]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port.port, timeout=20)) as connection:
        connection.request("GET", f"/openai/v1{path}", headers=headers)
        with connection.getresponse() as response:
            return response.status, response.read().decode()


def test_takes_a_request_to_the_gateway_and_its_answer_back():
    with before(CHOICE) as (client, server):
        reply = client.chat.completions.create(model="smol", messages=TURNS)
        assert reply.choices[0].message.content == "yes"
    [received] = server.received
    assert received.path == "/openai/v1/chat/completions"
    assert received.json == {"model": "smol", "messages": TURNS}


def test_puts_the_login_on_behind_the_port_and_shows_it_to_no_program():
    with HttpServer(lambda _: json_answer(CHOICE)) as server:
        access = Access(
            base_url=f"{server.address}/told/openai/v1",
            own_url=f"{server.address}/proxy/openai/v1",
            token=lambda: "Bearer SECRET",
        )
        with Endpoint(access) as endpoint, Forward(endpoint, "smol") as port, client_of(port) as client:
            client.chat.completions.create(model="smol", messages=TURNS)
            assert "SECRET" not in repr(port) + port.base_url + port.api_key
    [received] = server.received
    assert received.path == "/proxy/openai/v1/chat/completions"
    assert received.headers.get_all("Authorization") == ["Bearer SECRET"]


def test_passes_a_stream_on_piece_by_piece():
    with talks() as gateway, forwarded(gateway.url) as port, client_of(port) as client:
        with client.chat.completions.create(model="smol", messages=TURNS, stream=True) as stream:
            assert next(stream).choices[0].delta.content == "x"  # and the engine has said no more
        assert gateway.hung_up.wait(10)


def test_breaks_off_for_the_program_where_the_gateway_does():
    def answer(exchange):
        exchange.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 1000\r\n\r\n" + PIECE)
        exchange.end()

    broken = pytest.raises((http.client.IncompleteRead, ConnectionError))
    with scripted_gateway(answer) as gateway, forwarded(gateway.url) as port, broken:
        asked(port)


def test_ends_a_stream_when_it_is_closed():
    with talks() as gateway, Endpoint(Access(base_url=gateway.url)) as endpoint:
        port = Forward(endpoint, "smol").start()
        with socket.create_connection(("127.0.0.1", port.port), 10) as program:
            program.sendall(b"GET /openai/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert program.recv(1000)
            port.close()
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("127.0.0.1", port.port), 10)
            with contextlib.suppress(ConnectionError):
                while program.recv(1000):
                    pass
        assert gateway.hung_up.wait(10)


def test_ends_with_its_session():
    with HttpServer(lambda _: json_answer({})) as server:
        with forwarded(f"{server.address}/openai/v1") as port:
            assert asked(port)[0] == 200
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port.port), 10)
        assert not port.is_open
        with pytest.raises(SessionClosedError, match="closed"):
            port.start()


def test_opens_again_after_it_was_closed():
    with HttpServer(lambda _: json_answer({})) as server, forwarded(f"{server.address}/openai/v1") as port:
        port.close()
        assert "closed" in repr(port)
        with port:
            assert asked(port)[0] == 200
            assert port.start() is port


def test_lets_its_port_go_however_soon_it_is_closed():
    with HttpServer() as server, Endpoint(Access(base_url=f"{server.address}/openai/v1")) as endpoint:
        number = 0
        for _ in range(20):
            port = Forward(endpoint, "smol", port=number).start()
            port.close()
            number = port.port


def test_says_its_address_and_how_it_is_used():
    with HttpServer() as server, forwarded(f"{server.address}/openai/v1") as port:
        assert repr(port) == (
            f"Forward('smol') answers at http://127.0.0.1:{port.port}/openai/v1. "
            "An OpenAI client takes its base_url and api_key, and model='smol'; close() ends it."
        )


def test_gives_no_address_before_it_is_open_or_after_it_was_closed():
    with HttpServer() as server, Endpoint(Access(base_url=f"{server.address}/openai/v1")) as endpoint:
        port = Forward(endpoint, "smol")
        for why in ("is not open yet", "is closed"):
            assert repr(port).startswith(f"Forward('smol') {why}. start() opens it")
            with pytest.raises(UsageError, match=rf"The port for smol {why}\. start\(\) opens it"):
                _ = port.base_url
            with port:
                assert port.base_url in repr(port)


@pytest.mark.parametrize("port", ["80", -1, 65_536, True, 1.5, "80\r\nX: y"])
def test_refuses_what_is_no_port(port):
    with Endpoint(Access(base_url="http://127.0.0.1:9/openai/v1")) as endpoint, pytest.raises(UsageError):
        Forward(endpoint, "smol", port=port)


def test_says_that_a_port_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        refused = pytest.raises(UsageError, match=f"Port {number} of this machine cannot be opened")
        with Endpoint(Access(base_url="http://127.0.0.1:9/openai/v1")) as endpoint, refused:
            Forward(endpoint, "smol", port=number).start()


def test_tells_a_program_why_the_gateway_is_not_reached():
    refused = pytest.raises(openai.InternalServerError, match="The gateway did not answer")
    with forwarded("http://127.0.0.1:9/openai/v1") as port, client_of(port) as client, refused as raised:
        client.chat.completions.create(model="smol", messages=TURNS)
    assert raised.value.status_code == 502


def never(name: str) -> Iterator[None]:
    if name == "smol":
        yield
        raise DeployError("smol is Blocked: no node has a GPU.", "Take the profile cpu.")


def test_tells_a_program_why_a_model_can_never_answer():
    with before(CHOICE, waiting=never) as (client, server):
        with pytest.raises(openai.InternalServerError, match="smol is Blocked: no node has a GPU"):
            client.chat.completions.create(model="smol", messages=TURNS)
        with pytest.raises(openai.InternalServerError, match="smol is Blocked: no node has a GPU"):
            client.audio.transcriptions.create(model="smol", file=("a.wav", b"RIFF"))
        assert client.chat.completions.create(model="other", messages=TURNS).choices
    assert len(server.received) == 1


def test_passes_a_form_on_as_it_is():
    with before({"text": "hello"}) as (client, server):
        said = client.audio.transcriptions.create(model="ears", file=("a.wav", b"RIFF" + bytes(100_000)))
    assert said.text == "hello"
    [received] = server.received
    assert received.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b'name="model"\r\n\r\nears' in received.body
    assert len(received.body) > 100_000


def test_passes_an_engines_own_refusal_on():
    refused = pytest.raises(openai.BadRequestError, match="too long")
    with before({"error": {"message": "too long"}}, 400) as (client, _), refused:
        client.chat.completions.create(model="smol", messages=TURNS)


@pytest.mark.skipif(not peers.KNOWN, reason="only Linux tells whose a program is")
def test_needs_no_key_of_its_own_users_programs():
    with before({"data": []}) as (client, server):
        response = urllib.request.urlopen(f"{client.base_url}models?feature=TextEmbedding", timeout=20)
        with response:
            assert json.load(response) == {"data": []}
    assert server.received[0].path == "/openai/v1/models?feature=TextEmbedding"


def test_gives_a_key_where_the_system_does_not_tell_whose_a_program_is(monkeypatch):
    monkeypatch.setattr(peers, "KNOWN", False)
    with HttpServer(lambda _: json_answer({"data": []})) as server, forwarded(f"{server.address}/openai/v1") as port:
        assert asked(port)[0] == asked(port, Authorization="Bearer unused")[0] == 401
        assert asked(port, Authorization=f"Bearer {port.api_key}")[0] == 200
        assert port.api_key not in repr(port)
    assert "Authorization" not in server.received[0].headers
