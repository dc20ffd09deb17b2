"""Texts in the order in which they answer a question, by a Model that ranks.

The route is no part of OpenAI's API. Infinity, vLLM and llama.cpp take the same body and name a text by its number;
what else stands in an answer differs (Infinity repeats the text, vLLM wraps it), so only numbers are read of it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.objects import maps_at
from kubeai_notebook.core.prompt_template import is_missing
from kubeai_notebook.errors import UsageError
from kubeai_notebook.text import encodable

from .errors import explained, object_of, unreadable
from .request import Request, send

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .endpoint import Endpoint


def listed(texts: Any) -> list[Any]:
    """The texts as a list, made once: a generator gives each of them a single time.

    Raises:
        UsageError: they are one text, or nothing that holds texts.
    """
    if isinstance(texts, str | bytes):
        raise UsageError("rerank() takes a list of texts, not one text.", 'Write rerank(query, ["…", "…"]).')
    try:
        return list(texts)
    except TypeError:
        kind = "None" if texts is None else type(texts).__name__
        raise UsageError(f"rerank() takes a list of texts, not {kind}.", 'Write rerank(query, ["…", "…"]).') from None


def checked(query: str, texts: Sequence[Any], top_n: int | None) -> list[str]:
    """The texts as they are sent.

    Raises:
        UsageError: the question or a text is missing or empty, or ``top_n`` is no number of texts.
    """
    if not isinstance(query, str) or not query.strip():
        raise UsageError("The question is missing or empty; nothing was sent.")
    if top_n is not None and (isinstance(top_n, bool) or not isinstance(top_n, int) or top_n < 1):
        raise UsageError(f"top_n= takes a number of texts from 1 up, not {top_n!r}.")
    own = listed(texts)
    for number, text in enumerate(own):
        if is_missing(text) or not str(text).strip():
            raise UsageError(f"Text {number} is missing or empty; nothing was sent.")
    return [encodable(str(text)) for text in own]


def rerank(
    endpoint: Endpoint, model: str, texts: Sequence[str], *, query: str, top_n: int | None
) -> list[tuple[int, float]]:
    """The numbers of the texts with their scores, the best first.

    Raises:
        CallError: the gateway or the engine refused it, or answered something that cannot be read.
    """
    body: dict[str, Any] = {"model": model, "query": encodable(query), "documents": list(texts)}
    body |= {} if top_n is None else {"top_n": top_n}
    response = send(endpoint, model, Request(method="POST", path="/rerank", body=body))
    with explained(model, endpoint):
        answer = object_of(response.content, model)
    best = [_row(result, len(texts)) for result in maps_at(answer, "results")]
    if not best or None in best or len({row[0] for row in best if row}) < len(best):
        raise unreadable(model, "it does not give each text a number and a score")
    wanted = min(top_n or len(texts), len(texts))
    if len(best) < wanted:
        raise unreadable(model, f"it ranks {len(best)} of {wanted} texts")
    return sorted((row for row in best if row), key=lambda row: -row[1])[:top_n]


def _row(result: Mapping[str, Any], count: int) -> tuple[int, float] | None:
    """Number and score of one of so many texts; None where it is neither."""
    number, score = result.get("index"), result.get("relevance_score")
    if not isinstance(number, int) or not 0 <= number < count or not isinstance(score, int | float):
        return None
    return (number, float(score)) if math.isfinite(score) else None
