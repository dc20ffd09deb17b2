"""Maps of texts and comparisons of neighbours, on vectors that a scripted server makes of the texts themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from kubeai_notebook.errors import UsageError
from kubeai_notebook.session.embedding_map import EmbeddingMap, embedding_map
from kubeai_notebook.session.neighbours import compare_neighbours, nearest
from kubeai_notebook.session.projection import project
from tests.support.embedder import COLOURS, embedder_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kubeai_notebook.session.embedding import Embedder

FRAME = pd.DataFrame({"text": [*COLOURS, None], "n": range(5)}, index=[7, 7, 9, 9, 1])


@pytest.fixture
def colours() -> Iterator[Embedder]:
    with embedder_of(COLOURS) as embedder:
        yield embedder


def map_of(embedder: Embedder, frame: Any = FRAME, column: str = "text", **options: Any) -> EmbeddingMap:
    options = {"color": None, "vectors": None, "projection": "pca", **options}
    return embedding_map(frame, column, model="mini", embedder=embedder, **options)


def converted(kind: str) -> Any:
    if kind == "pandas":
        return FRAME.copy()
    library = pytest.importorskip(kind)
    columns = {"text": [*COLOURS, None], "n": list(range(5))}
    return library.DataFrame(columns) if kind == "polars" else library.table(columns)


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_gives_the_selected_rows_as_the_frame_that_came_in(colours: Embedder, kind: str) -> None:
    frame = converted(kind)
    made = map_of(colours, frame)
    assert np.isnan(made.points).all(axis=1).tolist() == [False] * 4 + [True]
    made.select([3, 0])
    rows = made.selection()
    assert type(rows) is type(frame)
    numbers = rows.column("n").to_pylist() if kind == "pyarrow" else rows["n"].to_list()
    assert numbers == [3, 0]
    if kind == "pandas":
        pd.testing.assert_frame_equal(rows, frame.iloc[[3, 0]])
        frame.iloc[:] = frame.iloc[::-1].to_numpy()
        assert made.selection()["n"].tolist() == [3, 0]
    made.select([])
    assert len(made.selection()) == 0


def test_selects_the_rows_of_a_mask(colours: Embedder) -> None:
    made = map_of(colours)
    made.select(FRAME["n"] >= 3)
    assert made.selection()["n"].tolist() == [3, 4]
    made.select([False] * 5)
    assert len(made.selection()) == 0
    with pytest.raises(UsageError, match="The mask has 2 values for 5 rows"):
        made.select([True, False])


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        (pd.array([True, None, False, True, None]), [0, 3]),
        (pd.array([None, 1, 2]).dropna(), [1, 2]),
        ((place for place in (2, 1)), [2, 1]),
        (range(2), [0, 1]),
        (np.asarray([4], dtype=np.uint8), [4]),
    ],
)
def test_selects_by_any_kind_of_places(colours: Embedder, given: Any, numbers: list[int]) -> None:
    made = map_of(colours)
    made.select(given)
    assert made.selection()["n"].tolist() == numbers


@pytest.mark.parametrize(
    "given", [FRAME, FRAME[FRAME["n"] > 2], slice(None), 2, True, "red", ["a"], [1.5], [float("nan")], [True, 2]]
)
def test_selects_nothing_by_what_is_no_place(colours: Embedder, given: Any) -> None:
    made = map_of(colours)
    made.select([1])
    with pytest.raises(UsageError, match="takes places of rows, from 0, or a mask of the whole frame, not an? "):
        made.select(given)
    for beyond in ([-1], [10**30]):
        with pytest.raises(UsageError, match="The frame has rows 0 to 4"):
            made.select(beyond)
    assert made.selected.tolist() == [1]


def test_selects_what_is_nearest_to_a_question(colours: Embedder) -> None:
    made = map_of(colours)
    assert made.search("pink", k=2)["text"].tolist() == ["pink", "red"]
    assert made.selected.tolist() == [1, 0]
    assert len(made.search("red", k=50)) == 4
    with pytest.raises(UsageError, match="The frame has rows 0 to 4"):
        made.select([5])


def test_asks_for_no_vectors_that_are_there(colours: Embedder) -> None:
    whole = colours.embed_column(FRAME, "text", role="passage", prefix=None, into="v")
    with embedder_of({}) as nothing:
        by_column = map_of(nothing, whole, vectors="v")
        by_array = map_of(nothing, FRAME, vectors=by_column.vectors)
        assert np.array_equal(by_column.points, by_array.points, equal_nan=True)
        with pytest.raises(UsageError, match="vectors= holds 2 rows for 5 rows of the frame"):
            map_of(nothing, vectors=np.eye(2))
        with pytest.raises(UsageError, match="vectors= takes vectors of one length"):
            map_of(nothing, vectors=[[1.0], [1.0, 2.0], None, None, None])
        with pytest.raises(UsageError, match='no column "txt". Did you mean "text"?'):
            map_of(nothing, column="txt")
        with pytest.raises(UsageError, match='no column "m"'):
            map_of(nothing, color="m")
        with pytest.raises(UsageError, match='projection= takes "pca" or "umap"'):
            map_of(nothing, projection="tsne")


def test_says_that_vectors_are_those_of_another_model(colours: Embedder) -> None:
    made = map_of(colours, vectors=np.eye(5))
    with pytest.raises(UsageError, match="Vectors of 3 numbers have no cosine with vectors of 5"):
        made.search("red")


def test_colours_by_values_and_by_bins_of_numbers(colours: Embedder) -> None:
    frame = FRAME.assign(kind=["a", "b", "a", None, "\x1b[31ma"])
    groups = map_of(colours, frame, color="kind").groups
    assert groups.labels == ("a", "b", "others", "missing")
    assert groups.of_row.tolist() == [0, 1, 0, 3, 0]
    many = pd.DataFrame({"text": ["red"] * 18, "x": [*range(17), None]})
    scale = map_of(colours, many, color="x").groups
    assert scale.is_scale
    assert scale.labels[0] == "0 to 2"
    assert scale.of_row.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 7, 8]
    words = pd.DataFrame({"text": ["red"] * 13, "x": [*"aabbccddeijkl"]})
    named = map_of(colours, words, color="x").groups
    assert named.labels == ("a", "b", "c", "d", "e", "i", "j", "k", "others", "missing")
    assert named.of_row.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8]


def test_draws_the_same_map_each_time() -> None:
    vectors = np.random.default_rng(1).normal(size=(200, 16)).astype(np.float32)
    points = project(vectors, "pca")
    assert np.abs(points).max() == pytest.approx(1)
    order = np.random.default_rng(2).permutation(200)
    assert np.allclose(project(vectors[order], "pca"), points[order], atol=1e-3)
    centred = vectors - vectors.mean(axis=0)
    left, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    by_svd = left[:, :2] * lengths[:2]
    span = np.ptp(by_svd, axis=0).max() / 2
    assert np.allclose(np.ptp(points, axis=0), np.ptp(by_svd, axis=0) / span, atol=1e-3)


@pytest.mark.parametrize("vectors", [[[1.0, 2.0]], [[1.0, 2.0]] * 3, [[1.0], [2.0]]])
def test_places_texts_that_differ_in_nothing(vectors: list[list[float]]) -> None:
    points = project(np.asarray(vectors, dtype=np.float32), "pca")
    assert points.shape == (len(vectors), 2)
    assert np.isfinite(points).all()


UMAP = """
class UMAP:
    def __init__(self, **options):
        self.options = options
    def fit_transform(self, vectors):
        assert self.options["n_neighbors"] == len(vectors) - 1 and self.options["random_state"] == 0
        return vectors[:, :2] * 10
