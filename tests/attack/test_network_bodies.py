"""What is sent to the two ports: bodies, numbers, and where they go on to."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import subprocess
import threading
from contextlib import suppress

import pytest

from tests.support.attack import rounds
from tests.support.daemon import MODELS, PODS, SCRIPTED, Daemon
from tests.support.http_server import HttpServer
from tests.support.network import (
    CLIENT_SECONDS,
    answer,
    connected,
    exchanged,
    head,
    network_options,
    ports_of,
    token_of,
)
from tests.support.waiting import until

COMPLETIONS, AUDIO = "/openai/v1/completions", "/openai/v1/audio/transcriptions"
FORM = "multipart/form-data; boundary=b"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bodies")
    running = Daemon(folder / "home", *network_options(folder), KUBEAI_LOCAL_TESTING="1")
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def echo(house):
    """A Model whose engine answers with what it was sent."""
    house.create("echo", url=SCRIPTED)
    house.ready_pod("echo")
    return "echo"


def posted(daemon, path, body, port="gateway", **headers):
    """Status and text; the connection is closed by the server or has an end."""
    fields = {"Content_Length": str(len(body)), "Authorization": f"Bearer {token_of(daemon)}", "Connection": "close"}
    text = exchanged(daemon, port, head("POST", path, **fields | headers) + body)
    start, _, rest = text.partition(b"\r\n\r\n")
    return int(start[9:12]), rest


def memory_of(daemon):
    """Resident bytes of the daemon."""
    pid = str(daemon.status()["pid"])
    listed = subprocess.run(["ps", "-o", "rss=", "-p", pid], capture_output=True, text=True, check=True)
    return int(listed.stdout) * 1024


def part(name, value, extra=b""):
    return b'--b\r\nContent-Disposition: form-data; name="' + name + b'"' + extra + b"\r\n\r\n" + value + b"\r\n"


def slow_bodies():
    """Bodies of a megabyte, for each of which some reader needs more than linear time."""
    members = ",".join(f'"{number}":0' for number in range(MEGABYTE // 10))
    return {
        "form-data repeated": (FORM, b"--b\r\n" + b"form-data;" * (MEGABYTE // 10) + b"\r\n\r\nx\r\n--b--\r\n"),
        "name= repeated": (FORM, b'--b\r\nContent-Disposition: form-data; name="' + b"name=" * (MEGABYTE // 5)),
        "parts without end": (FORM, b"--b\r\n" * (MEGABYTE // 5) + b"--b--\r\n"),
        "boundaries": (FORM, b"--" * (MEGABYTE // 2)),
        "one member twice": ("application/json", f'{{{members},"model":"x","model":"y"}}'.encode()),
    }


@pytest.mark.finding("H3")
@pytest.mark.parametrize("kind", slow_bodies())
def test_reads_a_body_in_linear_time(house, kind):
    content_type, body = slow_bodies()[kind]
    status, _ = posted(house, AUDIO if content_type == FORM else COMPLETIONS, body, Content_Type=content_type)
    assert status == 400
    assert house.api("GET", MODELS)[0] == 200


@pytest.mark.finding("H3")
def test_goes_on_answering_others_while_it_reads_large_forms(house):
    body = part(b"model", b"x") + part(b"file", b"form-data;" * (rounds(full=60, short=6) * MEGABYTE // 10)) + b"--b--"
    done = threading.Event()

    def send():
        with suppress(OSError, ValueError):
            posted(house, AUDIO, body, Content_Type=FORM)
        done.set()

    thread = threading.Thread(target=send)
    thread.start()
    answered = 0
    while not done.is_set():
        assert house.api("GET", MODELS)[0] == 200
        answered += 1
    thread.join()
    assert answered


@pytest.mark.finding("M8")
@pytest.mark.parametrize("path", [COMPLETIONS, "/openai/v1/chat/completions", AUDIO])
@pytest.mark.parametrize("port", ["api", "gateway"])
def test_refuses_a_body_larger_than_its_bound(house, port, path):
    size = (300 if path == AUDIO else 40) * MEGABYTE
    before = memory_of(house)
    with connected(house, port) as connection:
        connection.sendall(
            head("POST", path, Content_Length=str(size), Authorization=f"Bearer {token_of(house)}", Content_Type=FORM)
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    assert memory_of(house) - before < 50 * MEGABYTE


@pytest.mark.finding("M8")
def test_refuses_a_body_that_grows_beyond_its_bound(house):
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with connected(house, "gateway") as connection:
        connection.sendall(head("POST", COMPLETIONS, Transfer_Encoding="chunked"))
        with suppress(ConnectionError):
            for _ in range(64):
                connection.sendall(piece)
            connection.sendall(b"0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.finding("M8")
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip"])
@pytest.mark.parametrize(("port", "path"), [("api", MODELS), ("api", COMPLETIONS), ("gateway", COMPLETIONS)])
def test_unpacks_nothing(house, port, path, encoding):
    kind = {"Content_Type": "application/json", "Content_Encoding": encoding}
    assert posted(house, path, b"\x1f\x8b\x08" + b"\0" * 100, port, **kind)[0] == 415


@pytest.mark.finding("M8")
def test_passes_a_long_recording_on_unchanged(house, echo):
    before = memory_of(house)
    recording = bytes(range(256)) * (rounds(full=200, short=40) * MEGABYTE // 256)
    file = part(b"file", recording, b'; filename="a.wav"') + b"--b--\r\n"
    status, text = posted(house, AUDIO, part(b"model", echo.encode()) + file, Content_Type=FORM)
    assert status == 200, text
    seen = json.loads(text)
    assert (seen["size"], seen["sha256"]) == (len(file), hashlib.sha256(file).hexdigest())
    assert memory_of(house) - before < 64 * MEGABYTE


DEEP = 200_000
ODD_JSON = {
    "lists": b'{"model": "echo", "prompt": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "objects": b'{"model": "echo", "x": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "open lists": b"[" * DEEP,
    "digits": b'{"model": "echo", "max_tokens": ' + b"9" * 5000 + b"}",
    "unknown digits": b'{"model": "echo", "top_k": ' + b"9" * 5000 + b"}",
    "NaN": b'{"model": "echo", "top_p": NaN}',
    "no number": b'{"model": "echo", "x": -Infinity}',
    "cut": b'{"model": "echo"',
    "bytes": b"\xff\xfe{}",
}


@pytest.mark.finding("L4")
@pytest.mark.parametrize("odd", ODD_JSON)
@pytest.mark.parametrize("port", ["api", "gateway"])
def test_says_that_odd_json_cannot_be_read(house, echo, port, odd):
    status, text = posted(house, COMPLETIONS, ODD_JSON[odd], port, Content_Type="application/json")
    assert status == 400
    assert json.loads(text)["error"].startswith("bad request: ")


NUMBERS = [
    "9" * 5000,
    "-" + "9" * 5000,
    "99999999999999999999",
    "NaN",
    "1e3",
    "%D9%A3",
    "0x10",
    "1.5",
    "%20",
    "-1",
    "+",
]
WHERE = {
    "limit": MODELS,
    "resourceVersion": f"{MODELS}?watch=1&timeoutSeconds=1",
    "timeoutSeconds": f"{MODELS}?watch=1",
    "tailLines": "log",
    "limitBytes": "log",
    "sinceSeconds": "log",
}


@pytest.mark.finding("L4")
@pytest.mark.parametrize("name", WHERE)
def test_refuses_odd_numbers_in_the_words_of_an_api_server(house, echo, name):
    pod = house.ready_pod(echo)["metadata"]["name"]
    path = WHERE[name].replace("log", f"{PODS}/{pod}/log")
    for number in NUMBERS:
        query = f"{'&' if '?' in path else '?'}{name}={number}"
        if name == "timeoutSeconds" and number == "-1":
            continue  # Ends at once, as with a genuine API server.
        status, body = house.api("GET", f"{path}{query}")
        assert status in (400, 422) or (number, name) == ("-1", "limit"), (number, status)
        assert status == 200 or body["message"]


@pytest.mark.finding("L4")
@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00%2B10:00", "9999-12-31T23:59:59-10:00", "x", "2026-01-01"]
)
def test_reads_any_time(house, echo, time):
    pod = house.ready_pod(echo)["metadata"]["name"]
    assert house.api("GET", f"{PODS}/{pod}/log?sinceTime={time}")[0] in (200, 400)


@pytest.mark.finding("L5")
@pytest.mark.parametrize("query", ["limitBytes=" + "9" * 5000, "tailLines=" + "9" * 5000, "limitBytes=1&x=1"])
def test_writes_no_second_answer_into_the_first(house, echo, query):
    pod = house.ready_pod(echo)["metadata"]["name"]
    login = f"Bearer {token_of(house)}"
    request = head("GET", f"{PODS}/{pod}/log?{query}", Authorization=login, Connection="close")
    assert exchanged(house, "api", request).count(b"HTTP/1.1 ") == 1


PROXIED = f"/api/v1/namespaces/default/services/kubeai:80/proxy{COMPLETIONS}"


@pytest.mark.finding("M10", "C2")
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("port", "path"), [("gateway", COMPLETIONS), ("api", COMPLETIONS), ("api", PROXIED)])
def test_passes_a_redirect_on_and_does_not_follow_it(house, echo, port, path, code):
    with HttpServer() as elsewhere:
        url = f"{elsewhere.address}/stolen"
        body = json.dumps({"model": echo, "prompt": f"redirect {code} {url}"}).encode()
        request = head("POST", path, Content_Length=str(len(body)), Authorization=f"Bearer {token_of(house)}")
        with connected(house, port) as connection:
            connection.sendall(request + body)
            text = connection.recv(1 << 16)
    assert text.startswith(f"HTTP/1.1 {code}".encode())
    assert f"Location: {url}".encode() in text
    assert not elsewhere.received


@pytest.mark.finding("H5")
@pytest.mark.parametrize(("port", "path"), [("gateway", COMPLETIONS), ("api", COMPLETIONS), ("api", PROXIED)])
def test_gives_no_engine_the_daemons_token(house, echo, port, path):
    body = json.dumps({"model": echo, "prompt": "echo"}).encode()
    status, text = posted(house, path, body, port)
    assert status == 200
    assert token_of(house).encode() not in text


@pytest.mark.finding("H4")
def test_stays_quiet_and_well_whatever_bytes_come(house):
    """Garbage in the shape of requests, without a login."""
    lines = [b"GET / HTTP/1.1\r\n", b"GET http://[::1 HTTP/1.1\r\n", b"\0" * 100, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    lines += [b"POST /%ff%00 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n", b"GET /" + b"a" * 200_000]
    lines += [b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"X: " * 100_000]
    lines += [b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10_000, b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: x\r\n"]
    before = (house.home / "daemon.log").stat().st_size
    for line in lines * rounds(full=20, short=1):
        with connected(house, "gateway") as connection, suppress(ConnectionError):
            connection.sendall(line + b"\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            assert not answer(connection).startswith(b"HTTP/1.1 5")
    assert house.ask("/models")[0] == 200
    assert (house.home / "daemon.log").stat().st_size - before < 10_000


@pytest.mark.finding("M8")
def test_holds_nothing_back_after_bodies_that_are_broken_off(house, echo):
    before = len(list(house.home.iterdir()))
    for _ in range(rounds(full=100, short=5)):
        with connected(house, "gateway") as connection:
            connection.sendall(head("POST", AUDIO, Content_Length=str(100 * MEGABYTE), Content_Type=FORM))
            connection.sendall(b"x" * 20 * MEGABYTE)
    until(lambda: house.ask("/models")[0] == 200, 20)
    assert len(list(house.home.iterdir())) == before


def test_speaks_to_a_plain_http_client(house, echo):
    connection = http.client.HTTPConnection("127.0.0.1", ports_of(house)["gateway"], timeout=CLIENT_SECONDS)
    for _ in range(3):
        connection.request("POST", COMPLETIONS, json.dumps({"model": echo, "prompt": "echo"}))
        assert connection.getresponse().read()
    connection.close()
