"""Whatever an engine, or somebody in its place, answers: a text, or a CallError in plain words."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubeai_notebook.calls.chat import complete
from kubeai_notebook.calls.embed_many import embed_many
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.question import Limits, Target
from kubeai_notebook.calls.request import Request, send
from kubeai_notebook.calls.stream import ChatStream
from kubeai_notebook.core.access import Access
from kubeai_notebook.core.foreign import MOST_ERROR_BYTES
from kubeai_notebook.errors import CallError
from tests.support.garbage import Handler, serving, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ODD = yaml.safe_load((Path(__file__).parents[1] / "golden" / "odd_streams.yaml").read_text(encoding="utf-8"))
STREAMS = ODD["streams"]
MADE = {
    "DEEP": b'{"choices": ' + b"[" * 100_000,
    "LONG": b'{"choices": [{"delta": {"content": "' + b"x" * 100_000 + b'"',
    "ENDLESS": b"data: " + b"x" * (17 << 20),
    "BINARY": b"data: \xff\xfe\x00\x80\n\n",
    "CUT": b"",
}
TURNS = [{"role": "user", "content": "Hi"}]


def bytes_of(text: str) -> bytes:
    return MADE.get(text, text.encode(errors="surrogatepass"))


def body_of(case: dict[str, Any]) -> bytes:
    if "data" in case:
        return b"".join(b"data: " + bytes_of(line) + b"\n\n" for line in case["data"])
    return bytes_of(case["body"])


class Engine(Handler):
    """The header X-Case, or else the name of the model, chooses.

    ``s/7``: the seventh odd stream, ``a/7``: the seventh odd answer, ``502``: a failure.
    """

    def handle(self) -> None:
        length, case = 0, ""
        while (line := self.rfile.readline().strip().lower()) and line:
            length = int(line.split(b":")[1]) if line.startswith(b"content-length:") else length
            case = line.split(b":")[1].decode().strip() if line.startswith(b"x-case:") else case
        body = self.rfile.read(length)
        case = case or json.loads(body)["model"]
        kind, _, number = case.partition("/")
        if kind == "s":
            odd = STREAMS[int(number)]
            self.tell(200, body_of(odd), odd.get("type", "text/event-stream"), cut=odd.get("body") == "CUT")
        elif kind == "a":
            self.tell(200, bytes_of(ODD["answers"][int(number)]), "application/json")
        else:
            self.tell(int(kind), b"<html><title>Bad Gateway</title>" + b"x" * 5_000_000, "text/html")

    def tell(self, status: int, body: bytes, kind: str, *, cut: bool = False) -> None:
        length = len(body) + 100 * cut
        head = f"HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        with contextlib.suppress(OSError):
            self.say(head.encode() + body)


@pytest.fixture(scope="module")
def engine() -> Iterator[Endpoint]:
    with serving(Engine) as url:
        yield Endpoint(Access(base_url=f"{url}/openai/v1"))


def completed(engine: Endpoint, name: str) -> Any:
    return complete(engine, "m", "Hi", **case(name))


def embedded(engine: Endpoint, name: str) -> Any:
    return embed_many(engine, Target(name=name), ["Hi"], limits=Limits(attempts=1)).whole()


def case(name: str) -> dict[str, Any]:
    return {"extra_headers": {"X-Case": name}}


@pytest.mark.finding("M4")
@pytest.mark.parametrize("number", range(len(STREAMS)))
def test_reads_an_odd_stream_or_says_that_it_cannot(engine: Endpoint, number: int) -> None:
    odd = STREAMS[number]
    found = within(20, lambda: ChatStream(engine, "m", TURNS, **case(f"s/{number}")).whole())
    if odd.get("ok") is not None and not (odd["ok"] == "" and isinstance(found, CallError)):
        assert found == odd["ok"]
        found.encode()
    else:
        assert isinstance(found, CallError), found
        assert odd.get("says", "") in str(found)
        assert len(str(found)) < 2_500


@pytest.mark.finding("M4")
@pytest.mark.parametrize("number", range(len(ODD["answers"])))
@pytest.mark.parametrize("ask", [completed, embedded])
def test_says_that_an_odd_answer_cannot_be_read(engine: Endpoint, ask: Callable[..., Any], number: int) -> None:
    found = within(20, lambda: ask(engine, f"a/{number}"))
    assert isinstance(found, CallError), found


@pytest.mark.finding("M4")
def test_tells_what_an_engine_said_in_its_error(engine: Endpoint) -> None:
    number = ODD["answers"].index('{"error": {"message": "engine died"}}')
    found = within(10, lambda: complete(engine, "m", "Hi", **case(f"a/{number}")))
    assert "engine died" in str(found)


@pytest.mark.finding("M4")
@pytest.mark.parametrize("status", [300, 304, 400, 401, 403, 404, 418, 500, 502, 599])
def test_cuts_the_page_that_answers_in_an_engines_place(engine: Endpoint, status: int) -> None:
    options = case(str(status))
    for ask in (
        lambda: complete(engine, "m", "Hi", **options),
        lambda: list(ChatStream(engine, "m", TURNS, **options)),
    ):
        found = within(10, ask)
        assert isinstance(found, CallError)
        assert len(str(found)) < 500
        assert found.status == status


@pytest.mark.finding("M4")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 500, 502, 599])
def test_gives_the_page_that_answers_a_request_of_ones_own_as_far_as_it_may_be_read(
    engine: Endpoint, status: int
) -> None:
    own = Request(method="GET", path="/models", headers=case(str(status))["extra_headers"])
    found = within(10, lambda: send(engine, "m", own))
    assert found.status_code == status
    # The piece in which the bound lies is kept whole.
    assert MOST_ERROR_BYTES <= len(found.content) <= 3 * MOST_ERROR_BYTES
    assert len(repr(found)) < 100


@pytest.mark.finding("M4")
@pytest.mark.parametrize("status", [300, 304])
def test_follows_no_redirect_of_a_request_of_ones_own(engine: Endpoint, status: int) -> None:
    own = Request(method="GET", path="/models", headers=case(str(status))["extra_headers"])
    found = within(10, lambda: send(engine, "m", own))
    assert isinstance(found, CallError)
    assert (found.status, len(str(found)) < 500) == (status, True)
