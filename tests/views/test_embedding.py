"""The playground of embeddings and the map without a browser: what they show, and what they take from one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from kubeai_notebook.errors import UsageError
from kubeai_notebook.session.embedding import similarity
from kubeai_notebook.session.embedding_map import EmbeddingMap, embedding_map
from kubeai_notebook.views import CardFace
from kubeai_notebook.views.embedding_map import MapWidget, widget_of
from kubeai_notebook.views.embedding_playground import EmbeddingPlayground
from tests.support.embedder import COLOURS, embedder_of
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeai_notebook.session.embedding import Embedder

pytestmark = pytest.mark.usefixtures("built")

FRAME = pd.DataFrame({"text": [*COLOURS, None], "kind": ["warm", "warm", "cold", "cold", None]})
LIMIT = 250_000
"""Bytes of a map's module."""


class FakeModel:
    """Stands for the handle on a Model, as far as a playground uses it."""

    name = "mini"

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.maps = 0

    def similarity(self, left: list[str], right: list[str]) -> Any:
        return similarity(self.embedder.embed(left, "passage"), self.embedder.embed(right, "passage"))

    def embedding_map(self, frame: Any, column: str, *, color: str | None) -> EmbeddingMap:
        self.maps += 1
        return embedding_map(
            frame, column, model=self.name, embedder=self.embedder, color=color, vectors=None, projection="pca"
        )


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with embedder_of(COLOURS) as embedder:
        yield FakeModel(embedder)


@pytest.fixture
def playground(model: FakeModel) -> EmbeddingPlayground:
    return EmbeddingPlayground(model, FRAME, "text", color="kind")


@pytest.fixture
def widget(model: FakeModel) -> MapWidget:
    return widget_of(model.embedding_map(FRAME, "text", color="kind"))


def ask(widget: Any, **request: Any) -> None:
    """As a browser does."""
    widget._handle_custom_msg(request, [])


def test_shows_cosines_and_says_why_there_are_none(playground: EmbeddingPlayground) -> None:
    comparison = playground.children[0]
    ask(comparison, verb="compare", texts=["red", " ", "blue"])
    assert until(lambda: comparison.state["texts"] == ["red", "blue"] and not comparison.state["busy"])
    assert comparison.state["cosines"] == [[1.0, 0.0], [0.0, 1.0]]
    ask(comparison, verb="compare", texts=[""])
    assert until(lambda: comparison.state["problem"] == "There is no text to compare. Type some, one a line.")
    assert comparison.state["texts"] == ["red", "blue"]
    text, html = playground.still().values()
    assert "0.00" in text
    assert "1. red" in html


def test_searches_a_frame_and_opens_its_map_with_the_same_vectors(
    playground: EmbeddingPlayground, model: FakeModel
) -> None:
    comparison = playground.children[0]
    assert (comparison.state["column"], comparison.state["rows"]) == ("text", 5)
    ask(comparison, verb="search", query="pink")
    assert until(lambda: len(comparison.state["nearest"]) == 4 and not comparison.state["busy"])
    assert comparison.state["nearest"][0] == {"place": 1, "text": "pink", "score": 1.0}
    ask(comparison, verb="map")
    assert until(lambda: comparison.state["map_is_open"])
    (_, widget) = playground.children
    assert isinstance(widget, MapWidget)
    assert model.maps == 1
    playground.map.select([2])
    assert playground.selection()["text"].tolist() == ["blue"]
    assert "pink" in playground.still()["text/html"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"verb": "search", "query": "a" * 100_001}, "A text of more than 100,000 characters cannot be sent."),
        ({"verb": "search", "query": "a\ud83d"}, "The text holds half of a character, which cannot be sent."),
        (None, "cannot be read. Run the cell again."),
        (3, "cannot be read. Run the cell again."),
        ({"verb": "compare", "texts": ["a"] * 13}, "cannot be read. Run the cell again."),
        ({"verb": "eval"}, "cannot be read. Run the cell again."),
        ({"verb": "map", "x": 1}, "cannot be read. Run the cell again."),
    ],
)
def test_says_why_it_takes_no_message(
    playground: EmbeddingPlayground, widget: MapWidget, content: Any, problem: str
) -> None:
    for part in (playground.children[0], widget):
        states: list[dict[str, Any]] = []
        part.observe(lambda change, states=states: states.append(change["new"]), "state")
        for _ in range(2):  # each time anew: a page waits until its state is another
            part._handle_custom_msg(content, [])
            assert problem in states[-1]["problem"]
            assert states[-1]["busy"] == ""
            states.clear()


