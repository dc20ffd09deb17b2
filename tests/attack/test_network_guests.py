"""Other users of the machine, web pages, and programs that only hold connections open."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import urllib.request
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests.support.attack import at_length, rounds
from tests.support.daemon import MODELS, SCRIPTED, Daemon, model_of
from tests.support.network import (
    another_user,
    answer,
    by_another_user,
    connected,
    crowd,
    exchanged,
    flood,
    gateway_of,
    head,
    network_options,
    ports_of,
    python_of_another_user,
    token_of,
    trusted,
)
from tests.support.waiting import until

CONNECTIONS = 1100
ASK = b'{"model": "nap", "prompt": "x"}'


@contextmanager
def descriptors(soft):
    """Start daemons with the usual soft limit, whatever this process has."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guests")
    running = Daemon(folder / "home", *network_options(folder), KUBEAI_LOCAL_TESTING="1")
    with descriptors(1024):
        running.start()
    yield running
    running.stop()


def curl(url, *options):
    return by_another_user("curl", "-s", "-w", "\n%{http_code}", *options, url).rpartition("\n")


@pytest.mark.finding("M9")
def test_answers_another_user_on_the_plain_port_only_with_the_token(house):
    url = f"{gateway_of(house)}/models"
    text, _, status = curl(url)
    assert status == "401"
    assert "kubeai-local token" in json.loads(text)["error"]
    assert curl(url, "-H", "Authorization: Bearer unused")[2] == "401"
    assert curl(url, "-H", f"Authorization: Bearer {token_of(house)}")[2] == "200"
    assert house.ask("/models")[0] == 200
    assert house.ask("/models", Authorization="Bearer unused")[0] == 200


@pytest.mark.finding("M9")
def test_prints_the_token_that_others_need(house):
    assert house.command("token").stdout.strip() == token_of(house)


