"""The catalog as data, and as the table that somebody chooses from."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from kubeai_notebook.core.catalog.machine import Machine, MachineCatalog, MachineModel
from kubeai_notebook.core.catalog.offers import matching, offers_of
from kubeai_notebook.core.memory import memory_of
from kubeai_notebook.present.catalog_frame import COLUMNS, MOST_LINES, CatalogFrame, catalog_frame

GOLDEN = Path(__file__).parents[1] / "golden" / "catalog_frame.txt"
LAPTOP = Machine(memory_bytes=8_000_000_000, free_memory_bytes=1_000_000_000, free_disk_bytes=20_000_000_000)
SMOL = MachineModel(
    url="ollama://smollm2:135m", title="SmolLM2-135M-Instruct.Q4_1.gguf", features=("TextGeneration",),
    size_bytes=98_362_432, memory_bytes=memory_of(98_362_432), here=True, fits=True,
)  # fmt: skip
SMALL = MachineModel(
    url="ollama://smollm2:360m", features=("TextGeneration",), size_bytes=726_000_000, fits=True, known=True
)
LARGE = MachineModel(
    url="ollama://smollm2:1.7b", features=("TextGeneration",), size_bytes=1_800_000_000,
    memory_bytes=2_240_000_000, fits=False, known=True,
    why="about 2.2 GB of memory needed, 1.0 GB of 8.0 GB free",
)  # fmt: skip
SERVED = {
    "metadata": {"name": "own"},
    "spec": {"url": "hf://me/smollm2-tuned", "engine": "VLLM", "features": ["TextGeneration"]},
}


@pytest.fixture
def frame() -> CatalogFrame:
    return catalog_frame(matching(offers_of([SERVED], MachineCatalog(LAPTOP, (SMOL, SMALL, LARGE))), "smollm2"))


def test_shows_itself_as_a_table_that_reads_well(frame: CatalogFrame) -> None:
    lines = [line.rstrip() for line in repr(frame).splitlines()]
    assert lines == GOLDEN.read_text(encoding="utf-8").splitlines()


def test_shows_the_same_as_html(frame: CatalogFrame) -> None:
    html = frame._repr_html_()
    assert html is not None
    assert all(words in html for words in ("about 726 MB", "98 MB", "this machine", "nothing of it was measured"))
    assert "<th></th>" not in html


def test_shows_no_column_that_is_empty() -> None:
    made = catalog_frame(offers_of([], MachineCatalog(LAPTOP, (SMALL,))))
    assert repr(made).split("\n")[0].split() == ["url", "features", "engine", "size", "memory", "fits", "source"]
    assert "<th>why</th>" not in str(made._repr_html_())


def test_is_data_that_can_be_sorted_and_filtered(frame: CatalogFrame) -> None:
    assert tuple(frame.columns) == COLUMNS
    kinds = {name: str(frame[name].dtype) for name in ("size_bytes", "memory_bytes", "here", "fits")}
    assert kinds == {"size_bytes": "Int64", "memory_bytes": "Int64", "here": "bool", "fits": "boolean"}
    assert frame[frame.here]["url"].tolist() == [SMOL.url]
    assert frame["size_bytes"].max() == 1_800_000_000
    assert frame.set_index("url").loc["hf://me/smollm2-tuned", "fits"] is pd.NA
    assert "about" not in repr(frame[["url", "size_bytes"]])
    assert repr(frame[frame.fits.fillna(value=False)]).count("yes") >= 2


def test_says_where_nothing_is_like_that() -> None:
    empty = catalog_frame(())
    assert repr(empty) == "Nothing in the catalog is like that; any url of a model can be served all the same."
    assert empty["fits"].dtype == "boolean"
    assert "any url" in str(empty._repr_html_())


def test_shows_other_peoples_words_as_words_only() -> None:
    hostile = MachineModel(
        url="s3://b/<img src=x>\x1b[31m?token=abcdefgh12345678", title="$\\href{x}{y}$", features=("<b>",),
        size_bytes=2**53 - 1, memory_bytes=0, here=True, why="\u202e<script>",
    )  # fmt: skip
    model = {"metadata": {"name": "<i>\x07"}, "spec": {"url": hostile.url, "engine": "<u>", "features": ["<s>"]}}
    made = catalog_frame(offers_of([model], MachineCatalog(LAPTOP, (hostile,))))
    html = str(made._repr_html_())
    assert "mathjax_ignore" in html
    for shown in (repr(made), html, repr(made["url"]), repr(made.iloc[0]["why"])):
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)
        assert "abcdefgh12345678" not in shown
    assert not any(tag in html for tag in ("<img", "<script", "<b>", "<i>", "<u>", "<s>"))


def test_shows_what_lies_here_and_fits_first_and_no_more_than_fits_a_screen() -> None:
    many = tuple(replace(SMALL, url=f"ollama://many:{number}b") for number in range(30))
    made = catalog_frame(matching(offers_of([], MachineCatalog(LAPTOP, (LARGE, *many, SMOL))), "ollama"))
    lines = repr(made).splitlines()
    assert lines[1].split()[0] == SMOL.url
    assert len(lines) == 1 + MOST_LINES + 2
    assert lines[-2] == f"… and {len(made) - MOST_LINES} more: name a word of those that you look for."
    assert made._repr_html_().count("<tr") == 1 + len(made)


@pytest.mark.parametrize(
    ("chosen", "urls"),
    [
        ({"here": True}, [SMOL.url]),
        ({"fits": True}, [SMOL.url, SMALL.url, "hf://me/smollm2-tuned"]),
        ({"here": True, "fits": True}, [SMOL.url]),
    ],
)
def test_is_made_shorter_by_what_lies_here_and_what_fits(chosen: dict[str, bool], urls: list[str]) -> None:
    offers = matching(offers_of([SERVED], MachineCatalog(LAPTOP, (SMOL, SMALL, LARGE))), "smollm2", **chosen)
    assert [offer.url for offer in offers if not offer.url.startswith("hf://HuggingFace")] == urls
