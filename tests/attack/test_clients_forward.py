"""The port of `Model.forward` has a login behind it: what other programs and web pages can make of that."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.forward import MOST_BYTES, Forward
from kubeai_notebook.core.access import Access
from tests.support.attack import at_length
from tests.support.garbage import within
from tests.support.http_server import Answer, HttpServer, json_answer
from tests.support.network import answer, by_another_user, crowd, head, python_of_another_user
from tests.support.scripted_gateway import PIECE, STREAM, Exchange, scripted_gateway
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN, PROMPT = "KUBERNETES-ADMIN-TOKEN", "the-secret-prompt"
ASK = json.dumps({"model": "smol", "prompt": PROMPT}).encode()
CUT_SECONDS = 0.1


@pytest.fixture
def api() -> Iterator[HttpServer]:
    """A Kubernetes API, whose service proxy leads to a gateway."""
    with HttpServer(lambda _: json_answer({"data": []})) as server:
        yield server


@pytest.fixture
def port(api: HttpServer) -> Iterator[Forward]:
    with Endpoint(access(api.address)) as endpoint, Forward(endpoint, "smol") as port:
        yield port


def access(address: str) -> Access:
    url = f"{address}/api/v1/namespaces/kubeai/services/http:kubeai:80/proxy/openai/v1"
    return Access(base_url=url, own_url=url, token=lambda: f"Bearer {TOKEN}", proxied_by_api=True)


def exchanged(port: Forward, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port.port), 20) as program:
        program.sendall(request)
        with suppress(ConnectionError):
            return answer(program)
    return b""


def status_of(port: Forward, path: str, method: str = "GET", **headers: str) -> bytes:
    return exchanged(port, head(method, path, **{"Connection": "close", **headers}))[9:12]


PATHS = [
    "/openai/v1/../../../../../../../../secrets",
    "/openai/v1/%2e%2e/%2e%2e/secrets",
    "/openai/v1/..%2f..%2fsecrets",
    "/openai/v1/models/../../../../../secrets",
    "/openai/v1/models/.",
    "/openai/v1//models",
    "/openai/v1/models/",
    "/openai/v1\\..\\..\\secrets",
    "/openai/v1",
    "/openai/v1?x=/../..",
    "/openai/v1x/models",
    "/api/v1/secrets",
    "/",
    "*",
    "http://127.0.0.1/openai/v1/models",
    "http://evil.example/openai/v1/models",
    "/openai/v1/models;x",
    "/openai/v1/models%00",
    "/openai/v1/mod%65ls",
    "//evil.example/openai/v1/models",
    "/openai/v1/@evil.example/x",
]


@pytest.mark.parametrize("path", PATHS)
def test_leads_nowhere_but_to_the_gateways_routes(path: str, port: Forward, api: HttpServer) -> None:
    assert status_of(port, path) in (b"400", b"404")
    assert api.received == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "CONNECT", "TRACE", "X"])
def test_asks_and_sends_and_does_nothing_else(method: str, port: Forward, api: HttpServer) -> None:
    assert status_of(port, "/openai/v1/models", method) in (b"400", b"405", b"404")
    assert api.received == []


def test_passes_no_header_on_that_means_something_to_a_kubernetes_api(port: Forward, api: HttpServer) -> None:
    names = ["Impersonate-User", "X-Remote-User", "X-Forwarded-For", "Cookie", "Upgrade", "Proxy-Authorization", "Via"]
    sent = {name.replace("-", "_"): "admin" for name in names}
    assert (
        status_of(port, "/openai/v1/models", **sent, Authorization="Bearer another", X_Label_Selector="a=b") == b"200"
    )
    [received] = api.received
    assert not [name for name in names if name in received.headers]
    assert received.headers.get_all("Authorization") == [f"Bearer {TOKEN}"]
    assert received.headers["X-Label-Selector"] == "a=b"
    assert received.headers["Host"] == api.address.removeprefix("http://")


HOSTS = ["evil.example", "127.0.0.1.evil.example", "evil@127.0.0.1", "localhost:80:80", "0.0.0.0", "[::1", ""]


@pytest.mark.parametrize("host", HOSTS)
def test_takes_no_other_host_for_this_machine(host: str, port: Forward, api: HttpServer) -> None:
    assert status_of(port, "/openai/v1/models", Host=host) in (b"400", b"403")
    assert api.received == []


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://localhost:8888"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}]
)
def test_answers_no_web_page(headers: dict[str, str], port: Forward, api: HttpServer) -> None:
    assert status_of(port, "/openai/v1/models", **headers) == b"403"
    assert api.received == []


def test_answers_another_user_with_its_key_only(port: Forward, api: HttpServer) -> None:
    url = f"{port.base_url}/models"
    ask = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}")
    assert by_another_user(*ask, url) == "401"
    assert by_another_user(*ask, "-H", f"Authorization: Bearer {port.api_key}", url) == "401"
    assert api.received == []
    token = port._token
    assert by_another_user(*ask, "-H", f"Authorization: Bearer {token}", url) == "200"
    assert token not in str(api.received[0])


def test_lets_nobody_pass_as_root_by_hanging_up(port: Forward, api: HttpServer) -> None:
    request = head("POST", "/openai/v1/completions", Content_Length=str(len(ASK))) + ASK
    hang_up = (
        "with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as s: s.sendall(bytes.fromhex(sys.argv[2]))"
    )
    for _ in range(5):
        by_another_user(*python_of_another_user(hang_up, str(port.port), request.hex()))
    assert status_of(port, "/openai/v1/models") == b"200"
    assert [received.method for received in api.received] == ["GET"]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_follows_no_redirect_and_passes_none_on(code: int) -> None:
    with HttpServer() as sink:
        where = {"Location": f"{sink.address}/openai/v1/stolen?token=QUERY", "Content-Type": "text/html"}
        moved = HttpServer(lambda _: Answer(b"moved", code, where))
        with moved, Endpoint(access(moved.address)) as endpoint, Forward(endpoint, "smol") as port:
            request = head("POST", "/openai/v1/completions", Content_Length=str(len(ASK)), Connection="close") + ASK
            said = exchanged(port, request)
        assert sink.received == []
    assert said[9:12] == b"502"
    assert sink.address.encode() in said
    assert b"QUERY" not in said
    assert b"Location" not in said


@pytest.mark.parametrize("lie", [None, MOST_BYTES + 1, 1 << 62])
def test_takes_no_body_without_end(lie: int | None, port: Forward, api: HttpServer) -> None:
    length = {"Content_Length": str(lie)} if lie else {"Transfer_Encoding": "chunked"}
    piece = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    with socket.create_connection(("127.0.0.1", port.port), 20) as program:
        program.sendall(head("POST", "/openai/v1/completions", **length))
        with suppress(ConnectionError):
            for _ in range(0 if lie else 40):
                program.sendall(piece)
        with suppress(ConnectionError):
            assert program.recv(100)[9:12] == b"413"
    assert status_of(port, "/openai/v1/models") == b"200"
    assert [received.method for received in api.received] == ["GET"]


def test_reads_no_body_that_is_packed(port: Forward, api: HttpServer) -> None:
    fields = {"Content_Length": str(len(ASK)), "Content_Encoding": "gzip", "Connection": "close"}
    assert exchanged(port, head("POST", "/openai/v1/completions", **fields) + ASK)[9:12] == b"415"
    assert api.received == []


def test_smuggles_no_second_request(port: Forward, api: HttpServer) -> None:
    inner = head("GET", "/openai/v1/models?smuggled")
    both = head("POST", "/openai/v1/completions", Content_Length="4", Transfer_Encoding="chunked", Connection="close")
    exchanged(port, both + b"0\r\n\r\n" + inner)
    assert not [received for received in api.received if "smuggled" in received.path]


def test_serves_its_owner_while_another_user_holds_its_connections(port: Forward) -> None:
    with crowd(port.port, b"GET /openai/v1/models HTTP/1.1\r\nX-", 100):
        for _ in range(5):
            assert status_of(port, "/openai/v1/models") == b"200"


def test_serves_its_owner_beside_hundreds_of_half_requests(port: Forward) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", port.port), 10))
            half.sendall(b"POST /openai/v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
        assert status_of(port, "/openai/v1/models") == b"200"


@at_length
def test_ends_a_body_that_stands_still(port: Forward) -> None:
    with socket.create_connection(("127.0.0.1", port.port), 60) as program:
        program.sendall(head("POST", "/openai/v1/completions", Content_Length="100") + b'{"model"')
        assert program.recv(100)[9:12] == b"408"


def test_ends_with_slow_readers_and_half_open_sockets() -> None:
    """A program that reads nothing of a long answer keeps neither the port nor the Session's end waiting."""

    def threads() -> set[threading.Thread]:
        return set(threading.enumerate())

    before = threads()  # those of other tests' Sessions

    def flood(exchange: Exchange) -> None:
        exchange.say(STREAM)
        while True:
            exchange.say(PIECE * 10_000)

    with scripted_gateway(flood) as gateway, Endpoint(Access(base_url=gateway.url)) as endpoint:
        port = Forward(endpoint, "smol").start()
        with socket.create_connection(("127.0.0.1", port.port), 20) as program:
            program.sendall(head("GET", "/openai/v1/models"))
            assert program.recv(1000)
            assert within(20, endpoint.close) is None
            until(lambda: not [thread for thread in threads() - before if thread.name == "kubeai-calls"])
        assert gateway.hung_up.wait(10)


