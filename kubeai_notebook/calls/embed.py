"""Vectors from a Model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.objects import maps_at, number_at

from .errors import explained, object_of, reading, unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .endpoint import Endpoint


def embed(endpoint: Endpoint, texts: str | Sequence[str], options: Mapping[str, Any]) -> list[list[float]]:
    """One vector for each text, in the texts' order; ``options`` are those of the OpenAI API.

    Raises:
        CallError: the gateway or the engine refused it, or answered something that cannot be read.
    """
    inputs = [texts] if isinstance(texts, str) else list(texts)
    if not inputs:
        return []
    # Plain numbers: the client would ask for base64, which not every engine gives.
    settings = {"encoding_format": "float", **options}
    with explained(endpoint.model, this_machine=endpoint.access.this_machine):
        raw = endpoint.client.embeddings.with_raw_response
        response: Any = raw.create(model=endpoint.model, input=inputs, **settings)
    with reading(endpoint.model):
        found = maps_at(object_of(response.content, endpoint.model), "data")
        placed = {number_at(one, "index"): one for one in found}
        ordered = [placed[number] for number in range(len(found))] if None not in placed else list(found)
        vectors = [[float(number) for number in one["embedding"]] for one in ordered]
    if len(vectors) != len(inputs):
        raise unreadable(endpoint.model, f"it holds {len(vectors)} vectors for {len(inputs)} texts")
    return vectors
