"""A stream of Deltas: who may end it, what ends with it, and what it raises."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.stream import LONGEST_EVENT_BYTES, ChatStream, _Arrived
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import CallError, SessionClosedError, WaitInterruptedError
from tests.support.scripted_gateway import (
    CHUNKED,
    PIECE,
    STREAM,
    Exchange,
    Gateway,
    chunk,
    scripted_gateway,
    streamed,
    whole,
)
from tests.support.talking import said
from tests.support.waiting import interrupt_main, until

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = [{"role": "user", "content": "Hi"}]
SECONDS = 10


def endpoint_of(gateway: Gateway) -> Endpoint:
    return Endpoint(Access(base_url=gateway.url))


def says_nothing(exchange: Exchange) -> None:
    exchange.read_until_hung_up()


def says_one_piece(exchange: Exchange) -> None:
    exchange.say(STREAM + PIECE)
    exchange.read_until_hung_up()


def read_in_thread(stream: ChatStream) -> tuple[threading.Thread, list[object]]:
    """A thread that reads the stream to its end, and what it got: Deltas, or an error."""
    got: list[object] = []

    def read() -> None:
        try:
            got.extend(stream)
        except BaseException as error:  # noqa: BLE001 - the thread's outermost frame: the test judges it
            got.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    return thread, got


def test_joins_the_lines_of_one_event() -> None:
    pieces = [b'data: {"choices": [{"delta":\ndata: {"content": "hi"}}]}\n\n', b"data: [DONE]\n\n"]
    with scripted_gateway(streamed(*pieces)) as gateway, endpoint_of(gateway) as endpoint:
        assert ChatStream(endpoint, "m", TURNS).whole() == "hi"


def test_refuses_an_event_whose_lines_have_no_end() -> None:
    line = b"data: " + b"x" * 50_000 + b"\n"

    def answer(exchange: Exchange) -> None:
        exchange.say(STREAM)
        for part in itertools.repeat(line, 2 * LONGEST_EVENT_BYTES // len(line)):
            exchange.say(part)

    with (
        scripted_gateway(answer) as gateway,
        endpoint_of(gateway) as endpoint,
        pytest.raises(CallError, match="an event of more than 16 MiB"),
    ):
        list(ChatStream(endpoint, "m", TURNS))


@pytest.mark.parametrize(("answer", "deltas"), [(says_nothing, 0), (says_one_piece, 1)])
def test_ends_from_another_thread_while_one_waits(answer: Callable[[Exchange], None], deltas: int) -> None:
    """Also before the first byte: the gateway holds a request for a Model that wakes up."""
    with scripted_gateway(answer) as gateway, endpoint_of(gateway) as endpoint:
        stream = ChatStream(endpoint, "m", TURNS)
        thread, got = read_in_thread(stream)
        assert gateway.asked.wait(SECONDS)
        if deltas:
            until(lambda: got, SECONDS)
        stream.close()
        thread.join(SECONDS)
        assert not thread.is_alive()
        assert len(got) == deltas
        assert not any(isinstance(item, BaseException) for item in got)
        assert gateway.hung_up.wait(SECONDS)
        assert list(stream) == []


def test_ends_between_two_deltas() -> None:
    with scripted_gateway(says_one_piece) as gateway, endpoint_of(gateway) as endpoint:
        stream = ChatStream(endpoint, "m", TURNS)
        assert next(stream).text == "x"
        thread = threading.Thread(target=stream.close)
        thread.start()
        thread.join(SECONDS)
        assert list(stream) == []
        assert gateway.hung_up.wait(SECONDS)


def test_gives_the_first_word_at_once_and_then_all_that_have_come() -> None:
    asked_on, shown = threading.Semaphore(0), threading.Event()

    def answer(exchange: Exchange) -> None:
        head, *pieces = [part + b"\n\n" for part in said(*"abcdef").split(b"\n\n")[:-1]]
        exchange.say(STREAM + head)
        assert asked_on.acquire(timeout=SECONDS)
        exchange.say(pieces[0])
        assert shown.wait(SECONDS)
        for piece in pieces[1:]:
            exchange.say(piece)
        exchange.end()

    with scripted_gateway(answer) as gateway, endpoint_of(gateway) as endpoint:
        bursts = []
        for burst in ChatStream(endpoint, "m", TURNS).bursts():
            bursts.append("".join(delta.text for delta in burst))
            asked_on.release()
            if bursts[-1]:
                shown.set()
    assert bursts[:2] == ["", "a"]
    assert "".join(bursts) == "abcdef"
    assert len(bursts) < 7


def test_gives_what_came_before_an_error_in_the_same_piece() -> None:
    def answer(exchange: Exchange) -> None:
        words = said("a", "b").partition(b"data: [DONE]")[0]
        exchange.say(STREAM + words + b'data: {"error": {"message": "out of memory"}}\n\n')
        exchange.end()

    got: list[str] = []

    def read(stream: ChatStream) -> None:
        for burst in stream.bursts():
            got.extend(delta.text for delta in burst if delta.text)

    with scripted_gateway(answer) as gateway, endpoint_of(gateway) as endpoint:
        with pytest.raises(CallError, match="out of memory"):
            read(ChatStream(endpoint, "m", TURNS))
        assert got == ["a", "b"]


@pytest.mark.parametrize("chunked", [False, True], ids=["as it comes", "chunked"])
def test_reads_less_often_than_tokens_come_while_bursts_pause_and_is_over_when_they_are(
    monkeypatch: pytest.MonkeyPatch, *, chunked: bool
) -> None:
    count = 150
    rests: list[float] = []

    def answer(exchange: Exchange) -> None:
        exchange.say(CHUNKED if chunked else STREAM)
        for event in said(*"x" * count).split(b"\n\n")[:-1]:
            time.sleep(0.01)
            exchange.say(chunk(event + b"\n\n") if chunked else event + b"\n\n")
        rests.append(time.perf_counter())
        exchange.say(chunk(b"") if chunked else b"")
        exchange.end()

    rest = _Arrived._rest

    async def note(arrived: _Arrived) -> None:
        rests.append(0.0)
        await rest(arrived)

    monkeypatch.setattr(_Arrived, "_rest", note)
    with scripted_gateway(answer) as gateway, endpoint_of(gateway) as endpoint:
        deltas = list(itertools.chain.from_iterable(ChatStream(endpoint, "m", TURNS).bursts()))
        ended = time.perf_counter()
    assert "".join(delta.text for delta in deltas) == "x" * count
    assert len(rests) - 1 < 0.7 * count
    assert ended - max(rests) < 1  # of the engine's last word, which took 1.5 s


def test_wakes_a_reader_that_rests_for_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubeai_notebook.calls.stream.PAUSE_SECONDS", 3600.0)
    monkeypatch.setattr("kubeai_notebook.calls.stream.REST_SHARE", 1e9)
    taken = threading.Event()

    def answer(exchange: Exchange) -> None:
        exchange.say(STREAM + PIECE)
        time.sleep(0.1)
        exchange.say(PIECE)
        assert taken.wait(SECONDS)
        exchange.say(PIECE)
        exchange.end()

    with scripted_gateway(answer) as gateway, endpoint_of(gateway) as endpoint:
        stream = ChatStream(endpoint, "m", TURNS)
        next(stream)
        time.sleep(0.3)
        next(stream)
        taken.set()
        assert next(stream).text == "x"


def test_pauses_no_longer_than_until_it_is_closed() -> None:
    with scripted_gateway(says_one_piece) as gateway, endpoint_of(gateway) as endpoint:
        stream = ChatStream(endpoint, "m", TURNS)
        for _ in stream.bursts(pause_seconds=3600):
            threading.Thread(target=stream.close).start()
        assert gateway.hung_up.wait(SECONDS)


def test_sends_nothing_when_it_is_closed_before_it_began() -> None:
    with scripted_gateway(says_nothing) as gateway, endpoint_of(gateway) as endpoint:
        stream = ChatStream(endpoint, "m", TURNS)
        stream.close()
        assert list(stream) == []
        assert gateway.requests == 0


def test_ends_the_request_when_an_interrupt_hits_the_wait() -> None:
    def answer(exchange: Exchange) -> None:
        # The request is here, so the main thread waits for its answer.
        interrupt_main()
        exchange.read_until_hung_up()

    with scripted_gateway(answer) as gateway, endpoint_of(gateway) as endpoint:
        stream = ChatStream(endpoint, "smol", TURNS)
        with pytest.raises(WaitInterruptedError, match=r"Stopped\. The request to smol was cancelled\.") as raised:
            next(stream)
        assert gateway.hung_up.wait(SECONDS)
        assert raised.tb is not None  # which holds the frames, as sys.last_traceback does
        assert list(stream) == []


def in_a_with_block(endpoint: Endpoint) -> None:
    with ChatStream(endpoint, "m", TURNS) as stream:
        for _ in stream:
            raise KeyboardInterrupt


def in_a_bare_loop(endpoint: Endpoint) -> None:
    for _ in ChatStream(endpoint, "m", TURNS):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("read", "error"), [(in_a_with_block, WaitInterruptedError), (in_a_bare_loop, KeyboardInterrupt)]
)
def test_ends_the_request_when_an_interrupt_hits_its_reader(
    read: Callable[[Endpoint], None], error: type[BaseException]
) -> None:
    with scripted_gateway(says_one_piece) as gateway, endpoint_of(gateway) as endpoint:
        with pytest.raises(error) as raised:
            read(endpoint)
        assert gateway.hung_up.wait(SECONDS)
        assert raised.tb is not None


def test_says_that_the_session_was_closed_while_it_was_read() -> None:
    with scripted_gateway(says_one_piece) as gateway:
        endpoint = endpoint_of(gateway)
        ends: list[str] = []
        stream = ChatStream(endpoint, "m", TURNS, on_end=ends.append)
        assert next(stream).text == "x"
        thread, got = read_in_thread(stream)
        endpoint.close()
        thread.join(SECONDS)
        assert ends == []
        assert [str(error) for error in got if isinstance(error, SessionClosedError)] == [
            "This Session is closed. Open a new one and attach to the Model there."
        ]
        with pytest.raises(SessionClosedError, match="This Session is closed"):
            ChatStream(endpoint, "m", TURNS)


def test_ends_quietly_with_its_session_when_nobody_reads_it(caplog: pytest.LogCaptureFixture) -> None:
    with scripted_gateway(says_one_piece) as gateway:
        endpoint = endpoint_of(gateway)
        streams = [ChatStream(endpoint, "m", TURNS) for _ in range(3)]
        assert [next(stream).text for stream in streams] == ["x"] * 3
        endpoint.close()
        assert gateway.hung_up.wait(SECONDS)
        with pytest.raises(SessionClosedError, match="This Session is closed"):
            next(streams[0])
    assert caplog.records == []


BROKEN = whole(PIECE, Content_Type="text/event-stream", Content_Length="1000")


@pytest.mark.parametrize(
    ("answer", "words", "kind", "retryable"),
    [
        (streamed(PIECE, b'data: {"error": {"message": "out of memory"}}\n\n'), "out of memory", "engine", False),
        (streamed(PIECE, b'data: {"choices": [{"del\n\n'), "cannot be read", "engine", False),
        (streamed(), "holds no event of a stream", "engine", False),
        (says_one_piece, "gave no answer in time", "network", True),
        (says_nothing, "gave no answer in time", "network", True),
        (lambda exchange: (BROKEN(exchange), exchange.end()), "broke off", "network", True),
    ],
)
def test_raises_call_errors_only(answer: Callable[[Exchange], None], words: str, kind: str, retryable: bool) -> None:
    with scripted_gateway(answer) as gateway, endpoint_of(gateway) as endpoint:
        with pytest.raises(CallError, match=words) as raised:
            list(ChatStream(endpoint, "m", TURNS, timeout=1 if "in time" in words else SECONDS))
        assert (raised.value.kind, raised.value.retryable) == (kind, retryable)


def test_leaves_nothing_behind() -> None:
    def open_and_close(gateway: Gateway) -> None:
        with endpoint_of(gateway) as endpoint:
            assert len(list(ChatStream(endpoint, "m", TURNS))) == 1
            assert next(ChatStream(endpoint, "m", TURNS)).text == "x"
            assert endpoint.client.models.with_raw_response.list().content

    with scripted_gateway(streamed(PIECE, b"data: [DONE]\n\n")) as gateway:
        open_and_close(gateway)  # imports
        process, threads = psutil.Process(), set(threading.enumerate())
        files = process.num_fds()
        for _ in range(10):
            open_and_close(gateway)
        left = [thread for thread in threading.enumerate() if thread not in threads and thread.name == "kubeai-calls"]
        assert left == []
        assert process.num_fds() <= files + 5  # sockets of the gateway that end a moment later
