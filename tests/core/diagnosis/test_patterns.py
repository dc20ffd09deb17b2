"""What a table's patterns cost on a line that was written to make them slow: anybody can write into a log."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.core.diagnosis import tables
from kubeai_notebook.core.diagnosis.engine.rule import Rule, compiled
from kubeai_notebook.core.diagnosis.tables import engine_args, placement, python_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LINE = 32_000
"""Longer than a line of a log is kept; what a Pod waits for comes uncut."""
PUMPS = ("a", "1", "A_", " ", "a ", "a.", "a/", "/a", "-", "--a ", "'", '"', "(", ": ", "a=")
LITERALS = re.compile(r"(?:\\.|[^\\()\[\]{}|?*+.^$])+")


def rules_in(found: object) -> Iterator[Rule]:
    if isinstance(found, Rule):
        yield found
    elif isinstance(found, tuple | list):
        for one in found:
            yield from rules_in(one)


def patterns() -> list[str]:
    names = [f"{tables.__name__}.{module.name}" for module in pkgutil.iter_modules(tables.__path__)]
    modules = [importlib.import_module(name) for name in names]
    rules = [rule for module in modules for value in vars(module).values() for rule in rules_in(value)]
    return sorted({pattern for rule in rules for pattern in (*rule.take, *rule.far)})


@pytest.mark.parametrize("pattern", patterns())
def test_reads_the_longest_line_quickly(pattern: str) -> None:
    without_groups = re.sub(r"\(\?P<\w+>|\(\?[:=!]|\(\?<[=!]", "(", pattern)
    literals = [re.sub(r"\\(?=\W)|\\[a-zA-Z]", "", one) for one in LITERALS.findall(without_groups)]
    for pump in {*PUMPS, *literals} - {""}:
        for start in {"", *literals[:1], "".join(literals[:2])}:
            line = (start + pump * LINE)[:LINE]
            began = time.process_time()
            compiled(pattern).search(line)
            # What grows with the square of the line takes a second here, the others milliseconds.
            assert time.process_time() - began < 0.35, (pump, start)


@pytest.mark.parametrize(
    ("look", "pump"),
    [
        (engine_args._FAILED.search, "1"),
        (placement._TAINT.search, "1"),
        (python_code._OF_THE_MODEL.match, "/transformers_modules/"),
    ],
)
def test_reads_it_quickly_also_with_a_pattern_beside_the_rows(look: Callable[[str], object], pump: str) -> None:
    began = time.process_time()
    look('file "' + pump * (LINE // len(pump)))
    assert time.process_time() - began < 0.35


@pytest.mark.parametrize(
    ("frame", "file"),
    [
        ('file "/a/transformers_modules/b-1/modeling_x.py", line 1', "modeling_x.py"),
        ('file "/transformers_modules/a b.py"', "b.py"),
        ('file "/transformers_modules/a.txt"', None),
        ('file "/modules/a.py"', None),
    ],
)
def test_knows_the_models_own_code_by_its_folder(frame: str, file: str | None) -> None:
    own = python_code._OF_THE_MODEL.match(frame)
    assert (own and own["file"]) == file
