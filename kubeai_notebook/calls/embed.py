"""Vectors from a Model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import explained

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .endpoint import Endpoint


def embed(endpoint: Endpoint, texts: str | Sequence[str], options: Mapping[str, Any]) -> list[list[float]]:
    """One vector for each text, in the texts' order; ``options`` are those of the OpenAI API.

    Raises:
        CallError: the gateway or the engine refused it.
    """
    inputs = [texts] if isinstance(texts, str) else list(texts)
    if not inputs:
        return []
    # Plain numbers: the client would ask for base64, which not every engine gives.
    settings = {"encoding_format": "float", **options}
    with explained(endpoint.model):
        answer = endpoint.client.embeddings.create(model=endpoint.model, input=inputs, **settings)
    return [list(item.embedding) for item in sorted(answer.data, key=lambda item: item.index)]
