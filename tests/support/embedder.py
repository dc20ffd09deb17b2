"""An Embedder whose server gives each text the vector that a test says."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.core.access import Access
from kubeai_notebook.session.embedding import Embedder

from .http_server import HttpServer, Received, json_answer
from .views import view_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COLOURS = {"red": (1.0, 0.0, 0.1), "pink": (0.9, 0.1, 0.0), "blue": (0.0, 1.0, 0.0), "navy": (0.1, 0.9, 0.2)}


@contextmanager
def embedder_of(vectors: Mapping[str, tuple[float, ...]]) -> Iterator[Embedder]:
    """One for these texts; another is a mistake of the test, and gets no vector."""

    def answer(request: Received) -> Any:
        texts = request.json["input"]
        return json_answer({"data": [{"index": n, "embedding": vectors[text]} for n, text in enumerate(texts)]})

    with HttpServer(answer) as server:
        url = f"{server.address}/openai/v1"
        with Endpoint(Access(base_url=url, own_url=url)) as endpoint:
            yield Embedder(view_in("Ready"), lambda: endpoint)
