"""The same kind out that came in: pandas, polars, pyarrow, and Parquet files piece by piece."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from pydantic import BaseModel

from kubeai_notebook.calls.batch import OPEN_CHUNKS
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.job import Job
from kubeai_notebook.calls.map_frame import answers_of, planned_map
from kubeai_notebook.calls.question import Target
from kubeai_notebook.calls.tables import CHUNK_ROWS, ParquetTable
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import CallError, UsageError
from tests.support.batch_server import batch_server
from tests.support.http_server import HttpServer, json_answer
from tests.support.waiting import until

from .test_batch import SECONDS, chat, mapped, started

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kubeai_notebook.calls.batch import Chunk
    from tests.support.batch_server import Running


class Review(BaseModel):
    mood: str
    stars: int
    price: float
    again: bool
    words: list[str]


ANSWER = '{"mood": "good", "stars": 3, "price": 2, "again": true, "words": ["a"]}'
ROWS = {"text": ["a", "b", None], "n": [1, 2, 3]}


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    with HttpServer(chat(lambda prompt: ANSWER if prompt == "a" else "no JSON")) as server:
        yield server


def reviewed(server: HttpServer, table: Any, **fields: Any) -> Any:
    return mapped(f"{server.address}/openai/v1", table, schema=Review, max_errors=None, **fields)


def test_types_the_columns_of_pandas(server: HttpServer) -> None:
    out = reviewed(server, pd.DataFrame(ROWS))
    kinds = {name: str(out[name].dtype) for name in out.columns[2:]}
    assert kinds == {
        "mood": "string", "stars": "Int64", "price": "float64", "again": "boolean", "words": "object",
        "error": "string", "raw": "string",
    }  # fmt: skip
    assert out["words"][0] == ["a"]
    assert out["price"].isna().tolist() == [False, True, True]


def test_gives_polars_back(server: HttpServer) -> None:
    pl = pytest.importorskip("polars")
    out = reviewed(server, pl.DataFrame(ROWS))
    assert isinstance(out, pl.DataFrame)
    assert dict(zip(out.columns[2:], out.dtypes[2:], strict=True)) == {
        "mood": pl.String, "stars": pl.Int64, "price": pl.Float64, "again": pl.Boolean, "words": pl.String,
        "error": pl.String, "raw": pl.String,
    }  # fmt: skip
    assert out.row(0)[2:] == ("good", 3, 2.0, True, '["a"]', None, None)
    assert out.row(1)[2:] == (None,) * 5 + ("The answer is not a Review (Invalid JSON).", "no JSON")


def test_gives_pyarrow_back(server: HttpServer) -> None:
    pa = pytest.importorskip("pyarrow")
    out = reviewed(server, pa.table(ROWS))
    assert isinstance(out, pa.Table)
    assert [str(field.type).removeprefix("large_") for field in out.schema][2:] == [
        "string", "int64", "double", "bool", "string", "string", "string",
    ]  # fmt: skip
    assert out.column("stars").to_pylist() == [3, None, None]


def test_types_columns_without_any_answer(server: HttpServer) -> None:
    pl = pytest.importorskip("polars")
    out = reviewed(server, pl.DataFrame({"text": ["b"]}))
    assert out.schema["stars"] == pl.Int64


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_takes_a_frame_without_rows(server: HttpServer, kind: str) -> None:
    library = pytest.importorskip(kind)
    empty = pd.DataFrame({"text": pd.Series([], dtype="object")})
    table = {"pandas": lambda: empty, "polars": lambda: library.DataFrame({"text": []})}.get(
        kind, lambda: library.table({"text": []})
    )()
    out = reviewed(server, table)
    names = out.column_names if kind == "pyarrow" else list(out.columns)
    assert names == ["text", *Review.model_fields, "error", "raw"]
    assert len(out) == 0


@pytest.fixture(scope="module")
def quick() -> Iterator[Running]:
    with batch_server() as running:
        yield running


def written(path: Path, rows: int) -> Path:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"text": [f"t{number}" for number in range(rows)], "n": range(rows)}), path)
    return path


def test_makes_one_file_of_another(quick: Running, tmp_path: Path) -> None:
    rows = 5 * CHUNK_ROWS + 7
    source = written(tmp_path / "a.parquet", rows)
    assert mapped(quick.url, source, to=tmp_path / "b.parquet") == tmp_path / "b.parquet"
    out = pd.read_parquet(tmp_path / "b.parquet")
    assert list(out.columns) == ["text", "n", "answer", "error", "raw"]
    assert list(out["n"]) == list(range(rows))
    assert list(out["answer"]) == [f"re: t{number}" for number in range(rows)]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_reads_and_writes_in_the_folder_of_the_user(
    quick: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path / "a.parquet", 1)
    assert mapped(quick.url, "~/a.parquet", to="~/b.parquet", store="~/answers.db") == tmp_path / "b.parquet"
    assert {"b.parquet", "answers.db"} <= {path.name for path in tmp_path.iterdir()}


def test_reads_no_more_of_a_file_than_it_may_hold(tmp_path: Path) -> None:
    class Counted(ParquetTable):
        open = most_open = 0

        def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
            for chunk in super().chunks(columns):
                self.open += 1
                self.most_open = max(self.open, self.most_open)
                yield chunk

        def finish(self, chunk: Chunk) -> None:
            self.open -= 1
            super().finish(chunk)

    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = 4 * OPEN_CHUNKS * CHUNK_ROWS
    pq.write_table(pa.table({"text": ["slow", *["quick"] * (rows - 1)]}), tmp_path / "a.parquet")
    others_are_done = threading.Event()
    target, fields = Target(name="smol"), {"store": False, "to": tmp_path / "b.parquet"}
    server = HttpServer(chat(lambda prompt: str(prompt == "quick" or others_are_done.wait(SECONDS))))
    with server, Endpoint(Access(base_url=f"{server.address}/openai/v1")) as endpoint:
        planned = planned_map(target, tmp_path / "a.parquet", prompt="{text}", fields=fields)  # type: ignore[arg-type]  # a dict
        table = Counted(tmp_path / "a.parquet", tmp_path / "b.parquet", answers_of({}))
        job = replace(planned, table=table).start(endpoint, Job)
        until(lambda: job.progress.done >= OPEN_CHUNKS * CHUNK_ROWS - 1, SECONDS)
        others_are_done.set()
        job.result(SECONDS)
    assert table.most_open == OPEN_CHUNKS
    assert pq.read_metadata(tmp_path / "b.parquet").num_rows == rows


def test_keeps_the_part_of_a_file_that_is_done(quick: Running, tmp_path: Path) -> None:
    source = written(tmp_path / "a.parquet", 20 * CHUNK_ROWS)
    endpoint, job = started(quick.url, str(source), to=str(tmp_path / "b.parquet"), limit=CHUNK_ROWS + 10)
    with endpoint:
        job.result(SECONDS)
    out = pd.read_parquet(tmp_path / "b.parquet")
    assert out["answer"].notna().sum() == CHUNK_ROWS + 10
    assert list(out["n"]) == list(range(20 * CHUNK_ROWS))
    assert set(out["error"][CHUNK_ROWS + 10 :]) == {f"Not asked: limit={CHUNK_ROWS + 10} was reached."}
    assert job.progress.rows == CHUNK_ROWS + 10


def test_leaves_a_whole_file_where_it_is_stopped_at_once(quick: Running, tmp_path: Path) -> None:
    source, to = written(tmp_path / "a.parquet", 2 * CHUNK_ROWS), tmp_path / "b.parquet"
    to.write_text("of another run")
    endpoint, job = started(quick.url, source, to=to)
    job.stop()
    with endpoint:
        assert job.result(SECONDS) == to
    out = pd.read_parquet(to)
    assert list(out["n"]) == list(range(2 * CHUNK_ROWS))
    assert (out["answer"].notna() | (out["error"] == "Not asked: It was stopped.")).all()


def test_makes_a_file_without_rows_of_one_without_rows(quick: Running, tmp_path: Path) -> None:
    source = written(tmp_path / "a.parquet", 0)
    out = pd.read_parquet(mapped(quick.url, source, to=tmp_path / "b.parquet"))
    assert list(out.columns) == ["text", "n", "answer", "error", "raw"]
    assert len(out) == 0


def test_leaves_no_part_of_a_file_behind_where_a_row_raises(tmp_path: Path) -> None:
    source = written(tmp_path / "a.parquet", 2 * CHUNK_ROWS)
    refusal = json_answer({"error": "no"}, 400)
    with (
        HttpServer(chat(lambda prompt: refusal if prompt == f"t{CHUNK_ROWS + 500}" else "x")) as server,
        pytest.raises(CallError, match=f"Row {CHUNK_ROWS + 500:,} failed"),
    ):
        mapped(f"{server.address}/openai/v1", source, to=tmp_path / "b.parquet", errors="raise")
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.parametrize(("to", "sentence"), [("none/b.parquet", "a folder that is not there"), ("", "is a folder")])
def test_refuses_a_place_that_no_file_can_have_before_a_row_is_asked(tmp_path: Path, to: str, sentence: str) -> None:
    source = written(tmp_path / "a.parquet", 1)
    with HttpServer(chat(lambda _prompt: "x")) as server:
        with pytest.raises(UsageError, match=sentence):
            mapped(f"{server.address}/openai/v1", source, to=tmp_path / to)
        assert server.received == []


def test_says_that_the_file_cannot_be_written_and_ends(tmp_path: Path) -> None:
    source, folder = written(tmp_path / "a.parquet", 2), tmp_path / "out"
    folder.mkdir()
    with HttpServer(chat(lambda _prompt: "x")) as server:
        # The file that is begun beside it has a longer name still.
        endpoint, job = started(f"{server.address}/openai/v1", source, to=folder / f"{'b' * 240}.parquet")
        with endpoint, pytest.raises(UsageError, match=r"b\.parquet cannot be written \(File name too long\)\."):
            job.result(SECONDS)
        assert server.received == []
    assert "cannot be written" in job.progress.ended


def test_leaves_a_whole_file_where_it_is_stopped(quick: Running, tmp_path: Path) -> None:
    source = written(tmp_path / "a.parquet", 50 * CHUNK_ROWS)
    endpoint, job = started(quick.url, source, to=tmp_path / "b.parquet")
    with endpoint:
        until(lambda: job.progress.done > 2 * CHUNK_ROWS, SECONDS)
        job.stop()
        job.result(SECONDS)
    out = pd.read_parquet(tmp_path / "b.parquet")
    assert list(out["n"]) == list(range(50 * CHUNK_ROWS))
    assert (out["answer"].notna() | (out["error"] == "Not asked: It was stopped.")).all()
    assert 2 * CHUNK_ROWS < out["answer"].notna().sum() < 50 * CHUNK_ROWS


def test_writes_nothing_over_the_file_that_it_reads(quick: Running, tmp_path: Path) -> None:
    source = written(tmp_path / "a.parquet", 1)
    for fields in ({}, {"to": source}, {"to": tmp_path / "b.parquet", "errors": "frame"}):
        with pytest.raises(UsageError):
            mapped(quick.url, source, **fields)
    with pytest.raises(UsageError, match="There is no file .* Check the path"):
        mapped(quick.url, tmp_path / "no.parquet", to=tmp_path / "b.parquet")
