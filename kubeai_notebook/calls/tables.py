"""Tables in and out: pandas, polars and pyarrow in memory by narwhals, Parquet files piece by piece.

What comes in goes out in the same kind, with its index, its order and its columns, and the columns of the answers
behind them. pandas gets its columns from pandas itself: narwhals would make an integer column of numpy's, which can
hold no missing value.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.messages import with_article
from kubeai_notebook.core.prompt_template import is_missing
from kubeai_notebook.errors import UsageError

from .batch import Chunk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kubeai_notebook.core.answer_schema import AnswerSchema, Kind

    from .question import RowOutcome

CHUNK_ROWS = 1000
READ_BYTES = 1 << 20
"""Of one column at a time; without that, pyarrow reads a whole row group."""
_PANDAS: Mapping[str, str] = {
    "text": "string", "integer": "Int64", "number": "float64", "boolean": "boolean", "any": "object",
}  # fmt: skip


class Answers:
    """The new columns of a table, those of the answers first, and how outcomes become their cells.

    ``errors``: where the reasons of failed rows go, as `Model.map` has it; ``prefix`` stands before their columns.

    Raises:
        UsageError: an answer's field has the name of a column of reasons.
    """

    def __init__(self, schema: AnswerSchema, *, prefix: str = "", errors: str = "column") -> None:
        self.schema, self.errors = schema, errors
        reasons: dict[str, Kind] = {f"{prefix}error": "text", f"{prefix}raw": "text"} if errors != "raise" else {}
        if taken := next((name for name in reasons if name in schema.columns), None):
            message = f'The answers have a field "{taken}", and the reasons of failed rows go into a column "{taken}".'
            raise UsageError(message, 'Give the field another name, or ask with errors="raise".')
        self.columns: Mapping[str, Kind] = {**schema.columns, **reasons}

    def check(self, present: Sequence[str]) -> None:
        """Refuse to write over a column of the user's.

        Raises:
            UsageError: the table has a column of such a name.
        """
        taken = next((name for name in self.columns if name in present), None)
        if taken:
            message = f'The frame has a column "{taken}" already, which the answers would be written over.'
            raise UsageError(message, f'into="…" gives the answers another name; or: frame.drop(columns=["{taken}"]).')

    def cells(self, outcomes: Sequence[RowOutcome | None]) -> dict[str, list[Any]]:
        """The cells of each new column."""
        rows = []
        for outcome in outcomes:
            values, error, raw = outcome or (None, None, None)
            rows.append((*(values or (None,) * len(self.schema.columns)), error, raw)[: len(self.columns)])
        return {name: [row[place] for row in rows] for place, name in enumerate(self.columns)}


class FrameTable:
    """A DataFrame in memory.

    Raises:
        UsageError: it is no DataFrame, or has a column where the answers go.
    """

    def __init__(self, frame: Any, answers: Answers) -> None:
        self._native, self._frame = frame, frame_of(frame, "map() takes {} or a Parquet file")
        self.columns: list[str] = list(self._frame.columns)
        answers.check(self.columns)
        self.rows: int | None = len(self._frame)
        self._answers, self._outcomes = answers, list[Any]()

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """All of it at once: it is in memory already."""
        import narwhals as nw

        selected = self._frame.select(*dict.fromkeys(columns))
        cells = selected.iter_rows(named=False, buffer_size=CHUNK_ROWS)
        # A row that is left out, sorted or named is known by its label, where a frame has such.
        labels = nw.maybe_get_index(self._frame)
        yield Chunk(first=0, count=self.rows or 0, cells=cells, table=None, labels=labels)

    def finish(self, chunk: Chunk) -> None:
        """Keep its outcomes."""
        self._outcomes = chunk.outcomes

    def drop(self) -> None:
        """Nothing of it is anywhere else."""

    def result(self) -> Any:
        """The frame with the columns of the answers; with ``errors="frame"`` beside it the rows that have a reason."""
        native = self._native
        outcomes = self._outcomes
        cells = self._answers.cells(outcomes)
        if self._answers.errors != "frame":
            return with_columns(native, cells, self._answers.columns)
        failed = [outcome is None or outcome.values is None or outcome.error is not None for outcome in outcomes]
        names = list(self._answers.columns)
        good, reasons = names[:-2], names[-2:]
        whole = with_columns(native, {name: cells[name] for name in good}, self._answers.columns)
        explained = with_columns(native, {name: cells[name] for name in reasons}, self._answers.columns)
        return whole, _rows_where(explained, failed)


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
        _check_paths(path, to)
        try:
            self._file = pq.ParquetFile(path, buffer_size=READ_BYTES)
        except (ValueError, OSError):  # pyarrow's own errors are such
            hint = "pandas.read_csv(…) or the like makes a DataFrame of it."
            raise UsageError(f"{path} is no Parquet file, or a damaged one.", hint) from None
        self._path, self._to = path, to
        self.columns: list[str] = list(self._file.schema_arrow.names)
        answers.check(self.columns)
        self.rows: int | None = self._file.metadata.num_rows
        self._answers = answers
        # Nobody can know it, and so nobody can have put a link there.
        self._part = to.with_name(f".{to.name}.{secrets.token_hex(8)}.part")
        self._writer: Any = None

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Pieces of `CHUNK_ROWS` rows at most; the new file is begun before the first, so that it can be written."""
        import pyarrow.parquet as pq

        empty = self._with_answers(self._file.schema_arrow.empty_table(), [])
        with self._writing():
            self._writer = pq.ParquetWriter(self._part, empty.schema)
        first = 0
        for batch in self._file.iter_batches(batch_size=CHUNK_ROWS):
            cells = zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
            yield Chunk(first=first, count=batch.num_rows, cells=cells, table=batch)
            first += batch.num_rows

    def finish(self, chunk: Chunk) -> None:
        """Write it, and forget it."""
        import pyarrow as pa

        table = self._with_answers(pa.Table.from_batches([chunk.table]), chunk.outcomes)
        with self._writing():
            self._writer.write_table(table)
        chunk.table, chunk.outcomes = None, []

    def _with_answers(self, table: Any, outcomes: Sequence[RowOutcome | None]) -> Any:
        return with_columns(table, self._answers.cells(outcomes), self._answers.columns)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else type(error).__name__  # pyarrow's own words are long
            message = f"{self._to} cannot be written ({why})."
            raise UsageError(
                message, "Answers that came are kept: the same call with another to= asks the others."
            ) from None

    def drop(self) -> None:
        """Leave nothing of the new file behind."""
        with suppress(OSError):  # a writer's last words go to the disk, too
            if self._writer is not None:
                self._writer.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)
        self._writer = None
        self._file.close()

    def result(self) -> Path:
        """The path of the new file, which is there as a whole or not at all."""
        if self._writer is not None:
            with self._writing():
                self._writer.close()
                self._part.replace(self._to)
            self._writer = None
            self._file.close()
        return self._to


