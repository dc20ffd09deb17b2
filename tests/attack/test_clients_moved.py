"""The daemon stops, somebody takes its ports, it starts elsewhere: an open Session finds it, the thief gets nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from kubeai_notebook.errors import CallError, ClusterError, KubeAIError
from kubeai_notebook.session.session import Session
from tests.support.daemon import Daemon, scripted_options
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROMPT = "a prompt for nobody else"
SCRIPTED = {"url": "ollama://scripted", "engine": "OLlama", "resource_profile": "cpu:1"}


class Thief:
    """Listens on a port, keeps what comes, and answers as if it were a Model."""

    ANSWER = b'{"choices": [{"text": "stolen", "message": {"content": "stolen"}}]}'

    def __init__(self, port: int) -> None:
        self.got = b""
        self._listening = socket.create_server(("127.0.0.1", port), backlog=50)
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over:
            with contextlib.suppress(OSError):
                connection, _ = self._listening.accept()
                with connection:
                    connection.settimeout(0.3)
                    with contextlib.suppress(OSError):
                        while data := connection.recv(65536):
                            self.got += data
                    with contextlib.suppress(OSError):
                        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                        connection.sendall(head % len(self.ANSWER) + self.ANSWER)

    def close(self) -> None:
        self._over = True
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path / "home", *scripted_options(tmp_path), KUBEAI_LOCAL_TESTING="1")
    daemon.start()
    yield daemon
    daemon.command("stop")


def ports_of(daemon: Daemon) -> tuple[int, int]:
    cluster = daemon.kubeconfig["clusters"][0]["cluster"]
    urls = cluster["server"], cluster["extensions"][0]["extension"]["url"]
    return urlsplit(urls[0]).port or 0, urlsplit(urls[1]).port or 0


def asked(model: Any) -> str:
    """What somebody learns who asks meanwhile."""
    try:
        return str(model.complete(PROMPT, max_tokens=1))
    except KubeAIError as error:
        return type(error).__name__


@pytest.mark.finding("H5")
def test_an_open_session_follows_a_daemon_that_moved(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(daemon.home / "kubeconfig"))
    session = Session()
    model = session.serve(name="moved", **SCRIPTED).wait(60)
    assert asked(model) == " scripted"
    held = model.client
    shown = model.endpoint.base_url
    token = daemon.kubeconfig["users"][0]["user"]["token"].encode()
    before = ports_of(daemon)
    daemon.stop()
    thieves = [Thief(port) for port in before]
    try:
        # The address of the closed port is asked here on purpose: nobody may answer in the Model's place.
        endpoint = session.endpoint
        from kubeai_notebook.calls.chat import complete

        with pytest.raises(CallError):
            complete(endpoint, "moved", PROMPT, max_tokens=1)
        with pytest.raises(ClusterError):
            session.cluster.models()
        daemon.start()
        assert not set(ports_of(daemon)) & set(before)
        until(session.cluster.models, 20)
        until(lambda: model.status.phase == "Ready" and session.publisher.view("moved").link.state == "live", 60)
        assert asked(model) == " scripted"
        assert asked(session.attach("moved")) == " scripted"
        assert held.completions.create(model="moved", prompt=PROMPT, max_tokens=1).choices[0].text == " scripted"
        assert [said for said in session.cluster.notes if urlsplit(shown).netloc in said]
        assert model.endpoint.base_url != shown
        for thief in thieves:
            assert PROMPT.encode() not in thief.got
            assert token not in thief.got
    finally:
        for thief in thieves:
            thief.close()
        session.close()


@pytest.mark.finding("H5")
def test_other_programs_are_told_the_plain_address(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snippets of the README: requests and curl to the printed url, without a key."""
    import urllib.request

    monkeypatch.setenv("KUBECONFIG", str(daemon.home / "kubeconfig"))
    session = Session()
    model = session.serve(name="plain", **SCRIPTED).wait(60)
    url = model.endpoint.base_url
    assert url.startswith("http://127.0.0.1:")
    assert str(model.client.base_url).startswith(url)
    with urllib.request.urlopen(f"{url}/models") as answer:
        assert b"plain" in answer.read()
    session.close()