def test_cuts_the_gateway_when_a_program_hangs_up() -> None:
    took = []
    talks = scripted_gateway(lambda exchange: (exchange.say(STREAM + PIECE), exchange.read_until_hung_up()))
    with talks as gateway, Endpoint(Access(base_url=gateway.url)) as endpoint, Forward(endpoint, "smol") as port:
        for _ in range(5):
            gateway.hung_up.clear()
            with socket.create_connection(("127.0.0.1", port.port), 20) as program:
                program.sendall(head("GET", "/openai/v1/models"))
                assert program.recv(1000)
            begun = time.monotonic()
            assert gateway.hung_up.wait(10)
            took.append(time.monotonic() - begun)
    assert min(took) < CUT_SECONDS


def test_cuts_a_program_when_the_gateway_hangs_up() -> None:
    ended: list[float] = []

    def breaks(exchange: Exchange) -> None:
        exchange.say(STREAM + PIECE)
        ended.append(time.monotonic())
        exchange.end()

    took = []
    breaking = scripted_gateway(breaks)
    with breaking as gateway, Endpoint(Access(base_url=gateway.url)) as endpoint, Forward(endpoint, "smol") as port:
        for _ in range(5):
            exchanged(port, head("GET", "/openai/v1/models", Connection="close"))
            took.append(time.monotonic() - ended[-1])
    assert min(took) < CUT_SECONDS


def test_shows_no_login_where_the_gateway_is_away() -> None:
    gone = Access(
        base_url="http://127.0.0.1:9/openai/v1", own_url="http://127.0.0.1:9/x", token=lambda: f"Bearer {TOKEN}"
    )
    with Endpoint(gone) as endpoint, Forward(endpoint, "smol") as other:
        said = exchanged(other, head("GET", "/openai/v1/models", Connection="close"))
    assert said[9:12] == b"502"
    assert TOKEN.encode() not in said