def texts_in(value: Any) -> Any:
    """A Series, or the list of what holds texts one by one (tuple, array, generator …); ``None`` of anything else.

    Raises:
        UsageError: it is a list, and holds something that is no text.
    """
    if hasattr(value, "to_frame") and hasattr(value, "to_list"):
        return value
    shape = getattr(value, "shape", None)
    one_by_one = isinstance(value, list | tuple | Iterator) if shape is None else len(shape) == 1
    if not one_by_one:
        return None
    texts = list(value)
    for place, text in enumerate(texts):
        if not isinstance(text, str) and not is_missing(text):
            what = with_article(_kind_of(text))
            how = "pandas.DataFrame(items) makes a table" if hasattr(text, "keys") else "map(str, items) makes texts"
            raise UsageError(
                f"A list is to hold texts, and item {place} is {what}; nothing was sent.", f"{how} of them."
            )
    return texts


def _check_paths(path: Path, to: Path) -> None:
    if to.is_dir() or not to.parent.is_dir():
        what = "is a folder" if to.is_dir() else "lies in a folder that is not there"
        raise UsageError(f"to={str(to)!r} {what}.", "Name a file in a folder that is there.")
    if to.exists() and to.samefile(path):
        raise UsageError("to= is the file that is read.", "Name another one.")
    if not os.access(to.parent, os.W_OK | os.X_OK):
        raise UsageError(f"The folder {to.parent} may not be written.", "Name a file in another one by to=.")


def frame_of(native: Any, takes: str) -> Any:
    """The frame by narwhals, its columns named by texts; ``takes`` begins the sentence where it is none.

    Raises:
        UsageError: it is no DataFrame in memory, or two of its columns have one name.
    """
    import narwhals as nw
    from narwhals.exceptions import DuplicateError

    try:
        if hasattr(type(native), "set_axis") and hasattr(native, "columns"):  # of pandas, which takes any names
            names = [str(name) for name in native.columns]
            native = native if names == list(native.columns) else native.set_axis(names, axis=1)
        return nw.from_native(native, eager_only=True)
    except DuplicateError:
        names = [str(name) for name in native.columns]
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f'The frame has two columns "{twice}".', "Rename one of them.") from None
    except TypeError:
        wanted = takes.format("a DataFrame of pandas, polars or pyarrow")
        raise UsageError(f"{wanted}, not {with_article(_kind_of(native))}.", _as_a_table(native)) from None


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


def _as_a_table(value: Any) -> str:
    """How this becomes a DataFrame."""
    if isinstance(value, str) and value.isidentifier():
        return f"A table goes in without quotes: {value}."
    if hasattr(value, "collect"):
        return "lazy.collect() makes a DataFrame of it."
    if isinstance(value, list | tuple | set | int | float):
        return 'pandas.DataFrame({"text": texts}) makes a DataFrame of texts.'
    return "pandas.DataFrame(…) makes a DataFrame of it." if value is not None else ""


def _kind_of(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]} {kind.__name__}"
