"""Whatever a watch sends, the client finds the truth again, and does not ask in a loop meanwhile."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kubernetes.client import Configuration

from kubeai_notebook.cluster.client import Api
from kubeai_notebook.cluster.reflector import Reflector
from kubeai_notebook.cluster.timing import Timing
from tests.support.attack import rounds
from tests.support.garbage import Handler, serving
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

ODD = yaml.safe_load((Path(__file__).parents[1] / "golden" / "odd_watches.yaml").read_text())
TRUTH = {"name": "truth", "uid": "uid-truth", "resourceVersion": "9"}
MADE = {
    "DEEP": b'{"type":' + b"[" * 100_000,
    "ENDLESS": b"x" * (20 << 20),
    "BINARY": bytes(range(11, 256)),
    "STATUS_500": b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
    "STATUS_302": b"HTTP/1.1 302 X\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n",
    "STATUS_410": b"HTTP/1.1 410 X\r\nContent-Length: 0\r\n\r\n",
    **{
        f"BUSY_{said.upper()}": f"HTTP/1.1 429 X\r\nRetry-After: {said}\r\nContent-Length: 0\r\n\r\n".encode()
        for said in ("inf", "1e308", "nan")
    },
}


class Watched(Handler):
    """``/7/…``: the first watch is the seventh odd one, and lists show the truth from then on."""

    odd: dict[str, int]
    asked: list[tuple[str, str]]

    def handle(self) -> None:
        path = self.rfile.readline().decode().split(" ")[1]
        while self.rfile.readline().strip():
            pass
        number = path.split("/")[1]
        watches = "watch=true" in path
        self.asked.append((number, "watch" if watches else "list"))
        if not watches:
            known = [{"metadata": TRUTH}] if number in self.odd else []
            self.tell({"metadata": {"resourceVersion": "5"}, "items": known})
        elif self.odd.setdefault(number, 0) < self.times(number):
            self.odd[number] += 1
            self.misbehave(ODD[int(number) % len(ODD)])
        else:
            self.say(b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n")
            self.say(json.dumps({"type": "ADDED", "object": {"metadata": TRUTH}}).encode() + b"\n")
            while not self.stopped.wait(0.05) and not self.gone():
                pass

    def times(self, number: str) -> int:
        return 10**9 if number == "1000" else 1

    def misbehave(self, lines: list[str]) -> None:
        body = b"\n".join(MADE.get(line, line.encode()) for line in lines)
        if body.startswith(b"HTTP/"):
            self.say(body)
        else:
            self.say(b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n" + body + b"\n")

    def tell(self, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.say(f"HTTP/1.1 200 X\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data)


@pytest.fixture
def watched() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    asked: list[tuple[str, str]] = []
    logging.disable(logging.CRITICAL)
    with serving(type("One", (Watched,), {"odd": {}, "asked": asked})) as url:
        yield url, asked
    logging.disable(logging.NOTSET)


@pytest.mark.finding("M11")
def test_finds_the_truth_again_after_every_odd_watch(watched: Any) -> None:
    url, asked = watched
    reflectors = {
        number: Reflector(Api(Configuration(host=f"{url}/{number}")), "api/v1/namespaces/default/models")
        for number in range(len(ODD))
        # A server that asks for a long rest gets it, at most five minutes: the next test.
        if not ODD[number][0:1] or not ODD[number][0].startswith("BUSY_") or ODD[number] == ["BUSY_NAN"]
    }
    wrong = []
    deadline = time.monotonic() + 20
    for number, reflector in reflectors.items():
        try:
            until(
                lambda one=reflector: "truth" in [item["metadata"]["name"] for item in one.objects()],
                max(0.2, deadline - time.monotonic()),
            )
            until(lambda one=reflector: one.link.state == "live", max(0.2, deadline - time.monotonic()))
        except AssertionError:
            wrong.append((number, ODD[number]))
    for reflector in reflectors.values():
        reflector.close()
    assert not wrong
    assert max(len([1 for one, _ in asked if one == str(number)]) for number in reflectors) < 30


@pytest.mark.finding("M11")
def test_survives_a_rest_that_has_no_end(watched: Any) -> None:
    url, _ = watched
    reflectors = [
        Reflector(Api(Configuration(host=f"{url}/{number}")), "api/v1/namespaces/default/models")
        for number, lines in enumerate(ODD)
        if lines in (["BUSY_INF"], ["BUSY_1E308"])
    ]
    for reflector in reflectors:
        until(lambda one=reflector: one.link.state == "reconnecting")
        # Whoever looks ends the rest; an overflow would have ended the thread in it.
        until(lambda one=reflector: one.hurry() or one.link.state == "live")
        reflector.close()


@pytest.mark.finding("A5")
def test_asks_ever_more_seldom_where_each_watch_is_odd(watched: Any) -> None:
    url, asked = watched
    lists, pause = rounds(8, 6), 0.1
    begun, timing = time.monotonic(), Timing(first_pause=pause)
    reflector = Reflector(Api(Configuration(host=f"{url}/1000")), "api/v1/namespaces/default/models", timing=timing)
    until(lambda: [kind for _, kind in asked].count("list") == lists, 60)
    # Each rest is at least half of a pause that is twice the one before: a busy machine makes it longer only.
    assert time.monotonic() - begun > sum(pause * 2**number / 2 for number in range(lists - 1))
    reflector.close()
