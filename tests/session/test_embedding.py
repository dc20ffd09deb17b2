"""Vectors by a Model's own handle, of a real Model and of one that wants a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import UsageError
from kubeai_notebook.session.embedding import Embedder
from tests.support.batch_server import batch_server

if TYPE_CHECKING:
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
