"""Batches: no row is lost, whatever the server does, and nothing is paid twice."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from kubeai_notebook.calls.batch import COLLECTED_AFTER
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.job import Job
from kubeai_notebook.calls.map_frame import planned_map
from kubeai_notebook.calls.question import Target
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import CallError, UsageError
from kubeai_notebook.present.batch_report import batch_text
from tests.support.batch_server import Running, batch_server
from tests.support.http_server import Answer, HttpServer, Received, json_answer
from tests.support.waiting import interrupt_main, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = 60


@pytest.fixture(scope="module")
def quick() -> Iterator[Running]:
    """A server that answers at once."""
    with batch_server() as server:
        yield server


def started(url: str, table: Any, prompt: str = "{text}", **fields: Any) -> tuple[Endpoint, Job]:
    endpoint = Endpoint(Access(base_url=url))
    target = Target(name="smol", most_in_flight=fields.pop("most_in_flight", 64))
    fields = {"store": False, **fields}
    try:
        return endpoint, planned_map(target, table, prompt=prompt, fields=fields).start(endpoint, Job)  # type: ignore[arg-type]  # a dict
    except BaseException:  # whatever a plan raises, its Endpoint is closed
        endpoint.close()
        raise


def mapped(url: str, table: Any, prompt: str = "{text}", **fields: Any) -> Any:
    endpoint, job = started(url, table, prompt, **fields)
    with endpoint:
        return job.result(SECONDS)


def frame(count: int) -> pd.DataFrame:
    return pd.DataFrame({"text": [f"t{number}" for number in range(count)]})


def chat(answer: Callable[[str], Any]) -> Callable[[Received], Answer | None]:
    """What a server answers to a prompt: a text, a whole Answer, or the fields of a choice."""

    def reply(request: Received) -> Answer | None:
        said = answer(request.json["messages"][-1]["content"])
        if said is None or isinstance(said, Answer):
            return said
        choice = {"finish_reason": "stop", "message": {"content": said}} if isinstance(said, str) else said
        return json_answer({"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 10}})

    return reply


def test_loses_no_row_to_a_server_that_fails_in_many_ways() -> None:
    faults = {"busy": 0.05, "hang": 0.01, "cut": 0.01, "page": 0.01, "no_choice": 0.01}
    with batch_server(faults=faults, latency_seconds=0.01) as server:
        endpoint, job = started(server.url, frame(1000), timeout_seconds=2)
        with endpoint:
            out = job.result(SECONDS)
        stats = server.stats
    assert out["error"].isna().all()
    assert list(out["answer"]) == [f"re: t{number}" for number in range(1000)]
    assert set(stats["answered"].values()) == {1}
    assert len(stats["answered"]) == 1000
    assert 1060 < job.progress.sent < 1140


def test_keeps_order_index_and_columns(quick: Running) -> None:
    table = pd.DataFrame({"text": ["a", "b", "c"], "n": [1, 2, 3]}, index=["x", "x", "y"])
    out = mapped(quick.url, table, "{n} {text}")
    assert list(out.columns) == ["text", "n", "answer", "error", "raw"]
    assert list(out.index) == ["x", "x", "y"]
    assert list(out["answer"]) == ["re: 1 a", "re: 2 b", "re: 3 c"]
    assert list(table.columns) == ["text", "n"]


def test_asks_equal_prompts_once() -> None:
    with batch_server(latency_seconds=0.05) as server:
        endpoint, job = started(server.url, pd.DataFrame({"text": ["a", "b"] * 500}))
        with endpoint:
            out = job.result(SECONDS)
        assert server.stats["asked"] == {"a": 1, "b": 1}
    assert list(out["answer"]) == ["re: a", "re: b"] * 500
    assert (job.progress.repeated + job.progress.from_store, job.progress.sent) == (998, 2)


def test_pays_for_new_rows_only(tmp_path: Path) -> None:
    with batch_server() as server:
        first = mapped(server.url, frame(100), store=tmp_path / "a.db")
        endpoint, job = started(server.url, frame(150), store=tmp_path / "a.db")
        with endpoint:
            second = job.result(SECONDS)
        assert set(server.stats["asked"].values()) == {1}
        assert job.progress.from_store == 100
        assert 0 < job.progress.asking_seconds <= job.progress.seconds
        mapped(server.url, frame(10), store=tmp_path / "a.db", temperature=0.5)
        assert server.stats["asked"]["t3"] == 2  # another request
    assert list(second["answer"][:100]) == list(first["answer"])


@pytest.mark.parametrize("cells", [[None, "a", float("nan"), "", " ", "b"]])
def test_gives_a_reason_for_rows_that_ask_nothing(quick: Running, cells: list[Any]) -> None:
    out = mapped(quick.url, pd.DataFrame({"text": pd.Series(cells, dtype="object")}))
    missing, empty = "text is missing in this row; nothing was sent.", "text is empty in this row; nothing was sent."
    assert list(out["error"].fillna("")) == [missing, "", missing, empty, empty, ""]
    assert list(out["answer"].fillna("")) == ["", "re: a", "", "", "", "re: b"]
    assert out["error"].dtype == "string"


def test_goes_on_where_most_rows_ask_nothing(quick: Running) -> None:
    out = mapped(quick.url, pd.DataFrame({"text": [None] * 200 + ["a"]}))
    assert out["answer"][200] == "re: a"


ODD = ["{x}", "100 % %s", "$x$ \\frac{a}{b}", "{{ jinja }} {% if %}", "a\ud800b", "\x00\x1b[31m", '"\\', "é 漢 🙂"]


def test_sends_odd_texts_as_they_are(quick: Running) -> None:
    out = mapped(quick.url, pd.DataFrame({"text": pd.Series(ODD, dtype="object")}), "Say: {text} {{y}}")
    sent = [text.encode("utf-8", "replace").decode() for text in ODD]
    assert list(out["answer"]) == [f"re: Say: {text} {{{{y}}}}"[:44] for text in sent]


def test_sends_prompts_of_ten_megabytes(quick: Running) -> None:
    out = mapped(quick.url, pd.DataFrame({"text": ["x" * 10_000_000, "y"]}))
    assert list(out["answer"]) == ["re: " + "x" * 40, "re: y"]


class Mood(BaseModel):
    label: str
    sure: int


class Failure(BaseModel):
    error: str
    level: str


def test_takes_numbers_of_numpy() -> None:
    numbers = {"max_tokens": np.int64(5), "temperature": np.float32(0), "seed": np.int64(1), "limit": np.int64(1)}
    bounds = {"max_errors": np.int64(1), "max_tokens_total": np.int64(9), "timeout_seconds": np.float64(9)}
    with HttpServer(chat(lambda _prompt: "x")) as server:
        mapped(f"{server.address}/openai/v1", frame(2), **numbers, **bounds, attempts=np.int64(2))
        body = server.received[0].json
    assert [body[name] for name in ("max_tokens", "temperature", "seed")] == [5, 0, 1]


@pytest.mark.parametrize(
    ("fields", "temperature", "remark"),
    [
        ({"schema": ["good", "bad"]}, 0, True),
        ({"schema": ["good", "bad"], "temperature": 0.7}, 0.7, False),
        ({"schema": ["good", "bad"], "extra_body": {"temperature": 1}}, 1, False),
        ({"schema": Failure, "errors": "raise"}, None, False),
        ({}, None, False),
    ],
)
def test_asks_for_labels_at_temperature_0_and_says_so(fields: Any, temperature: float | None, remark: bool) -> None:
    with HttpServer(chat(lambda _prompt: "good")) as server:
        endpoint, job = started(f"{server.address}/openai/v1", frame(1), **fields)
        with endpoint, suppress(CallError):
            job.result(SECONDS)
        assert server.received[0].json.get("temperature") == temperature
    assert ("Labels were asked for at temperature 0" in batch_text(job.progress)) is remark


def test_counts_rows_that_ask_nothing_in_no_pace(quick: Running) -> None:
    endpoint, job = started(quick.url, pd.DataFrame({"text": [None] * 99 + ["a"]}))
    with endpoint:
        job.result(SECONDS)
    assert (job.progress.asked, job.progress.sent, job.progress.unsent) == (1, 1, 99)


@pytest.mark.parametrize(
    ("index", "places"), [([7, 9, 1002], ["9"]), (["a", "b\x1b[2J", "c"], ["b"]), (None, ["1"])], ids=str
)
def test_names_a_row_as_the_frame_does(index: Any, places: list[str], quick: Running) -> None:
    table = pd.DataFrame({"text": ["x", None, "y"]}, index=index)
    endpoint, job = started(quick.url, table)
    with endpoint:
        job.result(SECONDS)
    assert [row.place for row in job.progress.failures] == places


def test_raises_for_the_row_that_ended_it_and_no_other_that_failed_with_it() -> None:
    arrived = threading.Barrier(12)

    def answer(_prompt: str) -> Any:
        arrived.wait(SECONDS)
        return json_answer({"error": "no"}, 400)

    with HttpServer(chat(answer)) as server:
        endpoint, job = started(f"{server.address}/openai/v1", frame(12), errors="raise", most_in_flight=12)
        with endpoint, pytest.raises(CallError) as raised:
            job.result(SECONDS)
    assert raised.value.message == job.progress.ended


def test_gives_typed_columns_and_the_raw_text_of_what_does_not_fit() -> None:
    answers = {"a": '{"label": "x", "sure": 3}', "b": '{"label": "x", "sure": "much"}', "c": "no JSON"}
    with HttpServer(chat(answers.__getitem__)) as server:
        out = mapped(f"{server.address}/openai/v1", pd.DataFrame({"text": list("abc")}), schema=Mood)
        form = server.received[0].json["response_format"]
    assert form["json_schema"]["name"] == "Mood"
    assert out["sure"].dtype == "Int64"
    assert list(out["sure"].fillna(-1)) == [3, -1, -1]
    assert out["error"][1].startswith("The answer is not a Mood (sure: Input should be a valid integer")
    assert list(out["raw"].fillna("")) == ["", answers["b"], answers["c"]]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (
            {"finish_reason": "length", "message": {"content": "", "reasoning_content": "hm"}},
            "Its reasoning took 10 tokens, so no answer came; a higher max_tokens leaves",
        ),
        ({"finish_reason": "stop", "message": {"content": ""}}, "The answer is empty: the model ended at once."),
        ({"finish_reason": "stop", "message": {"content": None, "reasoning": "hm"}}, "empty: the model only reasoned."),
        ({"finish_reason": "stop", "message": {"content": "<think>hm</think>"}}, "empty: the model only reasoned."),
        ({"message": {"content": ""}}, "The answer is empty: the model ended at once."),
    ],
)
def test_counts_no_part_of_an_answer_as_one(choice: dict[str, Any], words: str) -> None:
    with HttpServer(chat(lambda _prompt: choice)) as server:
        out = mapped(f"{server.address}/openai/v1", pd.DataFrame({"text": ["a"]}))
        assert len(server.received) == 1
    assert words in out["error"][0]
    assert out["answer"].isna().all()


def test_tells_a_refusal_in_the_words_of_a_call() -> None:
    refusal = json_answer({"error": {"message": "max_tokens is too large"}}, 400)
    with HttpServer(chat(lambda _prompt: refusal)) as server:
        out = mapped(f"{server.address}/openai/v1", frame(2))
        assert len(server.received) == 2
    assert "max_tokens is too large" in out["error"][0]


@pytest.mark.parametrize("body", [b"<html><title>Sign in</title>", b'{"choices": [', b'{"choices": []}', b"[]"])
def test_tries_again_where_an_answer_is_none(body: bytes) -> None:
    with HttpServer(lambda _request: Answer(body, 200, {"Content-Type": "text/html"})) as server:
        out = mapped(f"{server.address}/openai/v1", frame(1), attempts=2)
        assert len(server.received) == 2
    assert out["error"][0]


def test_follows_no_redirect() -> None:
    with HttpServer() as other:
        redirect = Answer(b"", 307, {"Location": f"{other.address}/openai/v1/chat/completions"})
        with HttpServer(lambda _request: redirect) as server:
            out = mapped(f"{server.address}/openai/v1", frame(1))
        assert other.received == []
    assert "redirects the request" in out["error"][0]


def test_goes_by_the_proxy_of_the_environment_and_takes_no_login_from_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine gateway.test login me password hunter2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with HttpServer(chat(lambda _prompt: "x")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        monkeypatch.setenv("no_proxy", "elsewhere.test")
        out = mapped("http://gateway.test/openai/v1", frame(2))
        assert [request.path for request in proxy.received] == ["http://gateway.test/openai/v1/chat/completions"] * 2
        assert not any("Authorization" in request.headers for request in proxy.received)
        monkeypatch.setenv("no_proxy", "127.0.0.1,gateway.test")
        assert "did not answer" in mapped("http://gateway.test/openai/v1", frame(1), attempts=1)["error"][0]
        assert len(proxy.received) == 2
    assert list(out["answer"]) == ["x", "x"]


def test_waits_as_long_as_a_busy_server_asks_for() -> None:
    asked: list[str] = []

    def answer(prompt: str) -> Any:
        asked.append(prompt)
        return "x" if len(asked) > 8 else json_answer({"error": "busy"}, 429, Retry_After="0.01")

    with HttpServer(chat(answer)) as server:
        out = mapped(f"{server.address}/openai/v1", frame(1), attempts=1)
    assert list(out["answer"]) == ["x"]
    assert len(asked) == 9  # refusals of a busy server are no failed tries


def test_stays_below_what_the_model_is_made_for() -> None:
    with batch_server(latency_seconds=0.02) as server:
        mapped(server.url, frame(300), most_in_flight=7)
        assert server.stats["most_at_once"] == 7


def test_asks_so_many_rows_only(quick: Running) -> None:
    endpoint, job = started(quick.url, frame(100), limit=10)
    with endpoint:
        out = job.result(SECONDS)
    assert out["answer"].notna().sum() == 10
    assert set(out["error"][10:]) == {"Not asked: limit=10 was reached."}
    assert (job.progress.sent, job.progress.ended) == (10, "limit=10 was reached.")


def test_ends_where_too_many_rows_fail() -> None:
    with HttpServer(chat(lambda prompt: json_answer({"error": "no"}, 400) if prompt > "t5" else "x")) as server:
        out = mapped(f"{server.address}/openai/v1", frame(1000), max_errors=3, most_in_flight=4)
        assert len(server.received) < 30
    assert out["answer"].notna().sum() > 0
    assert set(out["error"][100:500]) == {"Not asked: max_errors=3 was reached."}


@pytest.mark.parametrize(("share", "fields"), [(0.1, {"max_errors": 0.1}), (0.5, {})])
def test_ends_where_a_share_of_the_rows_fails(share: float, fields: dict[str, Any]) -> None:
    with HttpServer(chat(lambda _prompt: json_answer({"error": "no"}, 400))) as server:
        endpoint, job = started(f"{server.address}/openai/v1", frame(500), most_in_flight=1, **fields)
        with endpoint:
            job.result(SECONDS)
        assert len(server.received) == 50  # fewer say nothing of a share
    assert job.progress.ended == f"max_errors={share} was reached."


def test_goes_on_where_a_smaller_share_fails() -> None:
    with HttpServer(chat(lambda prompt: json_answer({"error": "no"}, 400) if prompt.endswith("7") else "x")) as server:
        out = mapped(f"{server.address}/openai/v1", frame(300), max_errors=0.2)
    assert out["answer"].notna().sum() == 270


def test_ends_before_more_tokens_are_spent() -> None:
    with HttpServer(chat(lambda _prompt: "x")) as server:
        endpoint, job = started(f"{server.address}/openai/v1", frame(500), max_tokens_total=1000, most_in_flight=8)
        with endpoint:
            out = job.result(SECONDS)
    assert 800 <= job.progress.tokens <= 1000
    assert out["answer"].notna().sum() == job.progress.tokens // 20


def test_raises_at_the_first_row_that_fails(tmp_path: Path) -> None:
    refusal = json_answer({"error": "no"}, 400)
    with HttpServer(chat(lambda prompt: refusal if prompt == "t7" else "x")) as server:
        with pytest.raises(CallError, match=r"Row 7 failed: .*no"):
            mapped(f"{server.address}/openai/v1", frame(500), errors="raise", most_in_flight=1, store=tmp_path / "a.db")
        sent = len(server.received)
        assert sent < 20
        mapped(f"{server.address}/openai/v1", frame(7), errors="raise", store=tmp_path / "a.db")
        assert len(server.received) == sent


def test_gives_the_rows_that_failed_in_a_frame_of_their_own(quick: Running) -> None:
    table = pd.DataFrame({"text": ["a", None, "b"]}, index=[5, 6, 7])
    good, failed = mapped(quick.url, table, errors="frame")
    assert list(good.columns) == ["text", "answer"]
    assert list(failed.columns) == ["text", "error", "raw"]
    assert list(failed.index) == [6]


def test_has_no_more_in_flight_than_is_asked_for() -> None:
    with batch_server(latency_seconds=0.01) as server:
        assert mapped(server.url, frame(40), concurrency=3)["error"].isna().all()
        assert server.stats["most_at_once"] == 3


def test_stops_at_once_and_keeps_what_came() -> None:
    with batch_server(latency_seconds=0.05) as server:
        endpoint, job = started(server.url, frame(100_000))
        with endpoint:
            until(lambda: job.progress.done > 100, SECONDS)
            job.stop()
            out = job.result(SECONDS)
    asked = out["answer"].notna()
    assert 100 <= asked.sum() < 50_000
    assert set(out["error"][~asked]) == {"Not asked: It was stopped."}
    assert job.progress.ended == "It was stopped."


@pytest.mark.parametrize(("before", "meanwhile"), [(700, COLLECTED_AFTER), (9_000, 9_000), (0, 0)])
def test_has_pythons_collector_look_less_often_for_its_own_time_only(before: int, meanwhile: int) -> None:
    usual = gc.get_threshold()
    gc.set_threshold(before, *usual[1:])
    try:
        with batch_server(latency_seconds=0.05) as server:
            endpoint, job = started(server.url, frame(100_000))
            with endpoint:
                until(lambda: job.progress.done > 100, SECONDS)
                assert gc.get_threshold() == (meanwhile, *usual[1:])
                job.stop()
                job.result(SECONDS)
        assert gc.get_threshold() == (before, *usual[1:])
    finally:
        gc.set_threshold(*usual)


def test_gives_the_part_where_an_interrupt_ends_the_wait() -> None:
    with batch_server(latency_seconds=0.05) as server:
        endpoint, job = started(server.url, frame(100_000))

        def interrupt() -> None:
            until(lambda: job.progress.done > 10, SECONDS)
            interrupt_main()

        with endpoint:
            thread = threading.Thread(target=interrupt)
            thread.start()
            out = job.result(SECONDS)
            thread.join()
    assert 10 <= out["answer"].notna().sum() < 50_000


def test_gives_the_part_to_whoever_waits_while_its_session_is_closed() -> None:
    with batch_server(latency_seconds=0.05) as server:
        endpoint, job = started(server.url, frame(20_000))
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(job.result, SECONDS)
            until(lambda: job.progress.done > 10, SECONDS)
            endpoint.close()
            out = waiting.result(SECONDS)
    assert out["answer"].notna().sum() >= 10
    assert set(out["error"][out["answer"].isna()]) == {"Not asked: The Session was closed."}
    assert job.progress.ended == "The Session was closed."


def test_gives_a_reason_for_every_row_where_it_is_stopped_before_it_begins(quick: Running) -> None:
    endpoint, job = started(quick.url, frame(3))
    job.stop()
    with endpoint:
        out = job.result(SECONDS)
    assert (out["answer"].notna() | (out["error"] == "Not asked: It was stopped.")).all()


def test_says_by_the_first_rows_what_all_will_take() -> None:
    with batch_server(latency_seconds=0.02) as server:
        endpoint, job = started(server.url, frame(20_000), most_in_flight=4)
        with endpoint:
            until(lambda: len(job.progress.trial) == 5, SECONDS)
            progress = job.progress
            job.stop()
            job.result(SECONDS)
    assert [answer[:5] for _, answer in progress.trial] == ["re: t"] * 5
    assert progress.seconds_left is not None
    assert progress.seconds_left > 10
    assert progress.tokens_in_all is not None
    assert 80_000 < progress.tokens_in_all < 200_000


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"prompt": "{txt}"}, 'no column "txt". Did you mean "text"?'),
        ({"n": 2}, "map() takes no n=."),
        ({"extra_body": {"n": 2}}, "map() takes no n in extra_body=. "),
        ({"extra_body": {"stream": True}}, "map() takes no stream in extra_body="),
        (
            {"extra_body": {"response_format": {}}, "schema": ["a", "b"]},
            "map() takes no response_format in extra_body=",
        ),
        ({"temprature": 2}, 'map() takes no temprature=. Did you mean "temperature"?'),
        ({"errors": "ignore"}, 'errors= takes "column", "frame" or "raise"'),
        ({"concurrency": 0}, "concurrency= takes a whole number from 1 to 1,000, not 0."),
        ({"concurrency": 1001}, "concurrency= takes a whole number from 1 to 1,000, not 1001."),
        ({"limit": 0}, "limit= takes a whole number from 1 up, not 0."),
        ({"max_errors": -1}, "max_errors= takes a number from 0 up, not -1."),
        ({"schema": Failure}, 'The answers have a field "error", and the reasons of failed rows go into a column'),
        ({"max_tokens": object()}, "max_tokens= takes a whole number from 1 up, not object."),
        ({"into": "text"}, 'The frame has a column "text" already'),
        ({"to": "b.parquet"}, "to= is for a Parquet file"),
    ],
)
def test_refuses_what_cannot_be_in_one_sentence_and_sends_nothing(fields: dict[str, Any], sentence: str) -> None:
    with HttpServer() as server:
        with pytest.raises(UsageError) as raised:
            mapped(server.address, frame(1), **fields)
        assert sentence in str(raised.value)
        assert server.received == []


@pytest.mark.parametrize("table", [[1], "a.parquet", {"text": ["a"]}, None])
def test_refuses_what_is_no_table(table: Any) -> None:
    with pytest.raises(UsageError):
        mapped("http://127.0.0.1:1", table)
