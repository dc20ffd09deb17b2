"""Vectors by a Model's own handle, of a real Model and of one that wants a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import CallError, UnauthorizedError, UsageError
from kubeai_notebook.session.embedding import Embedder, similarity
from kubeai_notebook.session.embedding_map import EmbeddingMap, embedding_map
from kubeai_notebook.session.neighbours import compare_neighbours
from tests.support.batch_server import batch_server
from tests.support.embedder import COLOURS, embedder_of
from tests.support.http_server import Answer, HttpServer, Received, json_answer
from tests.support.views import view_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.session import Session

TEXTS = ["The cat sleeps on the sofa.", "A kitten naps.", "Interest rates rose again."]


@pytest.fixture
def mini(session: Session) -> Model:
    fields = {"url": "ollama://all-minilm", "engine": "OLlama", "features": ["TextEmbedding"]}
    return session.serve(name="mini", **fields, wait=True)


def test_ranks_texts_by_a_real_model(mini: Model) -> None:
    vectors = mini.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert len(vectors) == 3
    near = mini.similarity(vectors, vectors)
    assert near[0, 1] > near[0, 2]
    assert np.allclose(np.diag(near), 1, atol=1e-4)
    series = pd.Series(TEXTS, index=[7, 7, 9])
    found = mini.search("a pet", series, k=2, vectors=vectors)
    assert list(found["text"]) == [text for text in found["text"] if text in TEXTS[:2]]
    assert list(found.index) == [7, 7]
    assert mini.embed(series).index.tolist() == [7, 7, 9]
    out = mini.embed_column(pd.DataFrame({"text": [TEXTS[0], None]}, index=["a", "b"]), "text")
    assert np.allclose(out["embedding"]["a"], vectors[0], atol=1e-3)
    assert out["embedding_error"]["b"] == "The text is missing or empty; nothing was sent."


def test_compares_neighbours_with_a_model_of_this_session_by_its_name(mini: Model) -> None:
    frame = pd.DataFrame({"text": TEXTS})
    assert mini.compare_neighbours("mini", frame, "text", k=1)["overlap"].tolist() == [1.0, 1.0, 1.0]


def test_puts_a_familys_prefix_before_its_texts(session: Session) -> None:
    model = session.serve(
        name="e5", url="hf://intfloat/e5-small-v2", engine="Infinity", features=["TextEmbedding"],
        scaling={"min_replicas": 0, "max_replicas": 1}, force=True,
    )  # fmt: skip
    assert model.embedding_prefixes == ("query: ", "passage: ")
    with batch_server() as server, Endpoint(Access(base_url=server.url)) as endpoint:
        embedder = Embedder(model.view, lambda: endpoint)
        embedder.embed(["a"], "passage")
        embedder.embed("b", "query")
        embedder.embed(["c"], "query", "")
        embedder.search("d", ["e", "f"], k=1, vectors=None)
        asked = sorted(server.stats["asked"])
    assert asked == ["c", "passage: a", "passage: e", "passage: f", "query: b", "query: d"]
    with pytest.raises(UsageError, match="role="):
        embedder.embed(["a"], "document")
    with pytest.raises(UsageError, match='no column "txt". Did you mean "text"?'):
        embedder.embed_column(pd.DataFrame({"text": ["a"]}), "txt", role="passage", prefix=None, into="v")
    with pytest.raises(UsageError, match="Text 1 is missing or empty; nothing was sent"):
        embedder.embed(["a", None], "passage")


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_gives_a_column_of_vectors_to_other_kinds_of_tables(session: Session, kind: str) -> None:
    library = pytest.importorskip(kind)
    model = session.serve(
        name="e5", url="hf://intfloat/e5-small-v2", engine="Infinity", features=["TextEmbedding"],
        scaling={"min_replicas": 0, "max_replicas": 1}, force=True,
    )  # fmt: skip
    rows = {"text": ["a", "", "c"]}
    table = library.DataFrame(rows) if kind == "polars" else library.table(rows)
    with batch_server(dimensions=3) as server, Endpoint(Access(base_url=server.url)) as endpoint:
        embedder = Embedder(model.view, lambda: endpoint)
        out = embedder.embed_column(table, "text", role="passage", prefix=None, into="v")
    column = out["v"].to_list() if kind == "polars" else out.column("v").to_pylist()
    assert [len(vector) if vector else 0 for vector in column] == [3, 0, 3]


PLACES = ["Baguette is a dish.", "Paris is the capital of France.", "numpy is a lib for linear algebra"]
PUBLISHED = [0.313, 0.815, 0.004]
"""Their cosines with "Where is Paris?", by Infinity and all-MiniLM-L6-v2, as LangChain's page on Infinity has them."""