def test_takes_the_only_column_and_refuses_others(model: FakeModel) -> None:
    assert EmbeddingPlayground(model, FRAME[["text"]], "", color=None).shown.column == "text"
    assert EmbeddingPlayground(model, None, "", color=None).shown.column == ""
    with pytest.raises(UsageError, match="Which column holds the texts"):
        EmbeddingPlayground(model, FRAME, "", color=None)
    with pytest.raises(UsageError, match='no column "txt"'):
        EmbeddingPlayground(model, FRAME, "txt", color=None)
    with pytest.raises(UsageError, match="has no frame"):
        EmbeddingPlayground(model, None, "", color=None).selection()


@pytest.mark.parametrize(
    ("features", "options", "sentence"),
    [
        ({"TextGeneration"}, {"data": FRAME}, "data= is for the playground of an embedding Model, and mini is none."),
        ({"TextEmbedding"}, {"tools": [len]}, "tools= is for the playground of a Model that chats, and mini is none."),
        ({"SpeechToText"}, {"data": FRAME}, "data= is for the playground of an embedding Model, and mini is none."),
        (
            {"TextGeneration"},
            {"data": FRAME, "column": "text", "color": "kind"},
            "^data=, column= and color= are for the playground of an embedding Model, and mini is none.",
        ),
        (
            {"Reranking"},
            {"data": FRAME, "new": True},
            "^data= and new= are for the playground of an embedding Model or a Model that chats, and mini is none.",
        ),
        ({"TextEmbedding"}, {"columns": ("smol",)}, "^mini makes embeddings; smol cannot answer beside it."),
        ({"SpeechToText"}, {"columns": ("a", "b"), "new": True}, "^mini writes down speech; a and b cannot answer"),
        (set(), {}, "mini has no feature that can be tried"),
    ],
)
def test_says_which_playground_an_option_is_for(
    model: FakeModel, features: set[str], options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        CardFace().playground(model, features, **options)


def test_sends_points_as_bytes_and_takes_a_lasso_as_bytes(widget: MapWidget) -> None:
    points = np.frombuffer(widget.points, dtype="<f4").reshape(-1, 2)
    assert np.allclose(points, widget.map.points[:4])
    assert np.frombuffer(widget.groups, dtype="<u2").tolist() == [0, 0, 1, 1]
    assert widget.state["without_vector"] == 1
    assert [(line["label"], line["count"]) for line in widget.state["legend"]] == [("warm", 2), ("cold", 2)]
    widget.set_state({"selected": memoryview(np.asarray([3, 1, 99], dtype="<u4").tobytes())})
    assert widget.map.selection()["text"].tolist() == ["navy", "pink"]
    assert widget.state["selected_count"] == 2
    assert [row["text"] for row in widget.state["selected"]] == ["navy", "pink"]
    assert np.frombuffer(widget.selected, dtype="<u4").tolist() == [3, 1]
    assert "2 rows were selected" in widget._still()["text/plain"]


def test_shows_what_python_selects_and_what_a_search_does(widget: MapWidget, model: FakeModel) -> None:
    widget.map.select([2])
    assert np.frombuffer(widget.selected, dtype="<u4").tolist() == [2]
    ask(widget, verb="search", query="pink")
    assert until(lambda: widget.state["selected_count"] == 4 and not widget.state["busy"])
    ask(widget, verb="search", query="green")
    assert until(lambda: bool(widget.state["problem"]))
    assert widget.state["selected_count"] == 4


def test_tells_the_text_under_the_pointer_as_plain_words(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = pd.DataFrame({"text": ["\x1b]52;c;eA==\x07<b>x</b>\u202eabc\nsecond " + "long " * 200]})
    widget = widget_of(
        embedding_map(
            hostile, "text", model="mini", embedder=model.embedder, color="text", vectors=[[1.0, 0.0]], projection="pca"
        )
    )
    heard: list[Any] = []
    monkeypatch.setattr(widget, "send", heard.append)
    ask(widget, verb="hover", query="", place=0)
    ask(widget, verb="hover", query="", place=1)
    (hover,) = heard
    assert hover["text"].startswith("<b>x</b>")
    assert len(hover["text"]) <= 300
    widget.map.select([0])
    for shown in (hover["text"], widget.state["legend"][0]["label"], widget.state["selected"][0]["text"]):
        assert not {"\x1b", "\u202e", "\n"} & set(shown)
    assert "<b>" not in widget._still()["text/html"]


def test_sends_the_map_as_a_module_of_its_own(built: Callable[[str], int]) -> None:
    assert built("map.js") < LIMIT
    assert built("embedding.js") < 10_000
