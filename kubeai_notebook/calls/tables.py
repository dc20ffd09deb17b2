"""Tables in and out: pandas, polars and pyarrow in memory by narwhals, Parquet files piece by piece.

What comes in goes out in the same kind, with its index, its order and its columns, and the columns of the answers
behind them. pandas gets its columns from pandas itself: narwhals would make an integer column of numpy's, which can
hold no missing value.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import UsageError

from .batch import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from kubeai_notebook.core.answer_schema import Kind

    from .question import Outcome

CHUNK_ROWS = 1000
READ_BYTES = 1 << 20
"""Of one column at a time; without that, pyarrow reads a whole row group."""
_PANDAS: Mapping[str, str] = {
    "text": "string", "integer": "Int64", "number": "float64", "boolean": "boolean", "any": "object",
}  # fmt: skip


def new_columns(answers: Mapping[str, Kind], prefix: str, errors: str) -> dict[str, Kind]:
    """The columns that a table gets, those of the answers first; ``errors``: where the reasons go."""
    columns: dict[str, Kind] = dict(answers)
    if errors != "raise":
        columns |= {f"{prefix}error": "text", f"{prefix}raw": "text"}
    return columns


class Answers:
    """The new columns of a table, and how outcomes become their cells."""

    def __init__(self, columns: Mapping[str, Kind], answers: int) -> None:
        self.columns, self._answers = columns, answers

    def check(self, there: Sequence[str]) -> None:
        """Refuse to write over a column of the user's.

        Raises:
            UsageError: the table has a column of such a name.
        """
        taken = next((name for name in self.columns if name in there), None)
        if taken:
            message = f'The frame has a column "{taken}" already, which the answers would be written over.'
            raise UsageError(message, f'into="…" gives the answers another name; or: frame.drop(columns=["{taken}"]).')

    def cells(self, outcomes: Sequence[Outcome | None]) -> dict[str, list[Any]]:
        """The cells of each new column."""
        rows = []
        for outcome in outcomes:
            values, error, raw = outcome or (None, None, None)
            rows.append((*(values or (None,) * self._answers), error, raw)[: len(self.columns)])
        return {name: [row[place] for row in rows] for place, name in enumerate(self.columns)}


class FrameTable:
    """A DataFrame in memory.

    Raises:
        UsageError: it is no DataFrame, or has a column where the answers go.
    """

    def __init__(self, frame: Any, answers: Answers, *, errors: str = "column") -> None:
        import narwhals as nw

        try:
            self._frame = nw.from_native(frame, eager_only=True)
        except TypeError:
            raise UsageError(
                f"map() takes a DataFrame of pandas, polars or pyarrow, or a Parquet file, not a {_kind_of(frame)}.",
                'Of a column: df[["text"]]; of a lazy frame: .collect().',
            ) from None
        self.columns: list[str] = [str(name) for name in self._frame.columns]
        answers.check(self.columns)
        self.rows: int | None = len(self._frame)
        self._answers, self._errors, self._outcomes = answers, errors, list[Any]()

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """All of it at once: it is in memory already."""
        selected = self._frame.select(*dict.fromkeys(columns))
        cells = selected.iter_rows(named=False, buffer_size=CHUNK_ROWS)
        yield Chunk(first=0, count=self.rows or 0, cells=cells, table=None)

    def finish(self, chunk: Chunk) -> None:
        """Keep its outcomes."""
        self._outcomes = chunk.outcomes

    def result(self) -> Any:
        """The frame with the columns of the answers; with ``errors="frame"``, and beside it the rows that failed."""
        native = self._frame.to_native()
        outcomes = self._outcomes or [None] * (self.rows or 0)
        cells = self._answers.cells(outcomes)
        if self._errors != "frame":
            return with_columns(native, cells, self._answers.columns)
        failed = [outcome is None or outcome.values is None for outcome in outcomes]
        names = list(self._answers.columns)
        good, reasons = names[:-2], names[-2:]
        whole = with_columns(native, {name: cells[name] for name in good}, self._answers.columns)
        told = with_columns(native, {name: cells[name] for name in reasons}, self._answers.columns)
        return whole, _rows_where(told, failed)


class ParquetTable:
    """A Parquet file that becomes another one, piece by piece.

    Raises:
        UsageError: pyarrow is missing, a path is, or the file has a column where the answers go.
    """

    def __init__(self, path: Path, to: Path, answers: Answers) -> None:
        try:
            import pyarrow.parquet as pq
        except ImportError:
            raise UsageError("Parquet files need pyarrow, which is not installed.", "pip install pyarrow") from None
        if not path.is_file():
            raise UsageError(f"There is no file {path}.")
        if to.exists() and to.samefile(path):
            raise UsageError("to= is the file that is read.", "Name another one.")
        self._file, self._path, self._to = pq.ParquetFile(path, buffer_size=READ_BYTES), path, to
        self.columns: list[str] = list(self._file.schema_arrow.names)
        answers.check(self.columns)
        self.rows: int | None = self._file.metadata.num_rows
        self._answers = answers
        self._part = to.with_name(f".{to.name}.part")
        self._writer: Any = None

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Pieces of `CHUNK_ROWS` rows at most."""
        first = 0
        for batch in self._file.iter_batches(batch_size=CHUNK_ROWS):
            cells = zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
            yield Chunk(first=first, count=batch.num_rows, cells=cells, table=batch)
            first += batch.num_rows

    def finish(self, chunk: Chunk) -> None:
        """Write it, and forget it."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = with_columns(pa.table(chunk.table), self._answers.cells(chunk.outcomes), self._answers.columns)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._part, table.schema)
        self._writer.write_table(table)
        chunk.table, chunk.outcomes = None, []

    def result(self) -> Path:
        """The path of the new file, which is there as a whole or not at all."""
        if self._writer is not None:
            self._writer.close()
            self._part.replace(self._to)
            self._writer = None
            self._file.close()
        return self._to


def with_columns(native: Any, cells: Mapping[str, list[Any]], kinds: Mapping[str, Kind]) -> Any:
    """The native frame with these columns behind its own; pandas keeps its index as it is."""
    import narwhals as nw

    frame = nw.from_native(native, eager_only=True)
    if frame.implementation.is_pandas():
        import pandas as pd

        return native.assign(**{name: _pandas_array(pd, values, kinds[name]) for name, values in cells.items()})
    series = [
        nw.new_series(name, _plain(values, kinds[name]), _narwhals_type(nw, kinds[name]), backend=frame.implementation)
        for name, values in cells.items()
    ]
    return frame.with_columns(*series).to_native()


def _pandas_array(pd: Any, values: list[Any], kind: Kind) -> Any:
    if kind in ("any", "vector"):
        return pd.Series(values, dtype="object").array
    if kind == "number":
        values = [float("nan") if value is None else value for value in values]
    return pd.array(values, dtype=_PANDAS[kind])


def _plain(values: list[Any], kind: Kind) -> list[Any]:
    """Columns of other kinds of tables have one type: what may be anything is JSON there."""
    if kind == "vector":
        return [None if value is None else value.tolist() for value in values]
    if kind == "any":
        return [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    return [None if value is None else float(value) for value in values] if kind == "number" else values


def _narwhals_type(nw: Any, kind: Kind) -> Any:
    if kind == "vector":
        return nw.List(nw.Float32())
    return {"integer": nw.Int64, "number": nw.Float64, "boolean": nw.Boolean}.get(kind, nw.String)()


def _rows_where(native: Any, mask: list[bool]) -> Any:
    import narwhals as nw

    return nw.from_native(native, eager_only=True).filter(mask).to_native()


def _kind_of(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]} {kind.__name__}"