"""


def test_uses_umap_where_it_is(colours: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="umap-learn, which is not installed"):
        map_of(colours, projection="umap")
    (tmp_path / "umap.py").write_text(UMAP)
    monkeypatch.syspath_prepend(tmp_path)
    points = map_of(colours, projection="umap").points
    assert np.allclose(points[0], (1, -1), atol=1e-3)
    assert np.isnan(points[4]).all()


SCATTER = """
class Scatter:
    def __init__(self, **options):
        self.options = options
"""


def test_becomes_a_scatter_where_jupyter_scatter_is(
    colours: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = map_of(colours, color="n")
    with pytest.raises(UsageError, match="jupyter-scatter, which is not installed"):
        made.to_scatter()
    (tmp_path / "jscatter.py").write_text(SCATTER)
    monkeypatch.syspath_prepend(tmp_path)
    options = made.to_scatter().options
    assert options["data"]["text"].tolist() == list(COLOURS)
    assert options["data"]["group"].tolist() == ["0", "1", "2", "3"]
    assert (options["x"], options["y"], options["color_by"]) == ("x", "y", "group")


def test_says_on_which_neighbours_two_models_agree(colours: Embedder) -> None:
    other = {**COLOURS, "navy": (1.0, -0.05, 0.1)}
    with embedder_of(other) as second:
        out = compare_neighbours(FRAME, "text", (colours, second), k=1)
        assert out["overlap"].tolist()[:4] == [0.0, 1.0, 0.0, 0.0]
        assert np.isnan(out["overlap"].iloc[4])
        assert out["lost"].tolist() == [[1], [], [3], [2], None]
        assert out["new"].tolist() == [[3], [], [1], [0], None]
        assert out.index.tolist() == FRAME.index.tolist()
        whole = compare_neighbours(converted("polars"), "text", (colours, second), k=3)
        assert whole["overlap"].to_list() == [1.0] * 4 + [None]
        with pytest.raises(UsageError, match="Each of the 4 texts that both Models embed has 3 neighbours, so not k=4"):
            compare_neighbours(FRAME, "text", (colours, second), k=4)
        with pytest.raises(UsageError, match='a column "lost" already'):
            compare_neighbours(FRAME.assign(lost=1), "text", (colours, second), k=1)


def test_finds_the_neighbours_that_all_cosines_give() -> None:
    vectors = np.random.default_rng(3).normal(size=(1300, 8)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    assert np.array_equal(nearest(vectors, 3), np.argsort(-cosines, axis=1)[:, :3])
