"""What the args of a Model say."""

from __future__ import annotations

import pytest

from kubeai_notebook.core.arguments import SPREAD, value_of, with_argument


@pytest.mark.parametrize("args", [["-tp", "4"], ["-tp=4"], ["--tensor_parallel_size=4"], ["-tp", "2", f"{SPREAD}=4"]])
def test_reads_an_argument_in_each_of_its_spellings(args: list[str]) -> None:
    assert value_of(args, SPREAD) == "4"


def test_puts_an_argument_in_the_place_of_its_short_form() -> None:
    assert with_argument(["-tp", "4", "--x"], SPREAD, f"{SPREAD}=8") == [f"{SPREAD}=8", "--x"]
