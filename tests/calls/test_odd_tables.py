"""Tables as people have them: each is taken with all its rows, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from kubeai_notebook.errors import UsageError
from tests.support.batch_server import batch_server

from .test_batch import mapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.batch_server import Running


@pytest.fixture(scope="module")
def quick() -> Iterator[Running]:
    with batch_server() as server:
        yield server


TAKEN: dict[str, tuple[Any, str]] = {
    "index of two levels": (pd.DataFrame({"text": ["a"]}, index=pd.MultiIndex.from_tuples([(1, 2)])), "re: a"),
    "numbers as names": (pd.DataFrame([["x", "a"]], columns=[7, "text"]), "re: a"),
    "categories": (pd.DataFrame({"text": pd.Categorical(["a"])}), "re: a"),
    "times": (pd.DataFrame({"text": pd.to_datetime(["2024-01-02"])}), "re: 2024-01-02 00:00:00"),
    "periods": (pd.DataFrame({"text": pd.period_range("2024-01", periods=1, freq="M")}), "re: 2024-01"),
    "whole numbers": (pd.DataFrame({"text": pd.array([1], dtype="Int64")}), "re: 1"),
    "lists": (pd.DataFrame({"text": [[1, 2]]}), "re: [1, 2]"),
    # As texts of Arrow, where pandas has it, they cannot be at all.
    "half a character": (pd.DataFrame({"text": pd.Series(["a\ud800"], dtype=object)}), "re: a?"),
    "braces": (pd.DataFrame({"text": ["{{a}} {b} 5% $x$"]}), "re: {{a}} {b} 5% $x$"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_takes_a_table_with_its_own_index_and_columns(quick: Running, name: str) -> None:
    table, answer = TAKEN[name]
    out = mapped(quick.url, table)
    assert list(out["answer"]) == [answer]
    assert out[list(table.columns)].equals(table)
    assert out.index.equals(table.index)


def test_fills_in_a_column_whose_name_is_a_number(quick: Running) -> None:
    assert list(mapped(quick.url, pd.DataFrame([["a", "b"]]), "{1}")["answer"]) == ["re: b"]


TEXTS: dict[str, Any] = {
    "list": ["a", "b"],
    "tuple": ("a", "b"),
    "array": np.array(["a", "b"]),
    "what is generated": (text for text in "ab"),
    "Series": pd.Series(["a", "b"], index=[7, 7], name="other"),
    "index": pd.Index(["a", "b"]),
}


@pytest.mark.parametrize("name", TEXTS)
def test_takes_texts_alone_as_the_column_that_the_prompt_names(quick: Running, name: str) -> None:
    out = mapped(quick.url, TEXTS[name], "Classify: {note}")
    assert list(out.columns) == ["note", "answer", "error", "raw"]
    assert list(out["note"]) == ["a", "b"]
    assert list(out["answer"]) == ["re: Classify: a", "re: Classify: b"]
    assert list(out.index) == ([7, 7] if name == "Series" else ["a", "b"] if name == "index" else [0, 1])


def test_takes_texts_of_polars_in_the_same_kind(quick: Running) -> None:
    polars = pytest.importorskip("polars")
    out = mapped(quick.url, polars.Series("x", ["a"]), "{text}")
    assert isinstance(out, polars.DataFrame)
    assert out["answer"].to_list() == ["re: a"]


def test_puts_a_text_below_a_prompt_that_names_no_column(quick: Running) -> None:
    assert list(mapped(quick.url, ["a"], 'Answer in {"x": 1}.')["answer"]) == ['re: Answer in {"x": 1}.\n\na']


def test_gives_a_missing_text_its_reason_and_no_text_an_empty_table(quick: Running) -> None:
    out = mapped(quick.url, ["a", None], "{text}")
    assert out["error"][1] == "text is missing in this row; nothing was sent."
    assert mapped(quick.url, [], "{text}").empty


def test_wants_a_table_for_a_prompt_of_several_columns(quick: Running) -> None:
    with pytest.raises(UsageError, match=r"names \{a\} and \{b\}, and a list gives one text a row") as raised:
        mapped(quick.url, ["x"], "{a} {b}")
    assert "pandas.DataFrame(" in raised.value.hint


@pytest.mark.parametrize("table", [["a"], pd.DataFrame({"text": ["a"]})], ids=["list", "frame"])
def test_says_that_a_column_takes_single_braces(quick: Running, table: Any) -> None:
    with pytest.raises(UsageError, match=r"A column takes single braces: \{text\}\. As \{\{text\}\} it stays"):
        mapped(quick.url, table, "Classify: {{text}}")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (pd.DataFrame([["a", "b"]], columns=["text", "text"]), 'The frame has two columns "text". Rename one of them.'),
        (pd.DataFrame([["a", "b"]], columns=["1", 1]), 'The frame has two columns "1".'),
        (pd.DataFrame(index=[1]), 'The frame has no column "text". It has none at all.'),
        (
            [1, 2, None],
            "A list is to hold texts, and item 0 is an int; nothing was sent. map(str, items) makes texts of them.",
        ),
        (["a", None, 2.5], "item 2 is a float; nothing was sent."),
        ([{"text": "a"}], "item 0 is a dict; nothing was sent. pandas.DataFrame(items) makes a table of them."),
        ({"a", "b"}, "not a set. pandas.DataFrame("),
        ({"text": ["a"]}, "not a dict. pandas.DataFrame("),
        (np.array([["a", "b"]]), "not a numpy ndarray."),
        (None, "not a NoneType."),
        (pd.DataFrame({"text": ["a"]}).groupby("text"), "not a pandas DataFrameGroupBy."),
    ],
)
def test_refuses_what_is_no_table_of_its_own_columns(quick: Running, table: Any, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        mapped(quick.url, table)
    assert sentence in str(raised.value)


@pytest.mark.parametrize("to", [{}, {"to": "b.parquet"}])
@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("df2", 'map() takes the table itself, not its name "df2". Write it without quotes: df2.'),
        ("A good wine. Sweet, too.", "map() takes a table or a list of texts, not one text. Put it into a list."),
        ("word " * 1000, "map() takes a table or a list of texts, not one text."),
        ("", "map() takes a table or a list of texts, not one text."),
    ],
)
def test_takes_no_text_for_a_file_that_cannot_be_one(quick: Running, table: str, sentence: str, to: Any) -> None:
    with pytest.raises(UsageError) as raised:
        mapped(quick.url, table, **to)
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize("path", ["no.parquet", "my data/no.parquet", "data/no", "./no", "C:\\data\\no.parquet"])
def test_says_of_a_path_first_that_there_is_no_file_and_then_where_its_answers_go(
    quick: Running, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="There is no file .* Check the path"):
        mapped(quick.url, path)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).touch()
    with pytest.raises(UsageError, match="names the Parquet file that .* with its answers is written to"):
        mapped(quick.url, path)


def test_names_a_file_that_is_no_parquet(quick: Running, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.csv"
    path.write_text("text\na\n")
    with pytest.raises(UsageError, match=r"a\.csv is no Parquet file, or a damaged one"):
        mapped(quick.url, path, to=tmp_path / "b.parquet")


def test_asks_rows_again_whose_answers_are_kept_where_it_is_told_to(quick: Running, tmp_path: Path) -> None:
    table, store = pd.DataFrame({"text": ["again", "again"]}), tmp_path / "a.db"
    for fresh, asked in ((False, 1), (False, 1), (True, 2), (False, 2)):
        mapped(quick.url, table, store=store, fresh=fresh)
        assert quick.stats["asked"]["again"] == asked