def test_ranks_as_infinity_does_in_its_published_example(mini: Model) -> None:
    near = mini.similarity(["Where is Paris?"], PLACES)[0]
    assert np.allclose(near, PUBLISHED, atol=0.02)
    found = mini.search("Where is Paris?", PLACES, k=3)
    assert list(found["text"]) == [PLACES[1], PLACES[0], PLACES[2]]


def test_keeps_every_row_of_a_table_without_texts(mini: Model) -> None:
    out = mini.embed_column(pd.DataFrame({"text": [None, " "]}, index=["a", "b"]), "text")
    assert list(out.index) == ["a", "b"]
    assert out["embedding_error"].tolist() == ["The text is missing or empty; nothing was sent."] * 2
    assert len(mini.embed_column(pd.DataFrame({"text": []}), "text")) == 0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (pd.DataFrame({"text": ["a"]}), "embed() takes a text, a list of texts or a Series, not a DataFrame."),
        (7, "not an int."),
        (None, "was given None."),
        ({"text": ["a"]}, "not a dict."),
    ],
)
def test_answers_what_is_no_text_in_one_sentence(mini: Model, wrong: object, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        mini.embed(wrong)
    assert sentence in str(raised.value)


def test_takes_no_text_for_a_table_or_for_a_list_of_texts(mini: Model) -> None:
    with pytest.raises(UsageError, match=r"not a str\. A table goes in without quotes: df2\."):
        mini.embed_column("df2", "text")
    with pytest.raises(UsageError, match=r"search\(\) takes a list of texts, not one text\."):
        mini.search("Which wine?", "red wine")


def test_takes_a_login_that_ends_midway_for_no_missing_text() -> None:
    logins = ["Bearer x"]

    def token() -> str:
        if not logins:
            raise UnauthorizedError("The login has ended.", "Log in again.")
        return logins.pop()

    def answer(request: Received) -> Answer | None:
        texts = request.json["input"]
        if "t100" in texts:
            return None  # where the gateway hangs up, its address and the login are asked for anew
        return json_answer({"data": [{"index": n, "embedding": [1.0, 2.0]} for n, _ in enumerate(texts)]})

    with HttpServer(answer) as server:
        url = f"{server.address}/openai/v1"
        with Endpoint(Access(base_url=url, own_url=url, token=token)) as endpoint:
            embedder = Embedder(view_in("Ready"), lambda: endpoint)
            with pytest.raises(CallError, match="The login has ended"):
                embedder.embed(pd.Series([None, *(f"t{number}" for number in range(130))]), "passage")
            logins.append("Bearer y")
            out = embedder.embed(pd.Series([None, "a"]), "passage")
    assert out.isna().all(axis=1).tolist() == [True, False]


@pytest.fixture
def colours() -> Iterator[Embedder]:
    with embedder_of(COLOURS) as embedder:
        yield embedder


FRAME = pd.DataFrame({"text": list(COLOURS), "n": range(4)})
ROWS = np.asarray(list(COLOURS.values()), dtype=np.float32)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (FRAME, r'not a DataFrame. frame\["column"\] is the Series of a column.'),
        (FRAME["n"] > 1, "Text 0 is a bool and no text; nothing was sent."),
        (b"red", "not a bytes"),
        ([b"red"], "Text 0 is a bytes and no text"),
        ([["red"]], "Text 0 is a list and no text"),
        (np.asarray([["red"]]), "not an? ndarray"),
        ({"a": "red"}, "not a dict"),
        (None, "not None"),
        (3, "not an int"),
    ],
)
def test_refuses_what_holds_no_texts(colours: Embedder, texts: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        colours.search("red", texts, k=2, vectors=None)
    with pytest.raises(UsageError, match=sentence):
        colours.embed(texts, "passage")


@pytest.mark.parametrize("given", [lambda: (text for text in COLOURS), COLOURS.keys, lambda: np.asarray([*COLOURS])])
def test_takes_texts_that_come_one_by_one(colours: Embedder, given: Callable[[], Any]) -> None:
    assert colours.search("red", given(), k=2, vectors=None)["text"].tolist() == ["red", "pink"]
    assert colours.search("red", given(), k=2, vectors=iter(ROWS))["text"].tolist() == ["red", "pink"]
    assert len(colours.embed(given(), "passage")) == 4


def test_finds_nothing_in_no_texts(colours: Embedder) -> None:
    empty = pd.Series([], dtype=str, index=pd.Index([], dtype=str))
    for texts in ([], empty):
        found = colours.search("red", texts, k=2, vectors=None)
        assert (list(found.columns), len(found)) == (["text", "score"], 0)
    assert similarity(ROWS, np.empty((0, 0))).shape == (4, 0)


@pytest.mark.parametrize("k", [-1, 0, True, 1.5, None, "2"])
def test_refuses_a_number_of_rows_that_cannot_be(colours: Embedder, k: Any) -> None:
    sentence = "k= takes a number from 1 up|takes k as a whole number"
    made = map_of(colours)
    calls: list[Callable[[], Any]] = [
        lambda: colours.search("red", [*COLOURS], k=k, vectors=None),
        lambda: made.search("red", k),
        lambda: made.nearest("red", k),
        lambda: compare_neighbours(FRAME, "text", (colours, colours), k=k),
    ]
    for call in calls:
        with pytest.raises(UsageError, match=sentence):
            call()


@pytest.mark.parametrize("query", [None, "", "  ", 3, b"red", ["red"], ["red", "blue"], FRAME, FRAME["n"] > 1])
def test_refuses_what_is_no_question(colours: Embedder, query: Any) -> None:
    made = map_of(colours)
    for call in (lambda: colours.search(query, [*COLOURS], k=2, vectors=ROWS), lambda: made.search(query)):
        with pytest.raises(UsageError, match="one question|nothing to search for|search\\(\\) (takes|needs) query"):
            call()


@pytest.mark.parametrize(
    "given", [ROWS.tolist(), pd.DataFrame(ROWS), pd.Series(list(ROWS)), [*ROWS[:3], None], ROWS.astype(np.float64)]
)
def test_takes_vectors_however_they_are_kept(colours: Embedder, given: Any) -> None:
    assert colours.search("red", [*COLOURS], k=2, vectors=given)["text"].tolist() == ["red", "pink"]
    assert map_of(colours, vectors=given).search("red", 2)["text"].tolist() == ["red", "pink"]
    assert similarity(given, ROWS[:1])[0, 0] == pytest.approx(1)


@pytest.mark.parametrize("given", [[*COLOURS], FRAME, 3, [], [[1.0], [1.0, 2.0]], ROWS[None], ROWS.astype(complex)])
def test_refuses_what_are_no_vectors(colours: Embedder, given: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: colours.search("red", [*COLOURS], k=2, vectors=given),
        lambda: map_of(colours, vectors=given),
        lambda: similarity(given, ROWS),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="takes vectors of one length"):
            call()


def map_of(embedder: Embedder, vectors: Any = ROWS) -> EmbeddingMap:
    return embedding_map(FRAME, "text", model="mini", embedder=embedder, color=None, vectors=vectors, projection="pca")
