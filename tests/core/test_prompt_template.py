"""A prompt's braces: which are columns, which are text, and which are slips of the pen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeai_notebook.core.prompt_template import PromptTemplate, is_missing
from kubeai_notebook.errors import UsageError

COLUMNS = ["text", "id", "my note", "a"]


def filled(prompt: str, **cells: object) -> str:
    template = PromptTemplate(prompt, COLUMNS)
    return template.fill([cells[name.replace(" ", "_")] for name in template.columns])


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ('Give {"label": 1} for {text}', 'Give {"label": 1} for X'),
        ("{{ text }} {{text}} {% if a %} {text}", "{{ text }} {{text}} {% if a %} X"),
        (r"\frac{x}{y}_{i}^{n} \text{if} $x_{k}$ {text}", r"\frac{x}{y}_{i}^{n} \text{if} $x_{k}$ X"),
        (r"\d{3} [a-z]{2,4} {0} {} {text}", r"\d{3} [a-z]{2,4} {0} {} X"),
        ("${HOME} 100 % %s {text!r} {text.__class__} {text}", "${HOME} 100 % %s {text!r} {text.__class__} X"),
        ("{text} and {text}", "X and X"),
        ('{"t": {text}} {"a": {"t":{text}}}', '{"t": X} {"a": {"t":X}}'),
        ('{{"t": {text}}} {{{text}}}', '{{"t": X}} {{{text}}}'),
        ("{text", "{text"),
    ],
)
def test_leaves_every_other_brace_as_it_is(prompt: str, text: str) -> None:
    template = PromptTemplate(prompt + "|{id}", COLUMNS)
    cells = {"text": "X", "id": "7"}
    assert template.fill([cells[name] for name in template.columns]) == text + "|7"


def test_fills_in_columns_whose_names_are_no_identifiers() -> None:
    assert filled("{my note}", my_note=3) == "3"


@given(st.text())
def test_reads_no_cell_as_a_prompt(cell: str) -> None:
    whole = cell.encode("utf-8", "replace").decode()
    assert filled("<{text}> {id}", text=cell, id="{text}") == f"<{whole}> {{text}}"


def test_replaces_half_of_a_character() -> None:
    assert filled("{text}", text="a\ud800b") == "a?b"


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("{txt}", 'The frame has no column "txt". Did you mean "text"?'),
        ("{text} {zzz}", 'The frame has no column "zzz". Its columns are: text, id, my note, a.'),
        ("no column", "The prompt names no column of the frame"),
    ],
)
def test_names_the_column_that_is_missing_and_the_nearest(prompt: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        PromptTemplate(prompt, COLUMNS)
    assert str(raised.value).startswith(sentence)


def test_fills_in_chosen_columns_only() -> None:
    assert PromptTemplate("{zzz} {id} {text}", COLUMNS, chosen=["text"]).fill(["X"]) == "{zzz} {id} X"
    with pytest.raises(UsageError, match='no column "txt"'):
        PromptTemplate("{text}", COLUMNS, chosen=["txt"])


@pytest.mark.parametrize("cell", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT])
def test_knows_what_a_table_holds_where_it_holds_nothing(cell: object) -> None:
    assert is_missing(cell)
    assert PromptTemplate("{text}", COLUMNS).problem_of([cell]) == "text is missing in this row; nothing was sent."


@pytest.mark.parametrize("cell", ["", 0, False, [], np.array([1, 2]), "nan"])
def test_takes_what_is_there_for_there(cell: object) -> None:
    assert not is_missing(cell)


def test_sends_no_row_that_holds_nothing_but_spaces() -> None:
    template = PromptTemplate("{text} {id}", COLUMNS)
    assert template.problem_of([" ", ""]) == "text is empty in this row; nothing was sent."
    assert template.problem_of(["", "x"]) == ""