@pytest.mark.finding("M9")
def test_takes_an_ipv6_socket_of_its_user_for_his(house):
    with socket.create_connection(("::ffff:127.0.0.1", ports_of(house)["gateway"]), 10) as connection:
        connection.sendall(head("GET", "/openai/v1/models", Connection="close"))
        assert answer(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.finding("M9")
def test_lets_nobody_pass_as_root_by_hanging_up(house):
    house.create("nap", url=SCRIPTED, minReplicas=0)
    port, pid = ports_of(house)["gateway"], house.status()["pid"]
    request = head("POST", "/openai/v1/completions", Content_Length=str(len(ASK))) + ASK
    hang_up = (
        "with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as s: s.sendall(bytes.fromhex(sys.argv[2]))"
    )
    # Asleep until the other program is gone, so that its sockets belong to nobody when they are looked at.
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(5):
            by_another_user(*python_of_another_user(hang_up, str(port), request.hex()))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert house.ask("/models")[0] == 200
    assert not house.api("GET", f"{MODELS}/nap")[1]["spec"].get("replicas")
    house.delete("nap")


HOSTS = ["evil@127.0.0.1", "localhost/@evil", "localhost#x", "localhost?x", "127.0.0.1:", "127.0.0.1.evil.example"]
HOSTS += ["[", "[::1", "localhost:80:80", "127.0.0.1 evil", "evil.example", "0.0.0.0", "LOCALHOST.", "\u00e4"]


@pytest.mark.finding("L10", "L4")
@pytest.mark.parametrize("host", HOSTS)
def test_takes_no_other_host_for_this_machine(house, host):
    assert exchanged(house, "gateway", head("GET", "/openai/v1/models", Host=host, Connection="close"))[9:12] in (
        b"400",
        b"403",
    )


@pytest.mark.finding("L10")
@pytest.mark.parametrize("text", ["GET /openai/v1/models HTTP/1.0\r\n\r\n", "GET /openai/v1/models HTTP/1.1\r\n\r\n"])
def test_wants_to_be_called_by_its_name(house, text):
    with connected(house, "gateway") as connection:
        connection.sendall(text.encode())
        assert connection.recv(100)[9:12] in (b"400", b"403")


@pytest.mark.finding("L10")
@pytest.mark.parametrize("port", ["api", "gateway"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_answers_no_page_of_another_site(house, port, site):
    path = {"api": MODELS, "gateway": "/openai/v1/models"}[port]
    login = f"Bearer {token_of(house)}"
    request = head("GET", path, Sec_Fetch_Site=site, Authorization=login, Connection="close")
    assert exchanged(house, port, request).startswith(b"HTTP/1.1 403")


HALVES = {
    "nothing": ("api", b""),
    "half a handshake": ("api", bytes.fromhex("16030102000100")),
    "half a head": ("gateway", b"GET /openai/v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nX-"),
    "half a body": ("gateway", head("POST", "/openai/v1/completions", Content_Length="100") + b'{"model"'),
}


@pytest.mark.finding("H4")
@pytest.mark.parametrize("half", HALVES)
def test_serves_its_owner_while_another_user_holds_a_thousand_connections(house, half):
    port, sent = HALVES[half]
    with crowd(ports_of(house)[port], sent, CONNECTIONS):
        for _ in range(rounds(full=50, short=5)):
            assert house.api("GET", MODELS)[0] == 200
            assert house.ask("/models")[0] == 200
    assert house.api("POST", MODELS, model_of("made", minReplicas=0))[0] == 201
    house.delete("made")
    assert (house.home / "daemon.log").stat().st_size < 100_000


@pytest.mark.finding("H4")
def test_serves_its_owner_while_another_user_floods_the_other_port(house):
    with flood(ports_of(house)["gateway"]):
        for _ in range(rounds(full=20, short=3)):
            assert house.api("GET", MODELS)[0] == 200


@pytest.mark.finding("H4")
def test_ends_connections_that_never_ask(house):
    with ExitStack() as stack:
        waiting = [stack.enter_context(connected(house, port)) for port in ("api", "gateway", "gateway")]
        half = stack.enter_context(socket.create_connection(("127.0.0.1", ports_of(house)["api"]), 20))
        half.sendall(HALVES["half a handshake"][1])
        waiting[2].sendall(HALVES["half a head"][1])
        for connection in (*waiting, half):
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""


@at_length
@pytest.mark.finding("H4")
def test_ends_a_body_that_stands_still(house):
    with connected(house, "gateway", 60) as connection:
        connection.sendall(HALVES["half a body"][1])
        assert answer(connection).startswith(b"HTTP/1.1 408")


@at_length
@pytest.mark.finding("H4")
def test_keeps_a_request_that_waits_for_its_model(house):
    house.create("never", url="ollama://never-there", minReplicas=0)
    body = b'{"model": "never", "prompt": "x"}'
    fields = {"Content_Length": str(len(body)), "Authorization": f"Bearer {token_of(house)}"}
    request = head("POST", "/openai/v1/completions", **fields) + body
    with connected(house, "api", 80) as by_tls, connected(house, "gateway", 80) as in_plain:
        by_tls.sendall(request)
        in_plain.sendall(request)
        with pytest.raises(TimeoutError):
            by_tls.recv(1)
        # The plain one has waited as long by now.
        in_plain.settimeout(1)
        with pytest.raises(TimeoutError):
            in_plain.recv(1)
    house.delete("never")


@pytest.mark.finding("H4")
def test_has_places_for_hundreds_of_its_owners_connections(house):
    address = ("127.0.0.1", ports_of(house)["gateway"])
    with ExitStack() as stack:
        for _ in range(520):
            stack.enter_context(socket.create_connection(address, 10))
        assert house.ask("/models")[0] == 200
        assert house.api("GET", MODELS)[0] == 200


@pytest.mark.finding("H4")
def test_tells_three_hundred_watchers_of_every_write(house):
    house.create("seen", url=SCRIPTED, minReplicas=0)
    writes = rounds(full=200, short=5)
    tls, address, login = trusted(house), ("127.0.0.1", ports_of(house)["api"]), f"Bearer {token_of(house)}"
    asking = head("GET", f"{MODELS}?watch=1&timeoutSeconds=120", Authorization=login)
    with ExitStack() as stack:
        watchers = []
        for _ in range(300):
            plain = socket.create_connection(address, 60)
            watchers.append(stack.enter_context(tls.wrap_socket(plain, server_hostname="127.0.0.1")))
            watchers[-1].sendall(asking)
        for number in range(writes):
            assert house.api("PATCH", f"{MODELS}/seen", {"metadata": {"labels": {"turn": str(number)}}})[0] == 200
        last = f'"turn":"{writes - 1}"'.encode()
        for watcher in watchers:
            seen = b""
            while last not in seen:
                piece = watcher.recv(1 << 16)
                assert piece
                seen = seen[-100:] + piece
    house.delete("seen")


@pytest.mark.finding("H4")
def test_keeps_its_log_small_and_shows_it(house):
    with (house.home / "daemon.log").open("ab") as log:
        for _ in range(12):
            log.write(b"noise of a native library\n" * 40_000)
        log.write(b"the last words\n")
    until(lambda: (house.home / "daemon.log").stat().st_size < 100_000, 20)
    assert (house.home / "daemon.log.1").stat().st_size <= 10_000_000
    assert house.command("logs").stdout.endswith("the last words\n")


@contextmanager
def thief(port):
    """Another program that listens on a port."""
    with socket.create_server(("127.0.0.1", port)) as taken:
        yield taken


@pytest.mark.finding("H5")
def test_says_that_the_gateway_has_lost_its_port(tmp_path):
    running = Daemon(tmp_path / "home")
    running.start()
    old, port = gateway_of(running), ports_of(running)["gateway"]
    running.stop()
    with thief(port):
        started = running.command("start")
        assert started.returncode == 0
        assert str(port) in started.stderr
        extension = running.kubeconfig["clusters"][0]["cluster"]["extensions"][0]["extension"]
        assert extension["moved_from"] == old
        assert str(port) in running.command("status").stdout
        assert "taken the gateway's port" in (running.home / "daemon.log").read_text()
    running.stop()
    running.start()
    extension = running.kubeconfig["clusters"][0]["cluster"]["extensions"][0]["extension"]
    assert "moved_from" not in extension
    running.stop()


@pytest.mark.finding("H5")
def test_keeps_the_gateways_port_when_the_kubeconfig_is_damaged(tmp_path):
    running = Daemon(tmp_path / "home")
    running.start()
    old = gateway_of(running)
    running.stop()
    (running.home / "kubeconfig").write_text("{")
    running.start()
    assert gateway_of(running) == old
    running.stop()


@pytest.mark.finding("H5", "M9")
def test_serves_the_gateway_behind_tls_and_the_token(house):
    url = house.kubeconfig["clusters"][0]["cluster"]["extensions"][0]["extension"]["tls"]
    path = f"/{url.split('/', 3)[3]}/models"
    assert house.api("GET", path)[0] == 200
    for login in ("", "Bearer unused", f"bearer {token_of(house)}x"):
        status, body = house.api("GET", path, Authorization=login)
        assert (status, body["reason"]) == (401, "Unauthorized")
    assert exchanged(house, "api", head("GET", path, Connection="close")).startswith(b"HTTP/1.1 401")


@pytest.mark.finding("H5")
def test_ends_the_engines_work_when_a_client_of_the_tls_way_hangs_up(house):
    house.create("talks", url=SCRIPTED)
    pod = house.ready_pod("talks")
    body = json.dumps({"model": "talks", "prompt": "x", "stream": True}).encode()
    login = f"Bearer {token_of(house)}"
    for port in ("api", "gateway"):
        before = house.log(pod).count("hung up")
        with connected(house, port) as connection:
            request = head("POST", "/openai/v1/completions", Content_Length=str(len(body)), Authorization=login)
            connection.sendall(request + body)
            until(lambda: b"data: " in connection.recv(1 << 16), 20)
        until(lambda: house.log(pod).count("hung up") > before, 20)  # noqa: B023 - used within the turn
    house.delete("talks")


@pytest.mark.finding("M9")
def test_shows_another_user_nothing_of_its_files_and_processes(house):
    pid = house.status()["pid"]
    paths = ["", "kubeconfig", "server.pem", "state.db", "ports.json", "notes", "daemon.log", "pods"]
    look = "print([p for p in sys.argv[1:] if os.access(p, os.R_OK)])"
    files = [str(house.home / name) for name in paths] + [f"/proc/{pid}/environ", f"/proc/{pid}/fd"]
    assert by_another_user(*python_of_another_user(look, *files)).strip() == "[]"


def test_leaves_nothing_running_of_the_other_user():
    process = another_user("true")
    assert process.wait(10) == 0
    process.communicate()


@pytest.mark.finding("M9")
def test_answers_the_snippets_of_everyday_clients(house):
    with urllib.request.urlopen(f"{gateway_of(house)}/models") as response:
        assert response.status == 200
    done = subprocess.run(["curl", "-sf", f"{gateway_of(house)}/models"], capture_output=True, check=False)
    assert done.returncode == 0
