"""How much of a gateway's answer is taken, and for how long."""

from __future__ import annotations

import contextlib
import threading
from types import SimpleNamespace

import pytest

from kubeai_notebook.calls.http import BODY_SECONDS, MOST_BYTES, Bound, Signed, library
from kubeai_notebook.core.access import Access
from kubeai_notebook.core.foreign import MOST_ERROR_BYTES
from kubeai_notebook.errors import CallError


def bound(*, success: bool = True, kind: str = "application/json", moments: tuple[float, ...] = (0.0,)) -> Bound:
    """A bound whose clock shows each of the moments once, and the last for ever."""
    left = list(moments)
    response = SimpleNamespace(is_success=success, headers={"content-type": kind})
    return Bound(response, clock=lambda: left.pop(0) if len(left) > 1 else left[0])


def test_takes_an_answer_within_its_bounds():
    assert bound().lets_go_on(b"{}")


def test_refuses_an_answer_that_is_too_long():
    long = bound()
    assert long.lets_go_on(bytes(MOST_BYTES))
    with pytest.raises(CallError, match="longer than 256 MiB"):
        long.lets_go_on(b"x")


def test_refuses_an_answer_that_trickles_without_end():
    trickling = bound(moments=(0.0, 1.0, BODY_SECONDS + 1))
    assert trickling.lets_go_on(b"{")
    with pytest.raises(CallError, match="does not end within 600 s"):
        trickling.lets_go_on(b" ")


def test_lets_a_stream_go_on():
    assert bound(kind="text/event-stream; charset=utf-8", moments=(0.0, 1e9)).lets_go_on(b"data: {}")


def test_cuts_an_error():
    refused = bound(success=False)
    assert refused.lets_go_on(bytes(MOST_ERROR_BYTES))
    assert not refused.lets_go_on(b"x")


class Transports:
    """Transports that answer nothing; whoever makes one waits a moment for others that make one too."""

    def __init__(self, threads: int = 1) -> None:
        self.made: list[Transports.One] = []
        self._meet = threading.Barrier(threads)

    class One:
        closed = False

        def handle_request(self, request: object) -> object:
            return request

        def close(self) -> None:
            self.closed = True

    def __call__(self, **_options: object) -> One:
        with contextlib.suppress(threading.BrokenBarrierError):  # nobody else makes one
            self._meet.wait(0.3)
        self.made.append(self.One())
        return self.made[-1]


def at(port: int) -> str:
    return f"http://127.0.0.1:{port}/openai/v1"


def test_makes_its_connections_once_for_threads_that_ask_at_once(monkeypatch):
    transports = Transports(threads=8)
    monkeypatch.setattr(library(), "HTTPTransport", transports)
    signed = Signed(Access(base_url=at(1), own_url=at(2)))
    request = library().Request("GET", f"{at(1)}/models")
    threads = [threading.Thread(target=signed.handle_request, args=(request,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    signed.close()
    assert [one.closed for one in transports.made] == [True]


def test_gives_up_connections_to_all_but_the_latest_addresses(monkeypatch):
    transports, ports = Transports(), iter(range(2, 100))
    monkeypatch.setattr(library(), "HTTPTransport", transports)

    def moved() -> Access:
        return Access(base_url=at(1), own_url=at(next(ports)), renewed=moved)

    signed = Signed(moved())
    for _ in range(10):
        signed.handle_request(library().Request("GET", f"{at(1)}/models"))
    assert [one.closed for one in transports.made] == [True] * 6 + [False] * 4
    signed.close()
    assert all(one.closed for one in transports.made)
