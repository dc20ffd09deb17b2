"""Vectors from a Model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.objects import maps_at, number_at

from .errors import explained, object_of, reading, unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .endpoint import Endpoint


def embed(endpoint: Endpoint, model: str, texts: str | Sequence[str], **options: Any) -> list[list[float]]:
    """One vector for each text, in the texts' order; ``options`` are those of the OpenAI API.

    Raises:
        CallError: the gateway or the engine refused it, or answered something that cannot be read.
    """
    inputs = [texts] if isinstance(texts, str) else list(texts)
    if not inputs:
        return []
    # Plain numbers: the client would ask for base64, which not every engine gives.
    settings = {"encoding_format": "float", **options}
    with explained(model, endpoint):
        response: Any = endpoint.client.embeddings.with_raw_response.create(model=model, input=inputs, **settings)
        answer = object_of(response.content, model)
    with reading(model):
        items = maps_at(answer, "data")
        by_index = {number_at(item, "index"): item for item in items}
        ordered = [by_index[index] for index in range(len(items))] if None not in by_index else list(items)
        vectors = [[float(number) for number in item["embedding"]] for item in ordered]
    if len(vectors) != len(inputs):
        raise unreadable(model, f"it holds {len(vectors)} vectors for {len(inputs)} texts")
    return vectors
